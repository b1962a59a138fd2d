"""Training on the model's own predictions."""

from collections.abc import Sequence
from typing import Any, Self

import keras
from keras import ops

from kattention.drawing import draw
from kattention.ids import END, PADDING
from kattention.saving import revive
from kattention.types import Config, Tensor


@keras.saving.register_keras_serializable(package="kattention")
class ScheduledSampling(keras.Model):
    """Trains a model on sequences into which its own predictions are mixed.

    In training, each target token but the first is replaced with probability
    `share` by a token that is drawn from the model, given the tokens before it
    as they were mixed. Padding and the end token are never drawn, so a sequence
    keeps its length. The drawn tokens have no gradient, and are drawn without a
    `Seq2Seq`'s dropout. Apart from that it behaves as the model, whose weights
    it trains.

    Args:
        model: A model with `encode` and `step`, as `Seq2Seq` has, which take
            `training`.
        share: Where `share` begins. It is a variable, for a callback to raise.

    Call arguments:
        inputs: `[source_ids (B, S), target_ids (B, T)]`, integers.
        training: Whether to mix.

    Returns:
        What the model returns.

    Raises:
        ValueError: `share` is not in [0, 1], or the backend is JAX, where no
            gradient passes by a loop of unknown length.

    Example:

        trained = kattention.training.ScheduledSampling(model, share=0.1)
        trained.compile("adam", kattention.training.TokenCrossentropy())
        trained.fit(batches)
        model.save("model.keras")

    Source: Bengio et al., "Scheduled Sampling for Sequence Prediction with
    Recurrent Neural Networks" (2015), section 2.4.
    """

    def __init__(self, model: keras.Model, share: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if keras.backend.backend() == "jax":
            raise ValueError(
                "ScheduledSampling draws in a loop, which the jax backend cannot "
                "train: use tensorflow or torch"
            )
        if not 0 <= share <= 1:
            raise ValueError(f"share must be in [0, 1], got {share!r}")
        self.model = model
        self.built = True  # its model is
        self.share = self.add_weight(
            name="share",
            shape=(),
            trainable=False,
            initializer=keras.initializers.Constant(share),
        )
        self.seed_generator = keras.random.SeedGenerator()

    def call(
        self, inputs: Sequence[Tensor], training: bool | None = None
    ) -> Tensor | list[Tensor]:
        source, target = inputs
        if training:
            target = self.mix(source, target)
        return self.model([source, target], training=training)

    def mix(self, source_ids: Tensor, target_ids: Tensor) -> Tensor:
        """Target ids `(B, T)` with drawn tokens among them."""
        shape = ops.shape(target_ids)
        uniform = keras.random.uniform((2, *shape), seed=self.seed_generator)
        drawn = uniform[0] < ops.cast(self.share, uniform.dtype)
        replaced = ops.logical_and(drawn, ops.logical_not(_is_no_token(target_ids)))
        places = ops.arange(shape[1])
        memory, state = self.model.encode(source_ids, training=False)

        def unfinished(time, mixed, state):
            return time < shape[1]

        def advance(time, mixed, state):
            # What was mixed at the step before is what the model reads here.
            tokens = ops.take(mixed, time - 1, axis=1)
            logits, state, _ = self.model.step(tokens, state, memory, training=False)
            forbidden = _is_no_token(ops.arange(logits.shape[-1]))
            logits = ops.where(forbidden, -1e9, ops.cast(logits, "float32"))
            draws = draw(logits, ops.take(uniform[1], time, axis=1))
            here = ops.logical_and(replaced, ops.expand_dims(places == time, 0))
            draws = ops.cast(ops.expand_dims(draws, 1), mixed.dtype)
            return time + 1, ops.where(here, draws, mixed), state

        _, mixed, _ = ops.while_loop(unfinished, advance, (1, target_ids, state))
        return ops.stop_gradient(mixed)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "share": float(self.share),
        }

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: dict[str, Any] | None = None
    ) -> Self:
        return cls(**revive(config, custom_objects))


def _is_no_token(ids):
    """Where ids are padding or the end token: such are neither drawn nor replaced."""
    return ops.logical_or(ops.equal(ids, PADDING), ops.equal(ids, END))
