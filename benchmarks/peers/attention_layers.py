"""The layers of `attention.py`, on the backend that the environment names."""

import sys
from pathlib import Path

import keras
from keras import layers

# It is not installed in every environment.
sys.path.append(str(Path(__file__).resolve().parents[2]))

import kattention


class Projected(layers.Layer):
    """`keras.layers.AdditiveAttention` with the projections that it lacks."""

    def __init__(self, units):
        super().__init__()
        self.query = layers.Dense(units, use_bias=False)
        self.key = layers.Dense(units, use_bias=False)
        self.attention = layers.AdditiveAttention()

    def call(self, query, value, training=None):
        inputs = [self.query(query), value, self.key(value)]
        return self.attention(inputs, training=training)


LAYERS = {
    "BahdanauAttention": kattention.BahdanauAttention,
    "keras AdditiveAttention": Projected,
}


def attention(case):
    """Returns a built layer, a query and a value."""
    layer = LAYERS[case["layer"]](case["units"])
    query = keras.random.normal((case["batch"], case["target"], case["depth"]))
    value = keras.random.normal((case["batch"], case["source"], case["depth"]))
    layer(query[:, :2], value[:, :2])  # makes the weights
    return layer, query, value
