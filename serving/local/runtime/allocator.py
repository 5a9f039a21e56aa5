"""The process's allocator of memory: mimalloc in place of the C library's, which is slower.

For each answer TensorFlow takes and frees hundreds of blocks, of some bytes up to megabytes. The C
library searches and merges them, and gives out others than those still in the processor's cache.
Neither hands freed memory back to the system by itself.
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
    # Each thread has pages of its own, and gRPC has dozens: huge ones would take 150 MB more.
    "MIMALLOC_ALLOW_THP": "0",
    # Milliseconds, an hour: by itself it would give free pages back after one second, and the next
    # photo would wait 3 ms for others. `return_freed` does not wait.
    "MIMALLOC_PURGE_DELAY": "3600000",
}


def preload() -> None:
    """Starts this program anew with the allocator, which has to be there before all (ld.so(8)).

    Call it first, where a program begins. Nothing happens where the user has set `LD_PRELOAD`, be
    it to nothing, and where the library is not installed, as on anything but Linux, or not usable.
    """
    found = None if _PRELOAD in os.environ else library()
    if found is None:
        return
    environment = _OPTIONS | os.environ | {_PRELOAD: found}
    # Where that is not allowed, the C library's allocator does.
    with suppress(OSError):
        os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606


def library() -> str | None:
    """The allocator's file, where it is installed and usable."""
    try:
        file = str(metadata.distribution(_PACKAGE).locate_file(_LIBRARY))
    except metadata.PackageNotFoundError:
        return None
    return file if can_be_preloaded(file) else None


def can_be_preloaded(file: str) -> bool:
    """Whether `LD_PRELOAD` can name a file, since blanks and colons would part it in two.

    It must load with all that it needs: without libatomic, which slim images lack, nothing starts.
    """
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return not {" ", ":"} & set(file)


def share_arenas() -> None:
    """Has all threads share two pools of the C library's; by default each few have their own.

    Where it allocates, see glibc's mallopt(3); mimalloc does not hear of it. TensorFlow starts
    threads of several kinds and gRPC dozens. Called before they are.
    """
    _call("mallopt", _ARENA_MAX, 2)


def return_freed() -> None:
    """Hands all memory that is free back to the system.

    A version's file and the largest batch of its warm-up leave some 300 MB behind.
    """
    gc.collect()
    # mimalloc's, or the C library's.
    if not _call("mi_collect", 1):
        _call("malloc_trim", 0)


def _call(function: str, *arguments: int) -> bool:
    """Calls a function of the process's allocator; says whether it has one of that name."""
    with suppress(OSError, AttributeError):
        getattr(ctypes.CDLL(None), function)(*arguments)
        return True
    return False
