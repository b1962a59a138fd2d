"""What every search returns, and how every search begins."""

from typing import NamedTuple

import tensorflow as tf

# The score of a slot that holds no hypothesis.
EMPTY = tf.float32.min
IMPOSSIBLE = -float("inf")


class Result(NamedTuple):
    """Hypotheses: B rows, K a row, T steps, S source positions.

    The best first, but for `sample`, which keeps the order drawn.

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
    """A step function whose results have the form that a loop can carry."""

    def __init__(self, step):
        self.step = step
        self.aligned = False

    def __call__(self, tokens, state):
        """Returns float32 logits `(N, V)`, the state and an alignment.

        A missing alignment comes as `(N, 0)`.
        """
        returned = self.step(tokens, state)
        if not isinstance(returned, (tuple, list)) or len(returned) != 3:
            raise ValueError(
                "step must return (logits, state, alignment), got "
                f"{type(returned).__name__}"
            )
        logits, new_state, alignment = returned
        if logits.shape[-1] is None:
            raise ValueError(
                "step must return logits with a known last dimension, got "
                f"{logits.shape}: tf.ensure_shape can say it"
            )
        if logits.shape.rank != 2:
            raise ValueError(f"step must return logits (N, V), got {logits.shape}")
        rows = tf.shape(tokens)[0]
        check_rows("the logits of step", logits, rows, "its tokens have")
        self.aligned = alignment is not None
        if self.aligned:
            alignment = tf.convert_to_tensor(alignment)
            if alignment.shape.rank != 2:
                raise ValueError(
                    f"step must return an alignment (N, S), got {alignment.shape}"
                )
            check_rows("the alignment of step", alignment, rows, "its tokens have")
        if not self.aligned:
            alignment = tf.zeros([tf.shape(tokens)[0], 0])
        state = tf.nest.pack_sequence_as(state, tf.nest.flatten(new_state))
        # ensure_shape ties the cast down: the graph's optimizer puts one at each use.
        logits = tf.ensure_shape(tf.cast(logits, tf.float32), logits.shape)
        return logits, state, tf.cast(alignment, tf.float32)


def open_state(state):
    """Returns `state` as tensors, and its number of rows."""
    flat = tf.nest.flatten(state)
    if not flat or any(part is None for part in flat):
        raise ValueError(
            "state must hold at least one tensor, whose rows are the batch, and no "
            f"None, got {state}"
        )
    flat = [tf.convert_to_tensor(part) for part in flat]
    for part in flat:
        if part.shape.rank == 0:
            raise ValueError("state must hold tensors with rows, got a scalar")
    rows = tf.shape(flat[0])[0]
    for part in flat[1:]:
        check_rows("state", part, rows, "its first tensor has")
    return tf.nest.pack_sequence_as(state, flat), rows


def loose(state):
    """Shapes of a state whose number of rows a loop need not know."""
    return tf.nest.map_structure(lambda x: tf.TensorShape([None, *x.shape[1:]]), state)


def history(dtype, *shape):
    """A growing array of one tensor a step."""
    return tf.TensorArray(dtype, 0, dynamic_size=True, element_shape=shape)


def check_rows(name, value, rows, reason="state has"):
    """Refuses a tensor of other than so many rows, where both are known."""
    given, expected = value.shape[0], tf.get_static_value(rows)
    if None not in (given, expected) and given != expected:
        raise ValueError(
            f"{name} must have {expected} rows, as {reason}, got shape {value.shape}"
        )


def each_row(name, value, rows, dtype=tf.float32):
    """A number, or one a row, as `(B,)`."""
    value = tf.cast(value, dtype)
    rank = value.shape.rank
    if rank not in (0, 1):
        raise ValueError(
            f"{name} must be a number or numbers (B,), got shape {value.shape}"
        )
    if rank == 0:
        return tf.broadcast_to(value, [rows])
    check_rows(name, value, rows)
    # What a graph learns only when it runs is not to be spread either.
    tf.debugging.assert_equal(
        tf.shape(value)[0], rows, f"{name} must be a number, or one a row"
    )
    return value


def as_ids(name, value):
    """Integers as int32; numbers with a fraction would be cut."""
    value = tf.convert_to_tensor(value)
    if not value.dtype.is_integer:
        raise ValueError(f"{name} must be integers, got {value.dtype.name}")
    return tf.cast(value, tf.int32)


def count_each_row(name, value, rows):
    """An integer of at least 1, or one a row, as int32 `(B,)`."""
    value = as_ids(name, value)
    known = tf.get_static_value(value)
    if known is not None and (known < 1).any():
        raise ValueError(f"{name} must be at least 1, got {known.tolist()}")
    # In a graph one row cannot be refused: it gets the least.
    return tf.maximum(each_row(name, value, rows, tf.int32), 1)
