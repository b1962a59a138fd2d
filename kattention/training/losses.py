"""The losses of a `Seq2Seq`: on its tokens and on its alignments."""

from typing import Any

import keras
from keras import ops

from kattention import checks
from kattention.training.crossentropy import check_smoothing, smoothed_crossentropy
from kattention.training.tokens import pack_like, weigh
from kattention.types import Config, Tensor


@keras.saving.register_keras_serializable(package="kattention")
class TokenCrossentropy(keras.losses.Loss):
    """Mean cross-entropy of the tokens that are not padding.

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

    Raises:
        ValueError: `label_smoothing` is not in [0, 1), or `y_true` is not as
            `y_pred` without its last axis.

    Source: Szegedy et al., "Rethinking the Inception Architecture for
    Computer Vision" (2016), section 7.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        name: str = "token_crossentropy",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("reduction", "mean_with_sample_weight")
        super().__init__(name=name, **kwargs)
        check_smoothing(label_smoothing)
        self.label_smoothing = label_smoothing

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        y_true, weights = pack_like(y_pred, y_true, sample_weight, self.dtype)
        return super().__call__(y_true, y_pred, weights)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        ids = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        logits = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        loss = smoothed_crossentropy(ids, logits, self.label_smoothing)
        return ops.reshape(loss, ops.shape(y_true))

    def get_config(self) -> Config:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="kattention")
class GuidedAlignment(keras.losses.Loss):
    """Cross-entropy of alignments against given links.

    For the links `A` of a target token and its alignment `a`:

        -sum over j of A_j log a_j,    A scaled to sum to 1

    Call arguments:
        y_true: Links `(B, T, S)`: numbers of at least 0, all 0 for a target
            token without a link.
        y_pred: Alignments `(B, T, S)`: what a `Seq2Seq` returns beside its
            logits if its decoder has `return_attention_scores=True`.
        sample_weight: Weights of sequences, `(B,)`, or of tokens, `(B, T)`.

    Returns:
        The weighted mean over all target tokens with a link.

    Raises:
        ValueError: `y_true` and `y_pred` differ in shape.

    Example:

        model.compile(
            "adam",
            loss=[TokenCrossentropy(), GuidedAlignment()],
            loss_weights=[1.0, 0.5],
        )

    Source: Chen et al., "Guided Alignment Training for Topic-Aware Neural
    Machine Translation" (2016), section 3.
    """

    def __init__(self, name: str = "guided_alignment", **kwargs: Any) -> None:
        kwargs.setdefault("reduction", "mean_with_sample_weight")
        super().__init__(name=name, **kwargs)

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        y_true, y_pred = map(ops.convert_to_tensor, (y_true, y_pred))
        checks.check_shape("y_true", y_true, y_pred.shape)
        linked = ops.cast(ops.any(ops.not_equal(y_true, 0), axis=-1), self.dtype)
        return super().__call__(y_true, y_pred, weigh(linked, sample_weight))

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        links = ops.cast(y_true, y_pred.dtype)
        total = ops.sum(links, axis=-1)
        # A weight may round to 0, and its gradient must stay finite. The floor is
        # so low that a weight which is merely small can still grow.
        logs = ops.log(ops.maximum(y_pred, 1e-30))
        return -ops.sum(links * logs, axis=-1) / ops.where(total == 0, 1, total)
