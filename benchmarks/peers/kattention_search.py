"""kattention's searches."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf
from kattention_network import network
from pairs import batches
from worker import serve

from kattention import search


def build(case):
    model = network(case, packed=False)
    options = {"end": -1, "max_length": case["target"]}  # none ends early

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)])
    def translate(source):
        memory, state = model.encode(source)

        def step(tokens, state):
            return model.step(tokens, state, memory)

        if case["beam"] == 1:
            return search.greedy(step, state, **options)
        return search.beam(step, state, beam_width=case["beam"], **options)

    sources = [tf.constant(source) for source, _, _ in batches(case)]
    return lambda: [translate(source).tokens.numpy() for source in sources]


serve(build)
