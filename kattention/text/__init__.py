"""Strings to ids and back, the same in Python and in the graph."""

from kattention.text.tokenizer import SubwordTokenizer

__all__ = ["SubwordTokenizer"]
