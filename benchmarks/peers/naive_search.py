"""The search that people write first: memory tiled, history gathered."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf
from kattention_network import network
from pairs import batches
from worker import serve

END = -1  # none ends early


def build(case):
    model, width = network(case, packed=False), case["beam"]

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)])
    def translate(source):
        rows = tf.shape(source)[0]
        encoded = model.encode(source)
        memory, state = tf.nest.map_structure(
            lambda part: tf.repeat(part, width, axis=0), encoded
        )
        tokens = tf.fill([rows * width, 1], 2)
        alignments = tf.zeros([rows * width, 1, tf.shape(source)[1]])
        scores = tf.tile([[0.0] + [-1e9] * (width - 1)], [rows, 1])
        ended = tf.fill([rows * width], False)
        for _ in tf.range(case["target"]):
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[
                    (tokens, tf.TensorShape([None, None])),
                    (alignments, tf.TensorShape([None, None, None])),
                ]
            )
            logits, state, alignment = model.step(tokens[:, -1], state, memory)
            every = tf.reshape(tf.nn.log_softmax(logits), [rows, width, -1])
            every = tf.reshape(scores[..., None] + every, [rows, -1])
            scores, index = tf.math.top_k(every, width)
            words = tf.shape(logits)[1]
            row = tf.reshape(tf.range(rows)[:, None] * width + index // words, [-1])
            state = [tf.gather(part, row) for part in state]
            token = tf.reshape(index % words, [-1, 1])
            tokens = tf.concat([tf.gather(tokens, row), token], 1)
            alignments = tf.concat([alignments, alignment[:, None]], 1)
            alignments = tf.gather(alignments, row)
            ended = tf.gather(ended, row) | (tokens[:, -1] == END)
            if tf.reduce_all(ended):
                break
        return tokens, alignments

    sources = [tf.constant(source) for source, _, _ in batches(case)]
    return lambda: [translate(source)[0].numpy() for source in sources]


serve(build)
