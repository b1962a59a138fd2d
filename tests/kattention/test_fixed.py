"""The control: the encoder's final state as a constant context."""

import numpy as np
import pytest
from keras import ops

from kattention import FixedContext

pytestmark = pytest.mark.any_backend
to_numpy = ops.convert_to_numpy


def test_the_fixed_context_is_the_final_state_of_both_directions():
    value = np.arange(2 * 3 * 4, dtype="float32").reshape(2, 3, 4)
    mask = np.array([[1, 1, 1], [1, 1, 0]], bool)
    layer = FixedContext()
    layer.build((2, 5), value.shape)
    context, weights, _ = layer.attend(
        np.zeros((2, 5), "float32"), layer.prepare(value, mask=mask)
    )
    assert weights is None
    assert to_numpy(context).tolist() == [[8, 9, 2, 3], [16, 17, 14, 15]]
    np.testing.assert_array_equal(
        to_numpy(layer(np.zeros((2, 5), "float32"), value, value_mask=mask)),
        to_numpy(context),
    )


def test_the_fixed_context_is_that_of_valid_positions_wherever_they_are():
    value = np.arange(12, dtype="float32").reshape(1, 3, 4)
    for mask, expected in (
        ([True, False, True], [8, 9, 2, 3]),
        ([False, True, True], [8, 9, 6, 7]),
        ([False, False, False], [0, 0, 0, 0]),
    ):
        layer = FixedContext()
        layer.build((1, 5), value.shape)
        memory = layer.prepare(value, mask=np.array([mask]))
        np.testing.assert_array_equal(to_numpy(memory["value"])[0, 0], expected)


def test_padding_may_hold_anything_for_a_fixed_context():
    value = np.ones((2, 3, 4), "float32")
    value[0, 2] = value[1] = np.nan
    mask = np.array([[1, 1, 0], [0, 0, 0]], bool)
    layer = FixedContext()
    layer.build((2, 5), value.shape)
    memory = layer.prepare(value, mask=mask)
    np.testing.assert_array_equal(to_numpy(memory["value"])[:, 0], [[1] * 4, [0] * 4])
    with pytest.raises(
        ValueError, match=r"mask must have shape \(2, 3\), got \(1, 3\)"
    ):
        layer.prepare(value, mask=mask[:1])


def test_it_has_no_alignments_to_return():
    query, value = np.ones((2, 3, 5), "float32"), np.ones((2, 4, 6), "float32")
    assert FixedContext()(query, value).shape == (2, 3, 6)
    with pytest.raises(ValueError, match="FixedContext has no alignments"):
        FixedContext()(query, value, return_attention_scores=True)
