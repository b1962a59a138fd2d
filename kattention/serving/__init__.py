"""From strings to strings in one graph, and that graph as a SavedModel."""

from kattention.serving.check import check
from kattention.serving.export import export
from kattention.serving.pipeline import BeamOptions, Pipeline

__all__ = ["BeamOptions", "Pipeline", "check", "export"]


def __dir__():
    return __all__
