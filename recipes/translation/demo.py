"""The whole chain on the embedded corpus: `python -m recipes.translation.demo`."""

import os
import time

from ..quiet import start_tensorflow

if __name__ == "__main__":
    began = time.monotonic()
    # The products are too small to share between threads.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    start_tensorflow()
    from .showcase import show

    show()
    print(f"\n{time.monotonic() - began:.0f} seconds")
