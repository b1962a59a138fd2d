"""Attention for recurrent Keras models."""

from importlib import import_module

from kattention import training
from kattention._version import __version__
from kattention.attention import BahdanauAttention, FixedContext
from kattention.decoder import AttentionDecoder, AttentionRNN
from kattention.ensemble import Ensemble
from kattention.recurrent import FastRNN
from kattention.seq2seq import Seq2Seq

__all__ = [
    "AttentionDecoder",
    "AttentionRNN",
    "BahdanauAttention",
    "Ensemble",
    "FastRNN",
    "FixedContext",
    "Seq2Seq",
    "__version__",
    "training",
]

# Loaded on first use: they need more than keras and one backend.
_EXTRAS = {
    "plotting": "translation",
    "search": "tensorflow",
    "serving": "translation",
    "text": "translation",
    "translator": "translation",
}


def __getattr__(name):
    if name == "Translator":
        return _load("translator").Translator
    if name in _EXTRAS:
        return _load(name)
    raise AttributeError(f"module 'kattention' has no attribute {name!r}")


def _load(name):
    try:
        return import_module(f"kattention.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "kattention":
            raise
        raise ModuleNotFoundError(
            f"kattention.{name} needs {error.name}: "
            f"pip install 'kattention[{_EXTRAS[name]}]'",
            name=error.name,
        ) from error
