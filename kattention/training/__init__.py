"""Losses, metrics and callbacks that Keras lacks."""

from kattention.training.accuracy import TokenAccuracy
from kattention.training.budget import Budget
from kattention.training.losses import GuidedAlignment, TokenCrossentropy
from kattention.training.sampling import ScheduledSampling

__all__ = [
    "Budget",
    "GuidedAlignment",
    "ScheduledSampling",
    "TokenAccuracy",
    "TokenCrossentropy",
]


def __dir__():
    return __all__
