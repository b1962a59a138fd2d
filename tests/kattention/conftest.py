"""Which tests are collected where TensorFlow is not installed."""

import importlib.util


def pytest_ignore_collect(collection_path):
    # The others import TensorFlow as soon as they are collected.
    if collection_path.suffix != ".py" or importlib.util.find_spec("tensorflow"):
        return None
    return "mark.any_backend" not in collection_path.read_text() or None
