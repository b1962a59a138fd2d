import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from keras import ops

import kattention
from kattention import AttentionDecoder, BahdanauAttention
from tests.conftest import FLOAT64, make_seq2seq
from tests.kattention.decoders import CELLS

PRECISE = "float64" if FLOAT64 else "float32"
TOLERANCE = 1e-12 if FLOAT64 else 1e-5


def make_cell(cells="gru", dtype=PRECISE, **options):
    made = CELLS[cells](dtype=dtype, **options)
    cell = AttentionDecoder(made, BahdanauAttention(4, dtype=dtype), dtype=dtype)
    cell.build((None, 3), (None, None, 6))
    return cell


def arguments(cell, rng, batch, beams, source):
    """Inputs and states of a step, a memory and its mask."""
    rows = batch * beams
    states = [rng.normal(size=(rows, size)) for size in cell.state_sizes]
    mask = rng.random((batch, source)) < 0.7
    memory = np.where(mask[..., None], rng.normal(size=(batch, source, 6)), np.nan)
    return rng.normal(size=(rows, 3)), states, memory, mask


def assert_equal(found, expected, tolerance=TOLERANCE):
    pairs = zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True)
    for ours, theirs in pairs:
        ours, theirs = ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs)
        np.testing.assert_allclose(ours, theirs, atol=tolerance)


@given(
    cells=st.sampled_from(["gru", "lstm", "stack"]),
    batch=st.integers(1, 3),
    beams=st.integers(1, 4),
    source=st.integers(0, 5),
    seed=st.integers(0, 99),
)
@example(cells="gru", batch=0, beams=2, source=5, seed=0)
def test_a_step_is_the_same_with_a_shared_memory(cells, batch, beams, source, seed):
    rng = np.random.default_rng(seed)
    cell = make_cell(cells)
    for weight in cell.weights:
        weight.assign(rng.normal(size=weight.shape))
    inputs, states, memory, mask = arguments(cell, rng, batch, beams, source)
    prepared = cell.prepare(memory, mask)
    assert_equal(
        cell.step(inputs, states, cell.share(prepared)),
        cell.step(inputs, states, prepared),
    )


def test_the_context_is_not_multiplied_again(rng):
    """Or nothing would be gained: zero products are all the cell sees of it."""
    cell = make_cell()
    inputs, states, memory, mask = arguments(cell, rng, 2, 3, 5)
    shared = cell.share(cell.prepare(memory, mask))
    values, products = ops.split(shared["shared"], [6], axis=-1)
    shared["shared"] = ops.concatenate([values, 0 * products], axis=-1)
    output, found, _ = cell.step(inputs, states, shared)
    _, expected, _ = cell.step(inputs, states, cell.prepare(0 * memory, mask))
    assert_equal(found, expected)
    plain, _, _ = cell.step(inputs, states, cell.prepare(memory, mask))
    assert_equal(output[:, 5:], plain[:, 5:])  # the context


def test_training_drops_out_of_the_context_as_ever():
    found = []
    for shared in (False, True):
        keras.utils.set_random_seed(0)  # the same weights and the same dropout
        cell = make_cell(dropout=0.5)
        rng = np.random.default_rng(0)
        inputs, states, memory, mask = arguments(cell, rng, 2, 3, 5)
        memory = cell.prepare(memory, mask)
        memory = cell.share(memory) if shared else memory
        reading = cell.look_ahead(states, memory) if shared else None
        found.append(cell.step(inputs, states, memory, True, reading))
    assert_equal(*found)


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_cell("simple"),
        lambda: make_cell(dtype="mixed_bfloat16"),
        lambda: AttentionDecoder(
            keras.layers.GRUCell(5), BahdanauAttention(4), attend="after"
        ),
        lambda: AttentionDecoder(CELLS["stack"](), BahdanauAttention(4), "between"),
        lambda: AttentionDecoder(keras.layers.GRUCell(5), kattention.FixedContext()),
    ],
    ids=["simple", "bfloat16", "after", "between", "fixed"],
)
def test_a_memory_that_cannot_be_shared_stays_as_it_is(make, rng):
    cell = make()
    cell.build((None, 3), (None, None, 6))
    memory = cell.prepare(rng.normal(size=(2, 5, 6)))
    assert cell.share(memory) is memory


def test_a_reading_of_another_memory_is_refused(rng):
    cell = make_cell()
    inputs, states, memory, mask = arguments(cell, rng, 2, 3, 5)
    prepared = cell.prepare(memory, mask)
    reading = cell.look_ahead(states, prepared)
    with pytest.raises(ValueError, match="depth is 21, got depth 6: a shared memory"):
        cell.step(inputs, states, cell.share(prepared), reading=reading)


def test_a_memory_must_be_prepared_before_it_is_shared():
    with pytest.raises(ValueError, match=r"must be what prepare\(\) returned, got nd"):
        make_cell().share(np.zeros((2, 5, 6)))


def test_a_sequence_may_be_given_a_shared_memory(rng):
    cell = make_cell(dtype="float32")
    decoder = kattention.AttentionRNN(cell, return_sequences=True)
    inputs, memory = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 6))
    expected = decoder(inputs, memory=memory)
    shared = cell.share(cell.prepare(memory))
    for training in (False, True):
        found = decoder(inputs, memory=shared, training=training)
        np.testing.assert_allclose(
            ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=1e-5
        )


def test_a_model_shares_its_memory_and_an_ensemble_those_that_can():
    class Plain:
        """Somebody's own model, which knows of nothing to share."""

        def encode(self, source_ids):
            return np.ones((2, 3)), np.zeros((2, 1))

        def step(self, tokens, state, memory):
            raise NotImplementedError

    model, plain = make_seq2seq(), Plain()
    source, tokens = np.array([[5, 6, 7, 3], [8, 3, 0, 0]]), np.array([2, 2, 4, 5])
    found = []
    for memory, state in (model.encode(source), model.share(*model.encode(source))):
        state = [ops.repeat(part, 2, axis=0) for part in state]
        for _ in range(2):
            logits, state, alignment = model.step(tokens, state, memory)
        found.append([logits, alignment])
    assert_equal(*found, tolerance=1e-5)
    ensemble = kattention.Ensemble([model, plain])
    given = ensemble.encode(source)
    (shared, kept), (_, state) = ensemble.share(*given)
    assert set(shared) == {"key", "value", "mask", "shared"}
    assert kept is given[0][1] and state is given[1][1]
