"""Training on what the model says itself."""

import keras
from keras import ops

from kattention.packing import PADDING
from kattention.training.around import Around


@keras.saving.register_keras_serializable(package="kattention")
class ScheduledSampling(Around):
    """Trains a model on sequences into which its own predictions are mixed.

    In training, each target token but the first is replaced with probability
    `share` by one that is drawn from the model, given the tokens before it as
    they were mixed. Padding is never drawn, so a sequence keeps its length. The
    drawn tokens have no gradient, and are drawn without a `Seq2Seq`'s dropout.
    Otherwise it is the model, whose weights it trains.

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

    def __init__(self, model, share=0.0, **kwargs):
        super().__init__(model, **kwargs)
        if keras.backend.backend() == "jax":
            raise ValueError(
                "ScheduledSampling draws in a loop, which the jax backend cannot "
                "train: use tensorflow or torch"
            )
        if not 0 <= share <= 1:
            raise ValueError(f"share must be in [0, 1], got {share!r}")
        self.share = self.add_weight(
            name="share",
            shape=(),
            trainable=False,
            initializer=keras.initializers.Constant(share),
        )
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs, training=None):
        return self.model(self._mixed(inputs, training), training=training)

    def features(self, inputs, training=None):
        """As `Seq2Seq.features`, of what was mixed."""
        return self.model.features(self._mixed(inputs, training), training=training)

    @property
    def projection(self):
        """As `Seq2Seq.projection`."""
        return self.model.projection

    def project(self, features):
        """As `Seq2Seq.project`."""
        return self.model.project(features)

    def _mixed(self, inputs, training):
        source, target = inputs
        return [source, self.mix(source, target) if training else target]

    def mix(self, source_ids, target_ids):
        """Target ids `(B, T)` with drawn tokens among them."""
        shape = ops.shape(target_ids)
        uniform = keras.random.uniform((2, *shape), seed=self.seed_generator)
        replaced = ops.logical_and(
            uniform[0] < self.share, ops.not_equal(target_ids, PADDING)
        )
        places = ops.arange(shape[1])
        memory, state = self.model.encode(source_ids, training=False)

        def unfinished(time, mixed, state):
            return time < shape[1]

        def advance(time, mixed, state):
            # What was mixed at the step before is what the model reads here.
            tokens = ops.take(mixed, time - 1, axis=1)
            logits, state, _ = self.model.step(tokens, state, memory, training=False)
            draws = _draw(logits, ops.take(uniform[1], time, axis=1))
            here = ops.logical_and(replaced, ops.expand_dims(places == time, 0))
            draws = ops.cast(ops.expand_dims(draws, 1), mixed.dtype)
            return time + 1, ops.where(here, draws, mixed), state

        _, mixed, _ = ops.while_loop(unfinished, advance, (1, target_ids, state))
        return ops.stop_gradient(mixed)

    def get_config(self):
        return {
            **super().get_config(),
            "share": float(self.share),
        }


def _draw(logits, uniform):
    """A token `(B,)` of each row: where the summed probabilities pass a number."""
    padding = ops.arange(logits.shape[-1]) == PADDING
    logits = ops.where(padding, -1e9, ops.cast(logits, "float32"))
    sums = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)
    # The sum of all may be just below 1, and the number may be 0.
    passed = sums <= ops.expand_dims(uniform, -1) * sums[:, -1:]
    return ops.sum(ops.cast(passed, "int32"), axis=-1)
