"""The floor: only the matrix products and tanhs that a training step needs."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf
from worker import serve


def build(case):
    batch, source, target = (case[name] for name in ("batch", "source", "target"))
    embedding, encoder, units = (case[n] for n in ("embedding", "encoder", "units"))
    attention, readout, words = (
        case[n] for n in ("attention", "readout", "vocabulary")
    )
    depth, rows = 2 * encoder, batch * target
    # (times, rows, inner, outer) of each product of the forward pass.
    products = [
        (2, batch * source, embedding, 3 * encoder),
        (2 * source, batch, encoder, 3 * encoder),
        (1, batch * source, depth, attention),
        (1, rows, embedding, 3 * units),
        (target, batch, units, attention + 3 * units),
        (target, batch, depth, 3 * units),
        (1, rows, units + depth, readout),
        (1, rows, readout, words),
    ]
    tensors = [
        (times, tf.random.normal((m, k)), tf.random.normal((k, n)), tf.ones((m, n)))
        for times, m, k, n in products
    ]
    hidden = tf.random.normal((batch, source, attention))

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
            for _ in range(2 * target):
                last = tanh(hidden)
        last.numpy()

    return run


serve(build)
