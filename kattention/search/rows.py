"""Rows: what is given for each row of a batch, checked and in one form."""

import tensorflow as tf


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


def any_rows(state):
    """The shapes of a state whose number of rows a loop need not know."""
    return tf.nest.map_structure(lambda x: tf.TensorShape([None, *x.shape[1:]]), state)


def check_rows(name, value, rows, reason="state has"):
    """Refuses a tensor with another number of rows, where both are known."""
    given, expected = value.shape[0], tf.get_static_value(rows)
    if None not in (given, expected) and given != expected:
        raise ValueError(
            f"{name} must have {expected} rows, as {reason}, got shape {value.shape}"
        )


def each_row(name, value, rows, dtype=tf.float32):
    """A number, or one for each row, as `(B,)`."""
    value = tf.cast(value, dtype)
    rank = value.shape.rank
    if rank not in (0, 1):
        raise ValueError(
            f"{name} must be a number or numbers (B,), got shape {value.shape}"
        )
    if rank == 0:
        return tf.broadcast_to(value, [rows])
    check_rows(name, value, rows)
    # Where the graph learns the shape only when it runs.
    tf.debugging.assert_equal(
        tf.shape(value)[0], rows, f"{name} must be a number, or one for each row"
    )
    return value


def as_ids(name, value):
    """Integers as int32; a cast would cut numbers with a fraction."""
    value = tf.convert_to_tensor(value)
    if not value.dtype.is_integer:
        raise ValueError(f"{name} must be integers, got {value.dtype.name}")
    return tf.cast(value, tf.int32)


def positive_each_row(name, value, rows):
    """An integer of at least 1, or one for each row, as int32 `(B,)`."""
    value = as_ids(name, value)
    known = tf.get_static_value(value)
    if known is not None and (known < 1).any():
        raise ValueError(f"{name} must be at least 1, got {known.tolist()}")
    # A graph cannot refuse one row: it gets the least.
    return tf.maximum(each_row(name, value, rows, tf.int32), 1)
