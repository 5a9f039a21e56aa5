"""Memory that an allocator keeps for itself unless it is told to let go."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

from serving.local import allocator

_ARENA_MAX = -8


def share_arenas() -> None:
    """Has all threads share two pools of the C library's; by default each few have their own.

    Where it allocates, see glibc's mallopt(3); mimalloc does not hear of it. TensorFlow starts
    threads of several kinds and gRPC dozens. Called before they are.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def return_freed() -> None:
    """Hands back to the system what nobody uses.

    A version's file and the largest batch of its warm-up leave some 300 MB behind.
    """
    gc.collect()
    if not allocator.return_freed():
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
