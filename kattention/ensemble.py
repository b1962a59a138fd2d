"""Several models as one."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras
from keras import ops

from kattention.saving import revive
from kattention.types import Config, Nest, Tensor


@keras.saving.register_keras_serializable(package="kattention")
class Ensemble(keras.Model):
    """The mean of several models' probabilities, token by token.

        p(token) = mean over m of p_m(token)

    It has `encode` and `step`, so it can be searched, scored, exported and held
    by a `Translator` like one model. Its alignment is the mean of the models'
    alignments.

    Args:
        models: Models with `encode` and `step`, as `Seq2Seq` has, of one
            source and one target vocabulary.

    Call arguments:
        inputs: `[source_ids (B, S), target_ids (B, T)]`, integers.

    Returns:
        Log-probabilities `(B, T, V)`.

    Raises:
        ValueError: `models` is empty, or a model lacks `encode` or `step`.

    Example:

        ensemble = kattention.Ensemble([first, second, third])
        translator = kattention.Translator(ensemble, source, target)

    Source: Sutskever, Vinyals and Le, "Sequence to Sequence Learning with
    Neural Networks" (2014), section 3.6.
    """

    def __init__(self, models: Iterable[keras.Model], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        models = list(models)
        if not models:
            raise ValueError("models must hold at least one model, got none")
        for model in models:
            if not (hasattr(model, "encode") and hasattr(model, "step")):
                raise ValueError(
                    "models must have encode and step, as Seq2Seq has, got "
                    f"{type(model).__name__}"
                )
        self.models = models
        self.built = True  # its models are

    def call(self, inputs: Sequence[Tensor], training: bool | None = None) -> Tensor:
        returned = [model(inputs, training=training) for model in self.models]
        # Some models return their alignments too.
        logits = [r[0] if isinstance(r, (list, tuple)) else r for r in returned]
        return _mean(logits)

    def encode(self, source_ids: Tensor) -> tuple[list[Nest], list[Nest]]:
        """Returns `(memories, states)`, lists of each model's own."""
        pairs = [model.encode(source_ids) for model in self.models]
        memories, states = zip(*pairs)
        return list(memories), list(states)

    def step(
        self, tokens: Tensor, state: list[Nest], memory: list[Nest]
    ) -> tuple[Tensor, list[Nest], Tensor | None]:
        """Steps all models: see `Seq2Seq.step`.

        Returns:
            `(log-probabilities (N, V), states, alignment (N, S))`; the
            alignment is the mean of those models that align.
        """
        logits, states, alignments = zip(
            *(
                model.step(tokens, own, read)
                for model, own, read in zip(self.models, state, memory)
            )
        )
        alignments = [part for part in alignments if part is not None]
        alignment = ops.mean(ops.stack(alignments), axis=0) if alignments else None
        return _mean(logits), list(states), alignment

    def get_config(self) -> Config:
        models = keras.saving.serialize_keras_object(self.models)
        return {**super().get_config(), "models": models}

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: dict[str, Any] | None = None
    ) -> Self:
        return cls(**revive(config, custom_objects))


def _mean(logits):
    """The logarithm of the mean of probabilities."""
    sizes = {own.shape[-1] for own in logits}
    if len(sizes) > 1:
        raise ValueError(f"models must share one vocabulary, got sizes {sorted(sizes)}")
    scores = [ops.log_softmax(ops.cast(own, "float32")) for own in logits]
    return ops.logsumexp(ops.stack(scores), axis=0) - math.log(len(scores))
