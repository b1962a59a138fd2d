"""Keras's conformance test for every layer."""

import keras
import pytest

from kattention import (
    AttentionDecoder,
    AttentionPooling,
    AttentionRNN,
    BahdanauAttention,
    FastRNN,
    FixedContext,
    LocationSensitiveAttention,
    LuongAttention,
)
from tests.keras_conformance import run_layer_test

pytestmark = pytest.mark.any_backend
QUERY_AND_VALUE = {"query_shape": (2, 3, 4), "value_shape": (2, 5, 6)}
INPUTS_AND_MEMORY = {"inputs_shape": (2, 3, 4), "memory_shape": (2, 5, 6)}


def decoder_cell(attend="before"):
    cells = [keras.layers.GRUCell(4) for _ in range(1 + (attend == "between"))]
    return AttentionDecoder(cells, BahdanauAttention(3), attend=attend)


@pytest.mark.parametrize(
    ("layer", "arguments", "inputs", "output", "weights", "seeds"),
    [
        (BahdanauAttention, {"units": 3}, QUERY_AND_VALUE, (2, 3, 6), 3, 0),
        (
            BahdanauAttention,
            {"units": 3, "use_bias": True, "normalize": True, "dropout": 0.5},
            QUERY_AND_VALUE,
            *((2, 3, 6), 5, 1),
        ),
        (LuongAttention, {"scale": True}, QUERY_AND_VALUE, (2, 3, 6), 2, 0),
        (
            LocationSensitiveAttention,
            {"units": 3, "filters": 2, "kernel_size": 3},
            QUERY_AND_VALUE,
            *((2, 3, 6), 6, 0),
        ),
        (FixedContext, {}, QUERY_AND_VALUE, (2, 3, 6), 0, 0),
        (AttentionPooling, {"units": 3}, (2, 5, 6), (2, 6), 3, 0),
        (AttentionRNN, {"cell": decoder_cell}, INPUTS_AND_MEMORY, (2, 10), 6, 1),
        (
            AttentionRNN,
            {"cell": lambda: decoder_cell("between"), "return_sequences": True},
            INPUTS_AND_MEMORY,
            *((2, 3, 10), 9, 2),
        ),
        (FastRNN, {"cell": lambda: keras.layers.GRUCell(4)}, (2, 3, 4), (2, 4), 3, 1),
    ],
)
def test_conforms(layer, arguments, inputs, output, weights, seeds):
    arguments = {k: v() if callable(v) else v for k, v in arguments.items()}
    run_layer_test(
        layer,
        init_kwargs=arguments,
        input_shape=inputs,
        expected_output_shape=output,
        expected_num_trainable_weights=weights,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=seeds,
        expected_num_non_trainable_variables=seeds,
        supports_masking=True,
        # It gives all inputs as one argument.
        run_training_check=not isinstance(inputs, dict),
        assert_built_after_instantiation=False,
    )
