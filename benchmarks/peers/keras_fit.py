"""A round of `fit` on a compiled Keras 3 model."""

import tensorflow as tf
from pairs import batches


def fitting(model, case):
    found = batches(case)

    def examples():
        for source, inputs, labels in found:
            yield (source, inputs), labels

    ids = tf.TensorSpec((None, None), tf.int32)
    data = tf.data.Dataset.from_generator(
        examples, output_signature=((ids, ids), ids)
    ).prefetch(2)
    # Its thread sleeps for ever longer, and Python, when it frees the iterator
    # of an earlier round, would wait for it: up to a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    data = data.with_options(options)
    return lambda: model.fit(data, verbose=0)
