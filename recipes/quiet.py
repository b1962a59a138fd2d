"""TensorFlow without what it prints while it starts."""

import os
import re
import sys
import tempfile

# Notes about processors and GPUs, which come before any log level is read.
_NOTES = re.compile(
    rb"before absl::InitializeLog|cudart_stub|cuda_platform|failed call to cuInit"
)


def start_tensorflow():
    """Imports TensorFlow and lets it look for devices; passes on all but its notes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        stderr = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_logical_devices()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            os.write(2, b"".join(line for line in caught if not _NOTES.search(line)))
