"""Settings of the C library's memory allocator that Python does not expose."""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8


def return_large_blocks() -> None:
    """Make glibc, if it is used, return freed blocks of 4 MB or more to the system immediately.

    By default glibc keeps freed blocks of up to 32 MB once it has seen one that large, so a process
    that was once busy with uploads would never shrink again. It also keeps free memory in separate
    arenas for groups of threads, of which there are many here. Smaller blocks it would return too
    early, from 128 kB at the end of the heap: each photo would then wait for the system to clear
    its pages again. See mallopt(3) and, for the numbers of the settings, glibc's malloc.h.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 4_000_000)
        library.mallopt(_TRIM_THRESHOLD, 2_000_000)
        library.mallopt(_TOP_PAD, 1_000_000)
        library.mallopt(_ARENA_MAX, 2)
