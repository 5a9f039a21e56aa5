"""Crash-safe files: after a crash a file has its old or its new content, never half of it."""

from __future__ import annotations

import fcntl
import io
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
_POLL_SECONDS = 0.1
_MOST_LINES_BYTES = 2**23
_MOST_LINE = 2**16
_MOST_HOLDER_BYTES = 500
_DRAFT = ".draft"


def write_atomically(file: Path, text: str, drafts: Path | None = None) -> None:
    """Replaces a file: writes and syncs a draft next to it, renames the draft, syncs the folder.

    A link or FIFO with the file's name is replaced itself. The draft is a new file with a random
    name. The file's mode lets the model server, in a container another user, read the file.
    `drafts` is another folder for the draft, on the same file system.
    """
    descriptor, draft = tempfile.mkstemp(_DRAFT, f".{file.name}.", drafts or file.parent)
    try:
        with _naming(file), os.fdopen(descriptor, "w", encoding="utf-8") as out:
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
    """Removes the drafts of a file's writers that were killed before they renamed the draft.

    The caller makes sure that no other process is writing the file.
    """
    for draft in file.parent.glob(f".{file.name}.*{_DRAFT}"):
        # A folder is no draft.
        with suppress(IsADirectoryError, PermissionError):
            draft.unlink()


def append(file: Path, line: dict[str, Any]) -> None:
    """Adds a line of JSON in one write, so that lines of two writers never mix.

    If a crash has left half a line, the new line begins below it.

    Raises:
        Refused: the file is a link, has a second name, or is no regular file.
    """
    descriptor = _open_own(file, os.O_RDWR | os.O_APPEND)
    try:
        with _naming(file):
            size = os.fstat(descriptor).st_size
            whole = not size or os.pread(descriptor, 1, size - 1) == b"\n"
            os.write(descriptor, (("" if whole else "\n") + json.dumps(line) + "\n").encode())
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yields the JSON objects of a file, one from each line; skips lines cut off by a crash.

    Skips lines of more than 64 KiB too, which no command writes, and which could take much memory.

    Raises:
        Refused: the file is no regular file, or too large.
    """
    try:
        text = files.read_bytes(file, _MOST_LINES_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return
    except files.UnfitFile as error:
        advice = "Remove its oldest lines; the newest ones have the highest version number."
        raise Refused(f"{error} {advice}") from error
    for line in io.StringIO(text):
        if len(line) > _MOST_LINE:
            continue
        with suppress(ValueError, RecursionError):
            document = json.loads(line)
            if isinstance(document, dict):
                yield document


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Adds the file's name to the error of a call that knows only its descriptor."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(file)
        raise


def _open_own(file: Path, flags: int) -> int:
    """Opens or creates a file for writing, and makes sure that no other file can be changed.

    Raises:
        Refused: the file is a link, has a second name, or is no regular file.
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
    """Holds a lock file; the system frees the lock when the process ends, however it ends.

    Args:
        file: the lock.
        holder: the user and the command, shown to others that want the lock.
        patience: seconds to wait for another holder.

    Raises:
        Refused: another process held the lock all that time, or the file is a link, has a second
            name, or is no regular file.
    """
    with os.fdopen(_open_own(file, os.O_RDWR | os.O_APPEND), "r+b", buffering=0) as lock:
        deadline = time.monotonic() + patience
        while not _taken(lock.fileno()):
            if time.monotonic() >= deadline:
                raise Refused(f"Another rollout is under way: {_holder(lock.fileno())}.")
            time.sleep(_POLL_SECONDS)
        with _naming(file):
            lock.truncate(0)
            lock.write(holder.encode())
        try:
            yield
        finally:
            lock.truncate(0)


def _holder(descriptor: int) -> str:
    """Returns the holder's text in the lock file, without control characters."""
    text = os.pread(descriptor, _MOST_HOLDER_BYTES, 0).decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable())


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
