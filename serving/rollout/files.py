"""Files that a crash leaves whole: the old content or the new one, never half of it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from serving.rollout.errors import Refused

_READABLE = 0o644
_LOOK_SECONDS = 0.1


def write_atomically(file: Path, text: str) -> None:
    """Replaces a file: written beside it, on disk before it gets the name, then the name on disk.

    The mode lets the model server read it, which in a container is another user.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _READABLE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        os.fchmod(descriptor, _READABLE)
        out.write(text)
        out.flush()
        os.fsync(descriptor)
    draft.replace(file)
    sync(file.parent)


def remove_drafts(file: Path) -> None:
    """Removes what writers of a file left who were killed before the last step.

    Whoever calls this makes sure that nobody writes it right now.
    """
    for draft in file.parent.glob(f".{file.name}.*"):
        draft.unlink()


def append(file: Path, line: dict[str, Any]) -> None:
    """Adds a line of JSON in one write, so that lines of two writers never mix.

    Where a crash has left half a line, it begins on a new one.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, _READABLE)
    try:
        size = os.fstat(descriptor).st_size
        whole = not size or os.pread(descriptor, 1, size - 1) == b"\n"
        os.write(descriptor, (("" if whole else "\n") + json.dumps(line) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of JSON of a file; what a crash cut off in the middle is left out."""
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            document = json.loads(line)
            if isinstance(document, dict):
                yield document


def sync(path: Path) -> None:
    """Waits until a file or the names in a folder are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(file: Path, holder: str, patience: float) -> Iterator[None]:
    """Holds a lock file; the system frees it when its process ends, however it ends.

    Args:
        file: the lock.
        holder: who wants it and for what, told to others who want it too.
        patience: seconds to wait for somebody else.

    Raises:
        Refused: it was held by somebody else all that time.
    """
    with file.open("a+", encoding="utf-8") as lock:
        deadline = time.monotonic() + patience
        while not _taken(lock.fileno()):
            if time.monotonic() >= deadline:
                lock.seek(0)
                raise Refused(f"Another rollout is under way: {lock.read().strip()}.")
            time.sleep(_LOOK_SECONDS)
        lock.truncate(0)
        lock.write(holder)
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
