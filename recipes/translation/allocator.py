"""The C library's allocator, set for training."""

import ctypes
import sys

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory():
    """Keeps the memory that a training step frees, for the next step.

    glibc returns large blocks to the system when they are freed, and the
    system clears every page of them when they are asked for again. Does
    nothing where there is no glibc.
    """
    mallopt = sys.platform == "linux" and getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
