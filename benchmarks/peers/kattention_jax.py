"""kattention on the JAX backend: the plain loop, compiled by Keras."""

import os

os.environ["KERAS_BACKEND"] = "jax"

from kattention_network import network
from pairs import batches
from worker import serve

from kattention.training import TokenCrossentropy


def build(case):
    model = network(case, packed=False)
    model.compile("adam", TokenCrossentropy())
    found = batches(case)

    def run():
        for source, inputs, labels in found:
            loss = model.train_on_batch((source, inputs), labels)
        float(loss)

    return run


serve(build)
