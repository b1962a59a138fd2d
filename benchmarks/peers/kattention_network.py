"""The network that all peers build, with kattention."""

import sys
from pathlib import Path

import keras
from keras import layers

# It is not installed in every environment.
sys.path.append(str(Path(__file__).resolve().parents[2]))

import kattention

MECHANISMS = {
    "bahdanau": kattention.BahdanauAttention,
    "luong": lambda units: kattention.LuongAttention(),
    "location": kattention.LocationSensitiveAttention,
}


def network(case, packed):
    """The network of a case.

    A case may name a `mechanism`, an order (`attend`) and whether loops are
    compiled (`fast`).
    """
    keras.utils.set_random_seed(1)
    fast, attend = case.get("fast", "auto"), case.get("attend", "before")
    # The largest products in the precision asked for: the rest gains nothing.
    head = {"dtype": case["policy"]}
    vectors = keras.Input((None, case["embedding"]))
    states, _, backward = layers.Bidirectional(
        kattention.FastRNN(
            layers.GRUCell(case["encoder"]),
            return_sequences=True,
            return_state=True,
            fast=fast,
        )
    )(vectors)
    start = layers.Dense(case["units"], activation="tanh")(backward)
    outputs = keras.Input((None, case["units"] + 2 * case["encoder"]))
    embedded = keras.Input((None, case["embedding"]))
    readout = layers.Dense(case["readout"], activation="tanh", **head)(outputs)
    cell = kattention.AttentionDecoder(
        [layers.GRUCell(case["units"]) for _ in range(1 + (attend == "between"))],
        MECHANISMS[case.get("mechanism", "bahdanau")](case["attention"]),
        attend=attend,
    )
    return kattention.Seq2Seq(
        layers.Embedding(case["vocabulary"], case["embedding"]),
        keras.Model(vectors, [states, start]),
        layers.Embedding(case["vocabulary"], case["embedding"]),
        kattention.AttentionRNN(cell, return_sequences=True, fast=fast),
        keras.Model([outputs, embedded], readout),
        layers.Dense(case["vocabulary"], **head),
        packed=packed,
    )
