"""A step function, checked and in a form that a loop can carry."""

import tensorflow as tf

from kattention.search.rows import check_rows


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
                f"{logits.shape}: set it with tf.ensure_shape"
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
        # Without ensure_shape the graph's optimizer repeats the cast at each use.
        logits = tf.ensure_shape(tf.cast(logits, tf.float32), logits.shape)
        return logits, state, tf.cast(alignment, tf.float32)


def history(dtype, *shape):
    """A growing array with one tensor for each step."""
    return tf.TensorArray(dtype, 0, dynamic_size=True, element_shape=shape)
