"""Attention for recurrent Keras models."""

import importlib
from typing import TYPE_CHECKING

from kattention import training
from kattention._version import __version__
from kattention.attention import (
    AttentionMechanism,
    AttentionPooling,
    BahdanauAttention,
    FixedContext,
    LocationSensitiveAttention,
    LuongAttention,
)
from kattention.compiled import FastRNN
from kattention.decoder import AttentionDecoder, AttentionRNN
from kattention.ensemble import Ensemble
from kattention.seq2seq import Seq2Seq

if TYPE_CHECKING:
    from kattention.translator import Translator

# Loaded on first use, with the extra to install: they need more than keras and
# one backend.
_EXTRAS = {
    "Translator": "translation",
    "plotting": "translation",
    "search": "tensorflow",
    "serving": "translation",
    "text": "translation",
    "translator": "translation",
}

__all__ = [
    "AttentionDecoder",
    "AttentionMechanism",
    "AttentionPooling",
    "AttentionRNN",
    "BahdanauAttention",
    "Ensemble",
    "FastRNN",
    "FixedContext",
    "LocationSensitiveAttention",
    "LuongAttention",
    "Seq2Seq",
    "Translator",
    "__version__",
    "plotting",
    "search",
    "serving",
    "text",
    "training",
]


def __dir__():
    return __all__


def __getattr__(name):
    if name not in _EXTRAS:
        raise AttributeError(f"module 'kattention' has no attribute {name!r}")
    try:
        module = importlib.import_module(f"kattention.{name.lower()}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "kattention":
            raise
        raise ModuleNotFoundError(
            f"kattention.{name} needs {error.name}: "
            f"pip install 'kattention[{_EXTRAS[name]}]'",
            name=error.name,
        ) from error
    return module.Translator if name == "Translator" else module
