"""Small decoders that tests share."""

import keras

from kattention import AttentionDecoder, AttentionRNN, BahdanauAttention

CELLS = {
    "gru": lambda **o: [keras.layers.GRUCell(5, **o)],
    "lstm": lambda **o: [keras.layers.LSTMCell(5, **o)],
    "simple": lambda **o: [keras.layers.SimpleRNNCell(5, **o)],
    "stack": lambda **o: [
        keras.layers.GRUCell(5, **o),
        keras.layers.GRUCell(5, **o),
        keras.layers.GRUCell(5, **o),
    ],
}


def make(attend="before", cells="gru", dropout=0.0, layer=None, dtype=None, **options):
    made = CELLS[cells](**({"dtype": dtype} if dtype else {}))
    if attend == "between" and len(made) == 1:
        made += CELLS[cells](**({"dtype": dtype} if dtype else {}))
    cell = AttentionDecoder(
        made,
        BahdanauAttention(4, dropout=dropout, dtype=dtype),
        attend=attend,
        attention_layer=layer,
        dtype=dtype,
    )
    options = {
        "return_sequences": True,
        "return_state": True,
        "return_attention_scores": True,
        **options,
    }
    return AttentionRNN(cell, dtype=dtype, **options)


def data(rng, batch=2, steps=4, source=5):
    return rng.normal(size=(batch, steps, 3)).astype("float32"), rng.normal(
        size=(batch, source, 6)
    ).astype("float32")
