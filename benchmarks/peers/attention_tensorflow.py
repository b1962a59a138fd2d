"""An attention layer on TensorFlow, forwards and backwards."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf
from attention_layers import attention
from worker import serve


def build(case):
    layer, query, value = attention(case)

    @tf.function
    def step(query, value):
        with tf.GradientTape() as tape:
            tape.watch([query, value])
            total = tf.reduce_sum(layer(query, value, training=True) ** 2)
        return tape.gradient(total, [query, value])

    return lambda: step(query, value)[0].numpy()


serve(build)
