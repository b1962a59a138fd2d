"""Loops over recurrent cells, compiled: TensorFlow only, chosen in one place."""

from kattention.compiled.rnn import FastRNN

__all__ = ["FastRNN"]
