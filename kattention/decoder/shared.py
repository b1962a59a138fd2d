"""What the hypotheses that read one row of memory have in common.

A context is a sum of values, and the cell's product with it the same sum of
the values' products:

    (sum over j of a_ij h_j) W  =  sum over j of a_ij (h_j W)

Each `h_j W` is made once. A step then adds up a few of them for a hypothesis,
where it would multiply its context with `W`.
"""

from keras import ops

from kattention.attention import BahdanauAttention
from kattention.recurrent import gates

# Where a memory holds the products `(B, S, G)`, G the width of the cell's gates.
PRODUCTS = "products"


def hypotheses(rows, batch):
    """How many of so many rows read each of the `batch` rows of a memory."""
    if not (isinstance(rows, int) and isinstance(batch, int)):
        # A batch of no rows must not divide by zero.
        return ops.maximum(rows, 1) // ops.maximum(batch, 1)
    each = rows // max(batch, 1)
    if each * batch != rows:
        raise ValueError(
            f"memory must have a number of rows that divides the {rows} rows of "
            f"inputs, got {batch}"
        )
    return each


def can_share(decoder):
    """Whether a decoder's first cell is linear in the memory that it reads."""
    first, attention = decoder.cells[0], decoder.attention
    precisions = {part.compute_dtype for part in (decoder, first, attention)}
    return (
        decoder.attend == "before"
        # Another mechanism's weights may not be all there is to its context.
        and type(attention) is BahdanauAttention
        and not gates.reason_against(first)
        # The maps are read in float32 at least.
        and precisions <= {"float32", "float64"}
        and len(precisions) == 1
    )


def products(cell, value):
    """What the cell's kernel makes of each value `(B, S, D)`."""
    kernel = gates.linear_maps(cell)[0]
    return ops.matmul(value, kernel[-value.shape[-1] :])


def read(alignment, products):
    """What each row of an alignment `(N, S)` reads of products: `(N, G)`."""
    rows, (batch, source, width) = ops.shape(alignment)[0], ops.shape(products)
    each = ops.reshape(alignment, (batch, hypotheses(rows, batch), source))
    return ops.reshape(ops.matmul(each, products), (rows, width))


def run(cell, inputs, states, context_product):
    """Runs a cell on `[input; context]`, of which the context is multiplied already.

    Args:
        cell: A cell of which `gates` knows the form.
        inputs: Floats `(N, Din)`.
        states: The cell's states, `(N, H)` each.
        context_product: `(N, G)`.

    Returns:
        `(output, states)`.
    """
    kernel, bias, recurrent, recurrent_bias = gates.linear_maps(cell)
    x = ops.matmul(inputs, kernel[: inputs.shape[-1]]) + context_product + bias
    r = ops.matmul(states[0], recurrent) + recurrent_bias
    form = gates.gates_of(cell)
    states = form(form.met(x, r), states)
    return states[0], states
