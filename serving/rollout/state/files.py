"""Files that a crash leaves whole: the old content or the new one, never half of it."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from serving import files
from serving.rollout.errors import Refused

_READABLE = 0o644
_LOOK_SECONDS = 0.1
_MOST_LINES_BYTES = 2**26
_MOST_HOLDER_BYTES = 500


def write_atomically(file: Path, text: str, drafts: Path | None = None) -> None:
    """Replaces a file: written beside it, on disk before it gets the name, then the name on disk.

    Whatever had the name, be it a link or a FIFO, is replaced itself. The draft is a new file under
    a name that nobody can foresee. The mode lets the model server read the file, which in a
    container is another user. `drafts` is another folder of the file system to write it in.
    """
    descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=drafts or file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            os.fchmod(descriptor, _READABLE)
            out.write(text)
            out.flush()
            os.fsync(descriptor)
        os.replace(draft, file)
    except BaseException:
        os.unlink(draft)
        raise
    sync(file.parent)


def remove_drafts(file: Path) -> None:
    """Removes what writers of a file left that were killed before the last step.

    The caller makes sure that no other process is writing it.
    """
    for draft in file.parent.glob(f".{file.name}.*"):
        # A folder is no draft.
        with suppress(IsADirectoryError, PermissionError):
            draft.unlink()


def append(file: Path, line: dict[str, Any]) -> None:
    """Adds a line of JSON in one write, so that lines of two writers never mix.

    Where a crash has left half a line, it begins on a new one.

    Raises:
        Refused: the file is a link, or of another kind.
    """
    descriptor = _open_own(file, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        whole = not size or os.pread(descriptor, 1, size - 1) == b"\n"
        os.write(descriptor, (("" if whole else "\n") + json.dumps(line) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of JSON of a file; what a crash cut off in the middle is left out.

    Raises:
        Refused: the file is of another kind, or too large.
    """
    try:
        text = files.read_bytes(file, _MOST_LINES_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return
    except files.UnfitFile as error:
        raise Refused(f"{error} Move it away; a new one is begun.") from error
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            document = json.loads(line)
            if isinstance(document, dict):
                yield document


def _open_own(file: Path, flags: int) -> int:
    """Opens or creates a file to write into, so that nothing but this file can change.

    Raises:
        Refused: it is a link, has a second name, or is of another kind.
    """
    safe = os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if file.is_symlink():
        raise Refused(f"Expected {file} to be a regular file. Received a link: remove it.")
    descriptor = os.open(file, flags | safe, _READABLE)
    try:
        files.require_regular(file, descriptor)
        if os.fstat(descriptor).st_nlink > 1:
            raise Refused(f"Expected {file} to have one name. Received another one's: remove it.")
    except (Refused, files.UnfitFile) as error:
        os.close(descriptor)
        raise Refused(str(error)) from error
    return descriptor


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
        holder: the user and the command, shown to others that want the lock.
        patience: seconds to wait for somebody else.

    Raises:
        Refused: it was held by somebody else all that time, or the file is a link or of another
            kind.
    """
    with os.fdopen(_open_own(file, os.O_RDWR | os.O_APPEND), "r+b", buffering=0) as lock:
        deadline = time.monotonic() + patience
        while not _taken(lock.fileno()):
            if time.monotonic() >= deadline:
                raise Refused(f"Another rollout is under way: {_holder(lock.fileno())}.")
            time.sleep(_LOOK_SECONDS)
        lock.truncate(0)
        lock.write(holder.encode())
        try:
            yield
        finally:
            lock.truncate(0)


def _holder(descriptor: int) -> str:
    """What the holder wrote into the lock, without what a terminal would obey."""
    text = os.pread(descriptor, _MOST_HOLDER_BYTES, 0).decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable())


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
