"""What cannot work is refused in one line."""

import keras
import numpy as np
import pytest

from kattention import (
    AttentionDecoder,
    AttentionRNN,
    BahdanauAttention,
    FixedContext,
)
from tests.kattention.decoders import make

pytestmark = pytest.mark.any_backend


def test_alignments_cannot_be_asked_of_a_mechanism_without():
    cell = AttentionDecoder(keras.layers.GRUCell(4), FixedContext())
    with pytest.raises(ValueError, match="FixedContext has no alignments"):
        AttentionRNN(cell, return_attention_scores=True)


@pytest.mark.parametrize("built", [False, True])
def test_kerass_own_loop_is_answered_with_the_one_to_take(built):
    cell = make().cell
    if built:
        cell.build((None, 3), (None, None, 6))
    with pytest.raises(ValueError, match=r"needs a memory .* kattention.AttentionRNN"):
        keras.layers.RNN(cell)(np.ones((2, 4, 3), "float32"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attend": "during"}, "attend must be one of"),
        ({"attend": "between"}, "at least two cells, got 1"),
        (
            {
                "attend": "between",
                "cell": [keras.layers.GRUCell(4), keras.layers.GRUCell(5)],
            },
            "equal state size, got [[4], [5]]",
        ),
        ({"attention_layer": keras.layers.Dense(3)}, "goes with attend='after'"),
        ({"cell": keras.layers.Dense(3)}, "must be a Keras RNN cell"),
        ({"cell": []}, "got []"),
        ({"cell": keras.layers.GRU(5)}, "must be a cell, as GRUCell for GRU, got"),
        (
            {"attention": keras.layers.AdditiveAttention()},
            "must be a kattention.AttentionMechanism",
        ),
    ],
)
def test_impossible_cells_are_refused(arguments, message):
    usual = {"cell": keras.layers.GRUCell(5), "attention": BahdanauAttention(4)}
    with pytest.raises(ValueError) as error:
        AttentionDecoder(**{**usual, **arguments})
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_decoder_without_its_memory_says_how_to_call_it():
    with pytest.raises(ValueError, match=r"decoder\(inputs, memory=encoded\)"):
        make()(np.ones((2, 4, 3), "float32"))


def test_a_cell_by_hand_says_what_it_needs():
    cell = AttentionDecoder(
        keras.layers.GRUCell(5), BahdanauAttention(4), attend="after"
    )
    with pytest.raises(ValueError, match=r"must be built before get_initial_state"):
        cell.get_initial_state(2)
    cell.build((2, 3), (2, 4, 6))
    states, memory = cell.get_initial_state(2), np.ones((2, 4, 6), "float32")
    with pytest.raises(ValueError, match=r"memory must be what prepare\(\) returned"):
        cell.step(np.ones((2, 3), "float32"), states, memory)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": (2, 3)}, "inputs must have rank 3"),
        ({"memory": (2, 6)}, "memory must have rank 3"),
        ({"memory": (3, 5, 6)}, "memory must have the batch size of inputs, 2"),
        ({"memory": (2, 5, 8)}, "memory must have depth 6"),
        ({"inputs": (2, 4, 4)}, "inputs must have depth 3"),
        ({"inputs": (2, 0, 3)}, "inputs must have a step, got shape (2, 0, 3)"),
        ({"initial_state": (2, 4)}, "initial_state must be tensors of rank 2"),
        ({"initial_state": ()}, "initial_state must be tensors of rank 2"),
        ({"initial_state": (1, 5)}, "initial_state must have the batch size"),
        ({"inputs_mask": (2, 5)}, "inputs_mask must have shape (2, 4), got (2, 5)"),
        ({"memory_mask": (2, 4)}, "memory_mask must have shape (2, 5), got (2, 4)"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(arguments, message):
    decoder = make()
    decoder.build((2, 4, 3), (2, 5, 6))
    shapes = {"inputs": (2, 4, 3), "memory": (2, 5, 6), **arguments}
    values = {
        name: np.ones(shape, "bool" if "mask" in name else "float32")
        for name, shape in shapes.items()
    }
    with pytest.raises(ValueError) as error:
        decoder(values.pop("inputs"), **values)
    assert any(message in line for line in str(error.value).splitlines()), error.value
