"""Strings to ids and back, the same in Python and in the graph."""

from kattention.text.tokenizer import SubwordTokenizer

__all__ = ["SubwordTokenizer"]


def __dir__():
    return __all__
