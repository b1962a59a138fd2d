"""Attention mechanisms: what turns a query and a memory into a context."""

from kattention.attention.bahdanau import BahdanauAttention
from kattention.attention.base import AttentionMechanism
from kattention.attention.fixed import FixedContext
from kattention.attention.location import LocationSensitiveAttention
from kattention.attention.luong import LuongAttention
from kattention.attention.pooling import AttentionPooling

__all__ = [
    "AttentionMechanism",
    "AttentionPooling",
    "BahdanauAttention",
    "FixedContext",
    "LocationSensitiveAttention",
    "LuongAttention",
]
