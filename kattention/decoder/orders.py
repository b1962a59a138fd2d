"""When a decoder attends: before its cells run, between two of them, or after.

An order puts a step together from parts that the caller has, so that the plain
loop, a step by hand and the compiled loop share it:

    parts.run(number, inputs, states) -> (output, states)   # one cell
    parts.attend(query) -> context
    parts.combine([output, context]) -> attention vector    # with a layer

`inputs` is a list of tensors that are concatenated. Only the first cell takes
more than one; the compiled loop relies on that.
"""

from kattention.decoder import cells as keras_cells


class _Order:
    """Sizes of the cells, and what the orders have in common.

    Attributes:
        query_size: Depth of the query.
        output_size: Depth of the last cell's output.
        has_vector: Whether the last of the states is an attention vector.
    """

    query_size: int
    has_vector = False

    def __init__(self, cells, attention_layer=None):
        self.state_counts = [len(keras_cells.state_sizes(cell)) for cell in cells]
        self.cell_sizes = [keras_cells.state_sizes(cell) for cell in cells]
        self.output_sizes = [keras_cells.output_size(cell) for cell in cells]
        self.output_size = self.output_sizes[-1]

    def input_sizes(self, depth, context, vector):
        """Depth of each cell's input, for inputs, contexts and vectors so deep."""
        return [depth + context, *self.output_sizes[:-1]]

    def state_sizes(self, vector):
        """Depth of each state, for attention vectors so deep."""
        return [size for sizes in self.cell_sizes for size in sizes]

    def cells_with_state(self, cells):
        """The cells whose states the decoder carries."""
        return cells

    def step(self, parts, inputs, states):
        """Runs one step of `parts`: returns `(list of outputs, states)`."""
        raise NotImplementedError(f"{type(self).__name__} must write step()")

    def _run_all(self, parts, inputs, states):
        """Runs all cells, each with its own states."""
        new = []
        for number, count in enumerate(self.state_counts):
            output, own = parts.run(number, inputs, states[:count])
            inputs, states, new = [output], states[count:], [*new, *own]
        return output, new


class Before(_Order):
    """The paper's: attend with the previous state, then run the cells.

        c = attend(s);  s' = cells([y; c], s);  output [s'; c]

    The query is the last cell's first state, `h` of an LSTM.
    """

    def __init__(self, cells, attention_layer=None):
        super().__init__(cells)
        _refuse(attention_layer, "before")
        self.query_size = self.cell_sizes[-1][0]

    def step(self, parts, inputs, states):
        query = states[-self.state_counts[-1]]
        context = parts.attend(query)
        output, states = self._run_all(parts, [inputs, context], states)
        return [output, context], states


class Between(_Order):
    """The conditional GRU: attend between two cells that share one state.

        r = cell1(y, s);  c = attend(r);  s' = cell2(c, r);  output [s'; c]

    Further cells run on the output before them and the shared state.
    """

    def __init__(self, cells, attention_layer=None):
        super().__init__(cells)
        _refuse(attention_layer, "between")
        if len(cells) < 2:
            raise ValueError(
                f"attend='between' needs at least two cells, got {len(cells)}"
            )
        if any(sizes != self.cell_sizes[0] for sizes in self.cell_sizes):
            raise ValueError(
                "attend='between' needs cells of equal state size, "
                f"got {self.cell_sizes}"
            )
        self.query_size = self.cell_sizes[0][0]

    def input_sizes(self, depth, context, vector):
        return [depth, context, *self.output_sizes[1:-1]]

    def state_sizes(self, vector):
        return self.cell_sizes[0]

    def cells_with_state(self, cells):
        return cells[:1]

    def step(self, parts, inputs, states):
        _, states = parts.run(0, [inputs], states)
        context = parts.attend(states[0])
        output = context
        for number in range(1, len(self.state_counts)):
            output, states = parts.run(number, [output], states)
        return [output, context], states


class After(_Order):
    """Luong's, with input feeding: run the cells, then attend.

        s' = cells([y; a], s);  c = attend(s');  a' = layer([s'; c]);  output a'

    Without a layer the attention vector `a` is the context, and the output is
    `[s'; c]`. The attention vector is the last of the states.
    """

    has_vector = True

    def __init__(self, cells, attention_layer=None):
        super().__init__(cells)
        self.query_size = self.output_size
        self.has_layer = attention_layer is not None

    def input_sizes(self, depth, context, vector):
        return super().input_sizes(depth, vector, vector)

    def state_sizes(self, vector):
        return [*super().state_sizes(vector), vector]

    def step(self, parts, inputs, states):
        *states, vector = states
        output, states = self._run_all(parts, [inputs, vector], states)
        context = parts.attend(output)
        if not self.has_layer:
            return [output, context], [*states, context]
        vector = parts.combine([output, context])
        return [vector], [*states, vector]


def _refuse(attention_layer, name):
    if attention_layer is not None:
        raise ValueError(
            f"attention_layer goes with attend='after', got attend={name!r}"
        )


ORDERS = {"before": Before, "between": Between, "after": After}
