"""Settings of the C library that Python does not offer."""

import ctypes
from contextlib import suppress

_MMAP_THRESHOLD = -3
_ARENA_MAX = -8


def return_large_blocks() -> None:
    """Have every freed block of a megabyte returned to the system at once, where glibc is used.

    By default glibc keeps blocks up to 32 MB once it has seen one that large, so that a process
    that was once busy with uploads would never be small again. It also keeps what is free apart for
    groups of threads, of which there are many here. See mallopt(3), M_MMAP_THRESHOLD, M_ARENA_MAX.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 1_000_000)
        library.mallopt(_ARENA_MAX, 2)
