"""The process's memory allocator: mimalloc in place of the C library's, which is slower.

For each answer TensorFlow allocates and frees hundreds of blocks, of a few bytes up to megabytes.
The C library searches and merges free blocks, and hands out blocks that are no longer in the
processor's cache. Freed memory goes back to the system only in `return_freed`: see `_OPTIONS`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress
from importlib import metadata

_PRELOAD = "LD_PRELOAD"
_PACKAGE = "cmeel-mimalloc"
_LIBRARY = "cmeel.prefix/lib/libmimalloc.so"
_ARENA_MAX = -8
_OPTIONS = {
    # Each thread has its own pages, and gRPC has dozens of threads: huge pages take 150 MB more.
    "MIMALLOC_ALLOW_THP": "0",
    # An hour in milliseconds: by default mimalloc returns free pages after one second, and the next
    # photo would wait 3 ms for new pages. `return_freed` returns them immediately.
    "MIMALLOC_PURGE_DELAY": "3600000",
}


def preload() -> None:
    """Restarts this program with the allocator, which must be loaded before all else (ld.so(8)).

    Call this function first in a program. It does nothing if `LD_PRELOAD` is set, even to nothing,
    or if the library is not installed, as on all systems but Linux, or not usable.
    """
    found = None if _PRELOAD in os.environ else library()
    if found is None:
        return
    environment = _OPTIONS | os.environ | {_PRELOAD: found}
    # If the restart is not allowed, the C library's allocator stays.
    with suppress(OSError):
        os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606


def library() -> str | None:
    """Returns the allocator's file, or None if it is not installed or not usable."""
    try:
        file = str(metadata.distribution(_PACKAGE).locate_file(_LIBRARY))
    except metadata.PackageNotFoundError:
        return None
    return file if can_be_preloaded(file) else None


def can_be_preloaded(file: str) -> bool:
    """Returns whether `LD_PRELOAD` can name a file: blanks and colons would split the name.

    The file's dependencies must exist: without libatomic, which slim images lack, nothing starts.
    """
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return not {" ", ":"} & set(file)


def share_arenas() -> None:
    """Makes all threads share two arenas of the C library; by default every few threads have one.

    See glibc's mallopt(3); mimalloc is not affected. Call this function before TensorFlow and gRPC
    start their dozens of threads.
    """
    _call("mallopt", _ARENA_MAX, 2)


def return_freed() -> None:
    """Returns free memory to the system: some 300 MB after a version is read and warmed up."""
    gc.collect()
    # The function of mimalloc, or else that of the C library.
    if not _call("mi_collect", 1):
        _call("malloc_trim", 0)


def _call(function: str, *arguments: int) -> bool:
    """Calls a function of the process's allocator; returns whether the function exists."""
    with suppress(OSError, AttributeError):
        getattr(ctypes.CDLL(None), function)(*arguments)
        return True
    return False
