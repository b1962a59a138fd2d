"""The C library's allocator, set for training."""

import ctypes
import sys

# From glibc's malloc.h, and the largest threshold that it takes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST_THRESHOLD = 32 * 2**20


def keep_freed_memory():
    """Keeps the memory that a training step frees, for the next step.

    glibc returns large freed blocks to the system, which clears every page when
    they are requested again. Does nothing without glibc.
    """
    mallopt = sys.platform == "linux" and getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        # With a heap for each thread, none could use what others have freed.
        mallopt(M_ARENA_MAX, 1)
