"""Decoders with attention: one step, and the loop over a sequence."""

from kattention.decoder.cell import AttentionDecoder
from kattention.decoder.rnn import AttentionRNN

__all__ = ["AttentionDecoder", "AttentionRNN"]
