"""What every search returns, and what every search does the same way."""

from typing import NamedTuple

import tensorflow as tf

# The score of a slot that holds no hypothesis.
EMPTY = tf.float32.min
IMPOSSIBLE = -float("inf")


class Result(NamedTuple):
    """Hypotheses, best first: B rows, K a row, T steps, S source positions.

    Attributes:
        tokens: `(B, K, T)` int32, the end token included, 0 after it.
        lengths: `(B, K)` int32, the end token included; 0 for an empty slot.
        scores: `(B, K)` float32; float32's minimum for an empty slot.
        alignments: `(B, K, T, S)`, or `None` if the step function gave none.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor
    alignments: tf.Tensor | None


class Stepper:
    """A step function with its results in the form that a loop can carry."""

    def __init__(self, step, forbid):
        self.step = step
        self.forbid = list(forbid)
        self.aligned = False

    def __call__(self, tokens, state):
        """Returns log-probabilities `(N, V)`, the state and an alignment.

        A missing alignment comes as `(N, 0)`. Forbidden tokens get -inf after
        the softmax and nothing is renormalised: a score stays the model's own
        log-probability.
        """
        logits, new_state, alignment = self.step(tokens, state)
        scores = tf.nn.log_softmax(tf.cast(logits, tf.float32))
        if self.forbid:
            ids = tf.range(tf.shape(scores)[-1])
            forbidden = tf.reduce_any(ids[:, None] == self.forbid, axis=1)
            scores = tf.where(forbidden, IMPOSSIBLE, scores)
        self.aligned = alignment is not None
        if not self.aligned:
            alignment = tf.zeros([tf.shape(tokens)[0], 0])
        state = tf.nest.pack_sequence_as(state, tf.nest.flatten(new_state))
        return scores, state, tf.cast(alignment, tf.float32)


def open_state(state):
    """Returns `state` as tensors, its number of rows, and loop invariants."""
    state = tf.nest.map_structure(tf.convert_to_tensor, state)
    flat = tf.nest.flatten(state)
    if not flat:
        raise ValueError(
            "state must hold at least one tensor, whose rows are the batch, got none"
        )
    loose = tf.nest.map_structure(lambda x: tf.TensorShape([None, *x.shape[1:]]), state)
    return state, tf.shape(flat[0])[0], loose


def history(dtype, *shape):
    """A growing array of one tensor a step."""
    return tf.TensorArray(dtype, 0, dynamic_size=True, element_shape=shape)


def normalize(log_probability, length, length_penalty):
    """Divides by `((5 + length) / 6) ** length_penalty` (Wu et al., 2016)."""
    return (
        log_probability / ((5.0 + tf.cast(length, tf.float32)) / 6.0) ** length_penalty
    )


def limit_of(max_length, rows):
    """`max_length` as one limit a row, `(B,)`."""
    if isinstance(max_length, int) and max_length < 1:
        raise ValueError(f"max_length must be at least 1, got {max_length}")
    return tf.broadcast_to(tf.cast(max_length, tf.int32), [rows])
