"""Attributes that have another value for a while."""

import contextlib


@contextlib.contextmanager
def temporarily(objects, name, value):
    """Sets an attribute of each object, and restores it afterwards."""
    before = [getattr(one, name) for one in objects]
    for one in objects:
        setattr(one, name, value)
    try:
        yield
    finally:
        for one, own in zip(objects, before, strict=True):
            setattr(one, name, own)
