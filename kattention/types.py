"""The types that public signatures name."""

from collections.abc import Callable
from os import PathLike
from typing import Any, Protocol

import keras

# A tensor of the backend, or what becomes one, such as a NumPy array or a list;
# a `keras.KerasTensor` in a functional model.
Tensor = Any
# Tensors in any nest of lists, tuples and dicts.
Nest = Any
Shape = tuple[int | None, ...]
# What `AttentionMechanism.prepare` returns.
Memory = dict[str, Any]
# The tensors that a mechanism carries from step to step.
State = tuple[Tensor, ...]

Initializer = str | dict[str, Any] | keras.initializers.Initializer
Regularizer = str | dict[str, Any] | keras.regularizers.Regularizer | None
Config = dict[str, Any]
FilePath = str | PathLike[str]

# What a search calls: (tokens, state) -> (logits, state, alignment).
StepFunction = Callable[[Tensor, Nest], tuple[Tensor, Nest, Tensor | None]]


class Searchable(Protocol):
    """A model that can be searched: `Seq2Seq`, `Ensemble`, or one of your own."""

    def encode(self, source_ids: Tensor) -> tuple[Nest, Nest]:
        """Reads the source `(B, S)` once: returns `(memory, state)`."""

    def step(
        self, tokens: Tensor, state: Nest, memory: Nest
    ) -> tuple[Tensor, Nest, Tensor | None]:
        """Returns `(logits (N, V), state, alignment (N, S) or None)`."""
