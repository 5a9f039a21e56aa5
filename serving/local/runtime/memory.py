"""Hands freed memory back to the system, which an allocator does not do by itself."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_ARENA_MAX = -8


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
