"""Training without ever holding all logits (TensorFlow)."""

import keras
from keras import ops

from kattention.crossentropy import check_smoothing, smoothed_crossentropy
from kattention.training.around import Around
from kattention.training.tokens import pack_like

# Tokens whose logits are held at once. Each chunk adds a gradient to that of the
# weights: with many small ones a step takes longer.
ROWS = 512


@keras.saving.register_keras_serializable(package="kattention")
class LeanCrossentropy(Around):
    """Trains a model on `TokenCrossentropy` without ever holding all its logits.

    Logits are the largest tensor of a training step, and with their softmax and
    gradient there are three of them. Here logits, loss and all gradients are
    found for 512 tokens at a time, and the logits forgotten: memory is
    O(512 V) for V subwords, in place of O(B T V). Losses and gradients are
    those of `TokenCrossentropy`, first derivatives only; each chunk but the
    first costs one more pass over the gradient of the logits' weights. It
    trains the weights of the model, which is what to save and to use.

    Args:
        model: A `Seq2Seq`, or a `ScheduledSampling` of one.
        label_smoothing: As of `TokenCrossentropy`.

    Call arguments:
        inputs: `[source_ids (B, S), target_ids (B, T)]`, integers.
        training: Whether dropout is on.

    Returns:
        What the logits are made of: `model.features(inputs)`.

    `compile` takes no loss, or `[None, GuidedAlignment()]` for a model that
    returns alignments, and no metrics, which would need the logits. `fit` and
    `evaluate` take ids `(B, T)` and sample weights as `TokenCrossentropy` does.

    Raises:
        ValueError: The backend is not TensorFlow, `label_smoothing` is not in
            [0, 1), or `compile` gets a loss of logits or metrics.

    Example:

        trained = kattention.training.LeanCrossentropy(model, label_smoothing=0.1)
        trained.compile(kattention.training.FusedAdam(1e-3), jit_compile=False)
        trained.fit(batches)
        model.save("model.keras")

    Source: Szegedy et al., "Rethinking the Inception Architecture for
    Computer Vision" (2016), section 7; a loss that never holds all logits:
    Wijmans et al., "Cut Your Losses in Large-Vocabulary Language Models"
    (2025), section 4.
    """

    def __init__(self, model, label_smoothing=0.0, **kwargs):
        super().__init__(model, **kwargs)
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "LeanCrossentropy needs the tensorflow backend, got "
                f"{keras.backend.backend()}: compile the model with TokenCrossentropy"
            )
        check_smoothing(label_smoothing)
        self.label_smoothing = label_smoothing
        self.supports_jit = False  # chunks differ in size

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        if _first(loss) is not None:
            raise ValueError(
                "loss must be None, or [None, a loss of alignments]: that of tokens "
                f"is LeanCrossentropy's own, got {loss!r}"
            )
        if metrics or weighted_metrics:
            raise ValueError(
                "metrics must be None, got "
                f"{metrics or weighted_metrics!r}: for those of logits compile the "
                "model itself, with TokenCrossentropy"
            )
        super().compile(optimizer, loss=loss, loss_weights=loss_weights, **kwargs)

    def compile_from_config(self, config):
        # Keras leaves it to those who have a `compile` of their own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def call(self, inputs, training=None):
        features, *alignments = self.model.features(inputs, training=training)
        return [features, *alignments] if alignments else features

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        ids, features, weight = map(_first, (y, y_pred, sample_weight))
        dtype = keras.backend.result_type(features.dtype, "float32")
        ids, weights = pack_like(features, ids, weight, dtype)
        total = _weighted_sum(
            self.model,
            ops.reshape(features, (-1, features.shape[-1])),
            ops.reshape(ops.cast(ids, "int32"), (-1,)),
            ops.reshape(weights, (-1,)),
            self.label_smoothing,
            training,
        )
        loss = ops.divide_no_nan(total, ops.sum(weights))
        # Of alignments, and of regularizers.
        if self.loss is not None or self.losses:
            loss += super().compute_loss(x, y, y_pred, sample_weight, training)
        return loss

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
        }


def _weighted_sum(model, features, ids, weights, smoothing, training):
    """Sum of weights `(N,)` times losses of features `(N, R)`."""
    import tensorflow as tf

    def loss_of(few, start):
        rows = slice(start, start + ROWS)
        logits = ops.cast(model.project(few[None])[0], weights.dtype)
        losses = smoothed_crossentropy(ids[rows], logits, smoothing)
        return tf.reduce_sum(losses * weights[rows])

    if training:
        # Frozen ones too: TensorFlow wants to know all that is read.
        return _with_gradient(loss_of, features, model.projection.weights)

    def add(start, total):
        return [total + loss_of(features[start : start + ROWS], start)]

    return _loop(add, tf.shape(features)[0], [loss_of(features[:ROWS], 0)])[0]


def _with_gradient(loss_of, features, variables):
    """Sum of `loss_of(chunk, start)`, which has a gradient.

    All but one factor of it is known as soon as the loss is: found with it,
    chunk by chunk, it is all that is kept.
    """
    import tensorflow as tf

    count = tf.shape(features)[0]

    @tf.custom_gradient
    def total_of(features, *kernels):
        # Or an eager tape would keep what happens inside.
        features, *kernels = map(tf.stop_gradient, (features, *kernels))

        def chunk(start):
            few = features[start : start + ROWS]
            with tf.GradientTape() as tape:
                tape.watch([few, *kernels])
                with keras.StatelessScope(zip(variables, kernels, strict=True)):
                    loss = loss_of(few, start)
            d_few, *d_kernels = tape.gradient(
                loss, [few, *kernels], unconnected_gradients="zero"
            )
            return loss, d_kernels, d_few

        def add(start, total, d_kernels, d_features):
            loss, more, d_few = chunk(start)
            d_kernels = [a + b for a, b in zip(d_kernels, more, strict=True)]
            return [total + loss, d_kernels, d_features.write(start // ROWS, d_few)]

        pieces = tf.TensorArray(
            features.dtype,
            tf.maximum((count + ROWS - 1) // ROWS, 1),
            infer_shape=False,
            element_shape=(None, features.shape[-1]),
        )
        loss, d_kernels, d_few = chunk(0)
        carry = [loss, d_kernels, pieces.write(0, d_few)]
        total, d_kernels, pieces = _loop(add, count, carry)
        found = pieces.concat(), *d_kernels

        def gradient(upstream):
            return [tf.cast(upstream, d.dtype) * d for d in found]

        return total, gradient

    return total_of(features, *(variable.value for variable in variables))


def _loop(add, count, carry):
    """Runs `add(start, *carry) -> carry` for every chunk but the first.

    `carry` is what the first one gave: with zeros to begin with, one more
    tensor of the weights' size would be kept in the graph for good.
    """
    import tensorflow as tf

    # Chunks side by side would hold their logits side by side: the second waits for
    # the first one's loss and, in training, its gradients of the weights.
    with tf.control_dependencies(tf.nest.flatten(carry[:2])):
        second = tf.constant(ROWS)
    _, *carry = tf.while_loop(
        lambda start, *_: start < count,
        lambda start, *carry: [start + ROWS, *add(start, *carry)],
        [second, *carry],
        parallel_iterations=1,
    )
    return carry


def _first(given):
    """What belongs to the tokens, where alignments have something as well."""
    return given[0] if isinstance(given, (list, tuple)) else given
