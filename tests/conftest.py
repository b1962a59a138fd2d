"""Small models that tests share."""

import importlib
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
from hypothesis import settings

import kattention

# The first example of a test traces and compiles.
settings.register_profile("kattention", deadline=None, max_examples=15)
settings.load_profile("kattention")

VOCABULARY, DEPTH, UNITS = 30, 8, 12
# Keras computes in float64 on TensorFlow only.
FLOAT64 = keras.backend.backend() == "tensorflow"


@pytest.fixture(autouse=True)
def same_weights_every_time():
    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def quick_export(monkeypatch):
    """Exports are not loaded in a fresh process, which takes most of their time."""
    # Not by its dotted name: the package's `export` is the function.
    module = importlib.import_module("kattention.serving.export")
    monkeypatch.setattr(module, "check", lambda path, text: None)


def make_seq2seq(
    attend="before",
    shared=True,
    mechanism=None,
    dropout=0.0,
    vocabulary=VOCABULARY,
    dtypes=None,
):
    """An untrained `Seq2Seq`; `dtypes` has the policies of some of its parts."""
    layers, dtypes = keras.layers, dtypes or {}
    embedding = layers.ReversibleEmbedding(vocabulary, DEPTH)
    vectors = keras.Input((None, DEPTH))
    states, _, backward = layers.Bidirectional(
        layers.GRU(
            UNITS // 2,
            return_sequences=True,
            return_state=True,
            dtype=dtypes.get("encoder"),
        ),
        dtype=dtypes.get("encoder"),
    )(vectors)
    start = layers.Dense(UNITS, activation="tanh", dtype=dtypes.get("encoder"))(
        backward
    )
    cells = [
        layers.GRUCell(UNITS, dropout=dropout, dtype=dtypes.get("cells"))
        for _ in range(2 if attend == "between" else 1)
    ]
    cell = kattention.AttentionDecoder(
        cells,
        mechanism or kattention.BahdanauAttention(7),
        attend=attend,
        dtype=dtypes.get("decoder"),
    )
    outputs, targets = keras.Input((None, 2 * UNITS)), keras.Input((None, DEPTH))
    joined = layers.Concatenate()([outputs, targets])
    return kattention.Seq2Seq(
        embedding,
        keras.Model(vectors, [states, start]),
        embedding if shared else layers.ReversibleEmbedding(vocabulary, DEPTH),
        kattention.AttentionRNN(cell, return_sequences=True),
        keras.Model([outputs, targets], layers.Dense(DEPTH, activation="tanh")(joined)),
    )


def run_python(program, *arguments, **environment):
    """Runs a program in a fresh process; returns what it printed."""
    process = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout
