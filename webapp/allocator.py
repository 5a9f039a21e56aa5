"""One setting of the C library that Python does not offer."""

import ctypes
from contextlib import suppress

_MMAP_THRESHOLD = -3


def return_large_blocks() -> None:
    """Have every freed block of a megabyte returned to the system at once, where glibc is used.

    By default glibc keeps blocks up to 32 MB once it has seen one that large, so that a process
    that was once busy with uploads would never be small again. See mallopt(3), M_MMAP_THRESHOLD.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1_000_000)
