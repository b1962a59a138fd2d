"""Loops over recurrent cells: a layer, and what compiled loops are made of."""

from kattention.recurrent.rnn import FastRNN

__all__ = ["FastRNN"]
