"""The floor: only the matrix products and tanhs that a training step needs."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf
from pairs import products
from worker import serve


def build(case):
    tensors = [
        (times, tf.random.normal((m, k)), tf.random.normal((k, n)), tf.ones((m, n)))
        for times, m, k, n in products(case)
    ]
    shape = case["batch"], case["source"], case["attention"]
    hidden = tf.random.normal(shape)

    @tf.function
    def product(left, right, out):
        forward = tf.matmul(left, right)
        back = tf.matmul(out, right, transpose_b=True)
        return forward[0, 0] + back[0, 0]

    @tf.function
    def weight(left, out):
        return tf.matmul(left, out, transpose_a=True)

    @tf.function
    def tanh(hidden):
        return tf.tanh(hidden)

    def run():
        for _ in range(case["steps"]):
            for times, left, right, out in tensors:
                for _ in range(times):
                    last = product(left, right, out)
                # The gradients of a weight are one product over all steps.
                whole = tf.tile(left, (times, 1)), tf.tile(out, (times, 1))
                last = weight(*whole) if times > 1 else weight(left, out)
            for _ in range(2 * case["target"]):
                last = tanh(hidden)
        last.numpy()

    return run


serve(build)
