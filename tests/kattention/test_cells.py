"""Any cell that `keras.layers.RNN` runs, and any nest of them."""

import keras
import numpy as np
import pytest
from keras import ops, random

from kattention import AttentionDecoder, AttentionRNN, BahdanauAttention

pytestmark = pytest.mark.any_backend
to_numpy = ops.convert_to_numpy


class Pair(keras.layers.Layer):
    """Adds up what it is given; says its sizes in a tuple."""

    state_size = (5, 5)
    output_size = 5

    def call(self, inputs, states, training=None):
        first, second = states
        first = first + ops.sum(inputs, axis=-1, keepdims=True)
        # JAX's loop wants its states as it gave them.
        return first + second, type(states)([first, second + 1])


class FromOnes(keras.layers.GRUCell):
    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, self.units))]


def run(cells, inputs, memory, attend="before"):
    cell = AttentionDecoder(cells, BahdanauAttention(4), attend=attend)
    return AttentionRNN(cell, return_sequences=True)(inputs, memory=memory)


@pytest.mark.parametrize("cell", [Pair, lambda: FromOnes(5)])
def test_a_cell_of_ones_own_does_what_it_does_in_keras(cell):
    inputs, memory = random.normal((2, 3, 3)), ops.zeros((2, 4, 6))
    own = cell()
    outputs = to_numpy(run(own, inputs, memory))
    # The context is 0: what Keras's loop finds for the input with so many zeros.
    padded = ops.pad(inputs, [[0, 0], [0, 0], [0, 6]])
    expected = keras.layers.RNN(own, return_sequences=True)(padded)
    np.testing.assert_allclose(outputs[..., :5], to_numpy(expected), atol=1e-6)


@pytest.mark.parametrize("attend", ["before", "between", "after"])
def test_a_stack_within_a_list_drops_out_for_any_batch(attend):
    stack = keras.layers.StackedRNNCells(
        [keras.layers.GRUCell(5, dropout=0.5) for _ in range(2)]
    )
    cell = AttentionDecoder(
        [stack, keras.layers.GRUCell(5)], BahdanauAttention(4), attend=attend
    )
    assert len(cell.cells) == 3
    inputs, memory = keras.Input((None, 3)), keras.Input((None, 6))
    model = keras.Model([inputs, memory], AttentionRNN(cell)(inputs, memory=memory))
    model.compile("sgd", "mse", jit_compile=False)
    for batch in (2, 3):
        data = [np.ones((batch, 4, 3)), np.ones((batch, 5, 6))]
        assert np.isfinite(model.train_on_batch(data, np.ones((batch, 11))))


def test_tells_its_shapes_before_it_is_built():
    decoder = AttentionRNN(
        AttentionDecoder(keras.layers.GRUCell(5), BahdanauAttention(4))
    )
    assert decoder.compute_output_shape((2, 4, 3), (2, 5, 6)) == (2, 11)


@pytest.mark.parametrize(
    ("inputs", "states", "memory", "message"),
    [
        ((4, 9), (4, 5), (4, 5, 6), "inputs must have depth 3"),
        ((1, 3), (4, 5), (4, 5, 6), "states must have the batch size of inputs, 1"),
        ((4, 3), (1, 5), (1, 5, 6), "states must have the batch size of inputs, 4"),
        ((4, 3), (4, 5), (3, 5, 6), "divides the 4 rows of inputs, got 3"),
    ],
)
def test_a_step_refuses_what_does_not_fit(inputs, states, memory, message):
    cell = AttentionDecoder(
        [keras.layers.GRUCell(5) for _ in range(2)],
        BahdanauAttention(4),
        attend="between",
    )
    cell.build((None, 3), (None, None, 6))
    with pytest.raises(ValueError, match=message):
        cell.step(ops.ones(inputs), [ops.ones(states)], cell.prepare(ops.ones(memory)))


def test_a_memory_of_other_rows_than_the_query_is_refused():
    layer = BahdanauAttention(4)
    layer.build((None, 3), (None, None, 6))
    memory = layer.prepare(ops.ones((4, 5, 6)))
    with pytest.raises(ValueError, match="memory must have the batch size of query, 1"):
        layer.attend(ops.ones((1, 3)), memory)
