"""Reads files that other users may have written: regular ones, of a bounded size.

A FIFO would block its reader, and a device such as `/dev/zero` never ends. A symbolic link is
followed only if its target is below the link's own folder, since Kubernetes mounts a ConfigMap that
way (`models.config` leads to `..data/models.config`); all other links are refused.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 2**20
"""The default limit, far more than any configuration file needs."""


class UnfitFile(ValueError):
    """A file is of another kind or size than expected."""


def read_text(file: Path, most: int = MOST_BYTES) -> str:
    """Reads a file of UTF-8 text.

    Raises:
        OSError: the file cannot be read; if permission is missing, the message names its owner.
        UnfitFile: the file is not a regular file of at most `most` bytes.
        UnicodeDecodeError: the file is not UTF-8.
    """
    return read_bytes(file, most).decode("utf-8")


def read_bytes(file: Path, most: int = MOST_BYTES) -> bytes:
    """Reads a file; see `read_text`."""
    descriptor = _open_below(file)
    try:
        require_regular(file, descriptor)
        with os.fdopen(descriptor, "rb", closefd=False) as content:
            found = content.read(most + 1)
    finally:
        os.close(descriptor)
    if len(found) > most:
        raise UnfitFile(f"Expected {file} to have at most {most} bytes. Received more.")
    return found


def require_regular(file: Path, descriptor: int) -> None:
    """Checks the open file itself, which a later rename of its path cannot change.

    Raises:
        UnfitFile: the file is a FIFO, a device, a folder or a socket.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise UnfitFile(f"Expected {file} to be a regular file. Received another kind of file.")


def regular_below(folder: Path) -> list[Path]:
    """Returns all files below a folder, in no particular order.

    Raises:
        OSError: a folder cannot be read.
        UnfitFile: names a link, which may lead anywhere, or a pipe or device, which may never end.
    """
    found = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for path in (Path(parent, name) for name in [*folders, *names]):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "no file and no folder"
                raise UnfitFile(f"A version consists of files and folders. {path} is {kind}.")
        found += [Path(parent, name) for name in names]
    return found


def _raise(error: OSError) -> None:
    raise error


def owner_of(path: Path) -> str:
    """Returns the user and group, `1000:1000`, of a path or its innermost accessible folder."""
    for place in (path, *path.absolute().parents):
        with suppress(OSError):
            found = place.stat()
            return f"{found.st_uid}:{found.st_gid}"
    return "somebody"


def _open_below(file: Path) -> int:
    """Opens a file for reading, without waiting for a writer (a FIFO would wait)."""
    folder, target = os.path.realpath(file.parent), os.path.realpath(file)
    if os.path.commonpath([folder, target]) != folder:
        raise UnfitFile(f"Expected {file} to be a regular file. Received a link to {target}.")
    try:
        return os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        owner, asker = owner_of(Path(target)), f"{os.geteuid()}:{os.getegid()}"
        reason = f"{error.strerror}: it belongs to {owner}, and this process runs as {asker}. "
        reason += "`chmod -R go+rX` on its folder lets others read"
        raise PermissionError(error.errno, reason, str(file)) from error


def printable(text: str) -> str:
    r"""Returns a text as a terminal may show it: names and messages of others may command it.

    Characters that are not printable, such as the escape of a sequence that rewrites lines or sets
    the clipboard, become `\x1b`; line breaks and tabs stay.
    """
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode()
        for character in text
    )
