"""Runs a version's check without network and with read-only files, if bubblewrap is installed."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_TRY_SECONDS = 10.0
# Separate namespaces: no network, no view of other processes, and all file systems read-only. /run
# is empty, since a process can connect to system services' sockets even on a read-only file system.
_BUBBLEWRAP = (
    "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
    "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run",
)  # fmt: skip


def sandboxed(command: Sequence[str], folders: Sequence[Path] = ()) -> list[str]:
    """Wraps a command in bubblewrap; returns the command unchanged if bubblewrap cannot run.

    Args:
        command: the command.
        folders: what the command reads, which may lie on a disk below `/run/media`.
    """
    prefix = _prefix()
    found = [str(path.resolve()) for path in folders if path.resolve().is_relative_to("/run")]
    visible = [part for path in found for part in ("--ro-bind", path, path)] if prefix else []
    return [*prefix, *visible, *command]


def is_available() -> bool:
    """Says whether commands run without network and with read-only files."""
    return bool(_prefix())


@functools.cache
def _prefix() -> tuple[str, ...]:
    """Returns the prefix of a command; empty on macOS, and in a container that may not unshare."""
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
