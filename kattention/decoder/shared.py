"""What the hypotheses that read one row of memory have in common.

A context is a sum of values, and the cell's product with it the same sum of
the values' products:

    (sum over j of a_ij h_j) W  =  sum over j of a_ij (h_j W)

Each `h_j W` is made once and put beside its value. A step then reads it with
the value, where it would multiply each hypothesis's context with `W`.
"""

from keras import ops

from kattention.attention import BahdanauAttention
from kattention.recurrent import gates


def can_share(decoder):
    """Whether a decoder's first cell is linear in the memory that it reads."""
    first, attention = decoder.cells[0], decoder.attention
    precisions = {part.compute_dtype for part in (decoder, first, attention)}
    return (
        decoder.attend == "before"
        # Of another mechanism the context may be no sum of values.
        and type(attention) is BahdanauAttention
        and not gates.reason_against(first)
        # The maps are read in float32 at least.
        and precisions <= {"float32", "float64"}
        and len(precisions) == 1
    )


def widen(value, cell):
    """Puts beside each value `(B, S, D)` what the cell's kernel makes of it."""
    kernel = gates.linear_maps(cell)[0]
    product = ops.matmul(value, kernel[-value.shape[-1] :])
    return ops.concatenate([value, product], axis=-1)


def run(cell, inputs, states, context_product):
    """Runs a cell on `[input; context]`, of which the context is multiplied already.

    Args:
        cell: A cell of which `gates` knows the form.
        inputs: Floats `(N, Din)`.
        states: The cell's states, `(N, H)` each.
        context_product: `(N, G)`, G the width of the cell's gates.

    Returns:
        `(output, states)`.
    """
    kernel, bias, recurrent, recurrent_bias = gates.linear_maps(cell)
    x = ops.matmul(inputs, kernel[: inputs.shape[-1]]) + bias + context_product
    r = ops.matmul(states[0], recurrent) + recurrent_bias
    form = gates.gates_of(cell)
    states = form(form.met(x, r), states)
    return states[0], states
