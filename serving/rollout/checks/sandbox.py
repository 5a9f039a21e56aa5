"""Runs the check of a version where it can reach and change nothing, if bubblewrap is there."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Sequence

_TRY_SECONDS = 10.0
# The version runs in namespaces of its own: no network, no other process to see, every file system
# read-only, and no sockets of the system's services, which a read-only view would still reach.
_BUBBLEWRAP = (
    "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
    "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run",
)  # fmt: skip


def sandboxed(command: Sequence[str]) -> list[str]:
    """A command as bubblewrap runs it, or as it is where that cannot run."""
    return [*_prefix(), *command]


def is_available() -> bool:
    """Whether commands run without network and with a read-only view."""
    return bool(_prefix())


@functools.cache
def _prefix() -> tuple[str, ...]:
    """What stands before a command; nothing on macOS, and in a container that may not unshare."""
    program = shutil.which("bwrap")
    if program is None:
        return ()
    prefix = (program, *_BUBBLEWRAP)
    try:
        tried = subprocess.run(  # noqa: S603
            [*prefix, "true"], capture_output=True, check=False, timeout=_TRY_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return prefix if tried.returncode == 0 else ()
