"""Shape checks that name the argument, what was expected and what came."""

import keras


def check_positive(name, value):
    """Refuses what is not a positive integer."""
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")


def check_rank(name, shape, ranks):
    """Refuses a shape whose rank is not one of `ranks`."""
    if len(shape) not in ranks:
        expected = " or ".join(str(rank) for rank in ranks)
        # What ids have that were not embedded.
        hint = ": if these are ids, embed them first" * (tuple(ranks) == (3,))
        raise ValueError(
            f"{name} must have rank {expected}, got shape {tuple(shape)}{hint}"
        )


def check_depth(name, shape, depth):
    """Refuses a last axis other than the one the layer was built with."""
    if shape[-1] != depth:
        raise ValueError(
            f"{name} must have depth {depth}, which the layer was built with, "
            f"got shape {tuple(shape)}"
        )


def check_shape(name, tensor, expected):
    """Refuses another shape than `expected`, as far as both are known."""
    if not _agree(tensor.shape, expected):
        raise ValueError(
            f"{name} must have shape {tuple(expected)}, got {tuple(tensor.shape)}"
        )


def check_mask(name, mask, expected):
    """Refuses what is not a boolean mask of the shape `expected`."""
    if not hasattr(mask, "shape"):
        raise ValueError(f"{name} must be a tensor, got {type(mask).__name__}")
    dtype = keras.backend.standardize_dtype(mask.dtype)
    if "float" in dtype:
        # A mask that is added to scores, 0 and -1e9, would mean the opposite.
        raise ValueError(f"{name} must be booleans, True where valid, got {dtype}")
    check_shape(name, mask, expected)


def check_memory(value_shape, key_shape):
    """Refuses keys and values that differ in batch or length."""
    check_rank("value", value_shape, (3,))
    check_rank("key", key_shape, (3,))
    if not _agree(key_shape[:2], value_shape[:2]):
        raise ValueError(
            f"key must have the batch and length of value, {tuple(value_shape[:2])}, "
            f"got shape {tuple(key_shape)}"
        )


def check_prepared(memory):
    """Refuses a memory that is not yet projected."""
    if not isinstance(memory, dict):
        raise ValueError(
            f"memory must be what prepare() returned, got {type(memory).__name__}"
        )


def check_inputs(query_shape, value_shape, key_shape=None):
    """Refuses shapes that one call of attention cannot take together."""
    check_rank("query", query_shape, (2, 3))
    check_memory(value_shape, key_shape or value_shape)
    for name, shape in (
        ("query", query_shape),
        ("value", value_shape),
        ("key", key_shape or value_shape),
    ):
        if shape[-1] is None:
            raise ValueError(f"{name} must have a known depth, got {tuple(shape)}")
    check_same_batch("value", value_shape, "query", query_shape)


def check_same_batch(name, shape, other, other_shape):
    """Refuses a batch size that is not the other argument's."""
    if not _agree(shape[:1], other_shape[:1]):
        raise ValueError(
            f"{name} must have the batch size of {other}, {other_shape[0]}, "
            f"got shape {tuple(shape)}"
        )


def _agree(shape, expected):
    return len(shape) == len(expected) and all(
        a is None or b is None or a == b for a, b in zip(shape, expected)
    )
