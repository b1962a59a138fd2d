"""What training a `Seq2Seq` needs and Keras lacks."""

from kattention.training.accuracy import TokenAccuracy
from kattention.training.adam import FusedAdam
from kattention.training.budget import Budget
from kattention.training.lean import LeanCrossentropy
from kattention.training.losses import GuidedAlignment, TokenCrossentropy
from kattention.training.sampling import ScheduledSampling

__all__ = [
    "Budget",
    "FusedAdam",
    "GuidedAlignment",
    "LeanCrossentropy",
    "ScheduledSampling",
    "TokenAccuracy",
    "TokenCrossentropy",
]
