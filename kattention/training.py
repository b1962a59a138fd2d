"""What training a `Seq2Seq` needs and Keras lacks."""

import math
import time

import keras
from keras import ops

from kattention.crossentropy import smoothed_crossentropy
from kattention.packing import PADDING, pack


@keras.saving.register_keras_serializable(package="kattention")
class TokenCrossentropy(keras.losses.Loss):
    """Cross-entropy a token, over the tokens that are not padding.

    For logits `z` and the token `y`, with smoothing `e`:

        (1 - e) * -log p(y) + e * mean over v of -log p(v)

    Args:
        label_smoothing: `e`, the share of probability spread over all tokens.

    Call arguments:
        y_true: Ids `(B, T)`, 0 where padded.
        y_pred: Logits `(B, T, V)`, or `(N, V)` of the `N` tokens that are not
            padding, as `Seq2Seq(packed=True)` returns them.
        sample_weight: Weights of sequences, `(B,)`, or of tokens, `(B, T)`.

    Returns:
        The weighted mean over all tokens of the batch.

    Source: Szegedy et al., "Rethinking the Inception Architecture for
    Computer Vision" (2016), section 7.
    """

    def __init__(self, label_smoothing=0.0, name="token_crossentropy", **kwargs):
        kwargs.setdefault("reduction", "mean_with_sample_weight")
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"label_smoothing must be in [0, 1), got {label_smoothing!r}"
            )
        self.label_smoothing = label_smoothing

    def __call__(self, y_true, y_pred, sample_weight=None):
        weights = _token_weights(y_true, sample_weight, self.dtype)
        y_true, weights = _like(y_pred, y_true, weights)
        return super().__call__(y_true, y_pred, weights)

    def call(self, y_true, y_pred):
        ids = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        logits = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        loss = smoothed_crossentropy(ids, logits, self.label_smoothing)
        return ops.reshape(loss, ops.shape(y_true))

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="kattention")
class TokenAccuracy(keras.metrics.Mean):
    """The share of tokens, padding left out, that have the highest logit."""

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        weights = _token_weights(y_true, sample_weight, self.dtype)
        y_true, weights = _like(y_pred, y_true, weights)
        ids = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        own = ops.squeeze(ops.take_along_axis(y_pred, ids, axis=-1), -1)
        # Not argmax, which TensorFlow does not vectorise on a CPU.
        right = ops.greater_equal(own, ops.max(y_pred, axis=-1))
        super().update_state(ops.cast(right, self.dtype), sample_weight=weights)


def _token_weights(y_true, sample_weight, dtype):
    """Weights `(B, T)`: 0 for padding, else the sample's or 1."""
    weights = ops.cast(ops.not_equal(y_true, PADDING), dtype)
    if sample_weight is None:
        return weights
    sample_weight = ops.cast(sample_weight, dtype)
    if len(sample_weight.shape) == 1:
        sample_weight = ops.expand_dims(sample_weight, -1)
    return weights * sample_weight


def _like(y_pred, y_true, weights):
    """Packs ids and weights if the logits are packed."""
    if len(y_pred.shape) == 3:
        return y_true, weights
    return pack(y_true, y_true), pack(weights, y_true)


class Budget(keras.callbacks.Callback):
    """Spends a budget of steps or of wall-clock minutes, then stops.

    The learning rate follows the share that is spent: it rises linearly to its
    peak over `warmup` and falls along a cosine to zero at the end.

    Args:
        peak: The highest learning rate.
        warmup: Share of the budget in which it rises.
        steps: Budget in steps, counted since the start of training.
        minutes: Budget in minutes instead.
        spent: `(steps, seconds)` spent before: where an earlier process
            stopped.

    Raises:
        ValueError: Not exactly one of `steps` and `minutes` is given, or the
            backend is JAX, whose trainer takes no learning rate from callbacks
            between the steps of an epoch.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with
    Warm Restarts" (2017), section 3.
    """

    def __init__(self, peak, warmup=0.1, *, steps=None, minutes=None, spent=(0, 0.0)):
        super().__init__()
        if keras.backend.backend() == "jax":
            raise ValueError(
                "Budget sets the learning rate at each step, which the jax backend "
                "does not take from callbacks: use keras.optimizers.schedules"
            )
        if (steps is None) == (minutes is None):
            raise ValueError(
                f"give either steps or minutes, got steps={steps}, minutes={minutes}"
            )
        self.peak = peak
        self.warmup = warmup
        self.steps = steps
        self.minutes = minutes
        self.spent_steps, self._seconds_before = spent
        self._began = None

    @property
    def spent_seconds(self):
        now = time.monotonic()
        return self._seconds_before + (now - self._began if self._began else 0.0)

    @property
    def share(self):
        """The share of the budget that is spent, in [0, 1]."""
        if self.steps is not None:
            return min(self.spent_steps / self.steps, 1.0)
        return min(self.spent_seconds / (60 * self.minutes), 1.0)

    def learning_rate(self):
        """The rate at the present share."""
        if self.share < self.warmup:
            # The first step must move too.
            return self.peak * max(self.share / self.warmup, 0.01)
        rest = (self.share - self.warmup) / (1 - self.warmup)
        return self.peak * 0.5 * (1 + math.cos(math.pi * rest))

    def on_train_begin(self, logs=None):
        self._began = self._began or time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = self.learning_rate()

    def on_train_batch_end(self, batch, logs=None):
        self.spent_steps += 1
        if self.share >= 1:
            self.model.stop_training = True
