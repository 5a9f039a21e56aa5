"""Settings of the C library that Python does not offer."""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8


def return_large_blocks() -> None:
    """Have freed blocks of four megabytes returned to the system at once, where glibc is used.

    By default glibc keeps blocks up to 32 MB once it has seen one that large, so that a process
    that was once busy with uploads would never be small again. It also keeps what is free apart for
    groups of threads, of which there are many here. Smaller blocks it would give back too soon,
    from 128 kB at the end of the heap on: each photo would then wait for its pages to be cleared
    again. See mallopt(3) and, for the numbers of the settings, glibc's malloc.h.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 4_000_000)
        library.mallopt(_TRIM_THRESHOLD, 2_000_000)
        library.mallopt(_TOP_PAD, 1_000_000)
        library.mallopt(_ARENA_MAX, 2)
