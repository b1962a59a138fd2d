"""The order of operations that do not depend on each other."""

import keras


def after(first, tensors):
    """`tensors`, but what reads them waits for `first`.

    Only TensorFlow needs to be told: it begins whatever it can, and two large
    operations that share all cores take longer than one after the other.
    """
    if keras.backend.backend() != "tensorflow":
        return tensors
    import tensorflow as tf

    with tf.control_dependencies([first]):
        return [tf.identity(tensor) for tensor in tensors]
