"""Losses, metrics, an optimizer and callbacks that Keras lacks."""

from kattention.training.accuracy import TokenAccuracy
from kattention.training.adam import FusedAdam
from kattention.training.budget import Budget
from kattention.training.losses import GuidedAlignment, TokenCrossentropy
from kattention.training.sampling import ScheduledSampling

__all__ = [
    "Budget",
    "FusedAdam",
    "GuidedAlignment",
    "ScheduledSampling",
    "TokenAccuracy",
    "TokenCrossentropy",
]
