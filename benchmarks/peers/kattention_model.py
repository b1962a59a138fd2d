"""kattention, as the recipes use it."""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
from keras import layers
from keras_fit import fitting
from worker import serve

import kattention
from kattention.training import TokenCrossentropy

sys.path.append(str(Path(__file__).resolve().parents[2]))

from recipes.translation.allocator import keep_freed_memory


def build(case):
    keep_freed_memory()
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(case["policy"])
    vectors = keras.Input((None, case["embedding"]))
    states, _, backward = layers.Bidirectional(
        layers.GRU(case["encoder"], return_sequences=True, return_state=True)
    )(vectors)
    start = layers.Dense(case["units"], activation="tanh")(backward)
    outputs = keras.Input((None, case["units"] + 2 * case["encoder"]))
    embedded = keras.Input((None, case["embedding"]))
    readout = layers.Dense(case["readout"], activation="tanh")(outputs)
    cell = kattention.AttentionDecoder(
        layers.GRUCell(case["units"]), kattention.BahdanauAttention(case["attention"])
    )
    model = kattention.Seq2Seq(
        layers.Embedding(case["vocabulary"], case["embedding"]),
        keras.Model(vectors, [states, start]),
        layers.Embedding(case["vocabulary"], case["embedding"]),
        kattention.AttentionRNN(cell, return_sequences=True),
        keras.Model([outputs, embedded], readout),
        layers.Dense(case["vocabulary"]),
        packed=True,
    )
    model.compile("adam", TokenCrossentropy(), jit_compile=False)
    return fitting(model, case)


serve(build)
