"""One step of a decoder that looks at a memory."""

from functools import partial

import keras
from keras import ops

from kattention.attention import shapes
from kattention.decoder import cells, shared

ORDERS = ("before", "between", "after")


@keras.saving.register_keras_serializable(package="kattention")
class AttentionDecoder(keras.layers.Layer):
    """One decoder step: recurrent cells, and attention in one of three places.

    With the previous state `s`, the input `y` and the memory `h`:

        before    c = attend(s, h);  s' = cells([y; c], s);  output [s'; c]
        between   r = cell1(y, s);  c = attend(r, h);  s' = cell2(c, r);
                  output [s'; c]
        after     s' = cells([y; a], s);  c = attend(s', h);
                  a' = attention_layer([s'; c]);  output a'

    `before` is the paper's. `between` is the conditional GRU of nematus: the
    cells share one state, cells after the second run on the output before
    them. `after` is Luong's, with input feeding; without an `attention_layer`
    the vector `a` is the context and the output is `[s'; c]`.

    The cell keeps no memory: it is an argument of every step. That is why
    `keras.layers.RNN` cannot run it and `AttentionRNN` does.

    Args:
        cell: A Keras RNN cell, or a list of them (a stack). The context is
            concatenated to the first cell's input only.
        attention: The mechanism, for example `BahdanauAttention`.
        attend: `"before"`, `"between"` or `"after"`. The query is the last
            cell's first state (`h` of an LSTM), the state between the first
            two cells, or the last cell's output.
        attention_layer: A Keras layer over `[output; context]`, for `"after"`.

    Call arguments:
        inputs: Floats `(N, Din)`.
        states: The flat list that the step before returned, or
            `get_initial_state`: each cell's states in order (the one shared
            state for `"between"`), then for `"after"` the attention vector.
        memory: What `prepare` or `share` returned, with `N` rows, or with `B`
            rows where `N = B * K`: then `K` rows in a row read one of memory.
        training: Whether dropout is on.
        reading: What `look_ahead` returned for these states and this memory, if
            it was asked.

    Returns:
        `(output, states, alignment)`: `(N, O)`, the flat list, and `(N, S)`,
        or `None` if the mechanism does not align.

    Raises:
        ValueError: The order is unknown, cells do not fit it, or inputs,
            states and memory do not fit each other.

    Example:

    >>> attention = BahdanauAttention(16)
    >>> cell = AttentionDecoder(keras.layers.GRUCell(32), attention)
    >>> cell.build((None, 8), (None, None, 24))
    >>> memory = cell.prepare(keras.ops.ones((2, 5, 24)))
    >>> states = cell.get_initial_state(batch_size=2)
    >>> output, states, alignment = cell.step(keras.ops.ones((2, 8)), states, memory)
    >>> tuple(output.shape), tuple(alignment.shape)
    ((2, 56), (2, 5))

    Sources: Bahdanau et al. (2014), appendix A.2.2 (`before`); Sennrich et
    al., "Nematus" (2017), section 2 (`between`); Luong et al., "Effective
    Approaches to Attention-based NMT" (2015), section 3.3 (`after`).
    """

    def __init__(
        self, cell, attention, attend="before", attention_layer=None, **kwargs
    ):
        super().__init__(**kwargs)
        if attend not in ORDERS:
            raise ValueError(f"attend must be one of {ORDERS}, got {attend!r}")
        if attention_layer is not None and attend != "after":
            raise ValueError(
                f"attention_layer goes with attend='after', got attend={attend!r}"
            )
        if not (hasattr(attention, "prepare") and hasattr(attention, "attend")):
            raise ValueError(
                "attention must have prepare and attend, as BahdanauAttention has, "
                f"got {attention!r}"
            )
        self.cells = cells.as_list(cell)
        self.attention = attention
        self.attend = attend
        self.attention_layer = attention_layer
        self._state_sizes = [cells.state_sizes(cell) for cell in self.cells]
        if attend == "between":
            if len(self.cells) < 2:
                raise ValueError(
                    f"attend='between' needs at least two cells, got {len(self.cells)}"
                )
            if any(sizes != self._state_sizes[0] for sizes in self._state_sizes):
                raise ValueError(
                    "attend='between' needs cells of equal state size, "
                    f"got {self._state_sizes}"
                )

    @property
    def state_size(self):
        """Not to be had: it is what `keras.layers.RNN` asks for first."""
        raise ValueError(
            "AttentionDecoder needs a memory at every step: wrap it in "
            "kattention.AttentionRNN, not in keras.layers.RNN"
        )

    def build(self, inputs_shape, memory_shape):
        batch, depth = inputs_shape[0], inputs_shape[-1]
        if isinstance(memory_shape, dict):
            raise ValueError(
                f"{self.name} has no weights yet: build it before prepare(), with "
                "build(inputs_shape, memory_shape) or by calling its AttentionRNN"
            )
        query_size = cells.output_size(self.cells[-1])
        if self.attend != "after":
            query_size = self._state_sizes[-1][0]
        if not self.attention.built:
            self.attention.build((batch, query_size), memory_shape)
        # The depth of the context, then of what is fed to the first cell.
        self._inputs_size, self._context_size = depth, memory_shape[-1]
        self._vector_size = self._context_size
        if self.attention_layer is not None:
            joined = (batch, cells.output_size(self.cells[-1]) + self._context_size)
            if not self.attention_layer.built:
                self.attention_layer.build(joined)
            vector_shape = self.attention_layer.compute_output_shape(joined)
            self._vector_size = vector_shape[-1]
        self._input_sizes = self._cell_input_sizes(depth)
        for cell, size in zip(self.cells, self._input_sizes):
            if not cell.built:
                cell.build((batch, size))

    def check_depths(self, inputs_shape, memory_shape):
        """Compares a call with what the cell was built for."""
        shapes.check_depth("inputs", inputs_shape, self._inputs_size)
        if not isinstance(memory_shape, dict):
            shapes.check_depth("memory", memory_shape, self._context_size)

    def _cell_input_sizes(self, depth):
        outputs = [cells.output_size(cell) for cell in self.cells]
        if self.attend == "between":
            return [depth, self._context_size, *outputs[1:-1]]
        return [depth + self._vector_size, *outputs[:-1]]

    @property
    def output_size(self):
        """Depth of a step's output; known once the cell is built."""
        if self.attention_layer is not None:
            return self._vector_size
        return cells.output_size(self.cells[-1]) + self._context_size

    @property
    def state_sizes(self):
        """Depth of each tensor of the flat list of states."""
        own = self._state_sizes[:1] if self.attend == "between" else self._state_sizes
        flat = [size for sizes in own for size in sizes]
        return [*flat, self._vector_size] if self.attend == "after" else flat

    def get_initial_state(self, batch_size):
        """Returns the flat list of states, as the cells begin: zeros mostly."""
        own = self.cells[:1] if self.attend == "between" else self.cells
        states = [
            state for cell in own for state in cells.initial_states(cell, batch_size)
        ]
        if self.attend == "after":
            if not self.built:
                raise ValueError(
                    f"{self.name} must be built before get_initial_state(): with "
                    "attend='after' the depth of a state is the memory's"
                )
            states.append(ops.zeros((batch_size, self._vector_size)))
        return [ops.cast(state, self.compute_dtype) for state in states]

    def prepare(self, memory, mask=None):
        """Prepares the encoder's states `(B, S, D)` and mask `(B, S)` once."""
        return self.attention.prepare(memory, mask=mask)

    def share(self, memory):
        """Adds to a memory what the hypotheses that read a row have in common.

        With `attend="before"` and `BahdanauAttention`, over a first cell that
        `FastRNN` would take: what the cell's kernel makes of each of the `S`
        values. A step adds these up where it would multiply each hypothesis's
        context. It is equal but for rounding, and faster with several
        hypotheses a row, while `S` is not above some 10 times as many, or with
        a batch of one row. In training it is not used.

        Args:
            memory: What `prepare` returned.

        Returns:
            The memory for `step`, as it came for other orders, mechanisms,
            cells and precisions.
        """
        shapes.check_prepared(memory)
        if not shared.can_share(self):
            return memory
        return {**memory, "shared": shared.widen(memory["value"], self.cells[0])}

    def step(self, inputs, states, memory, training=None, reading=None):
        """One step by hand: `__call__` by the name that a search uses."""
        # Said as None, it would be None for all layers around and after it too.
        told = {} if training is None else {"training": training}
        return self(inputs, list(states), memory, reading=reading, **told)

    def look_ahead(self, states, memory, training=None):
        """Reads for the next step, before anything else of it is known.

        With `attend="before"` the states alone say what a step reads. Looked
        at ahead, the memory is read while logits are still computed.

        Args:
            states: Those before the step.
            memory: What `prepare` or `share` returned.
            training: Whether dropout is on.

        Returns:
            The step's `reading`, `(context, alignment)`, the context of a
            shared memory with what the cell makes of it beside it; `None` for
            the other orders.
        """
        if self.attend != "before":
            return None
        return self._look(self._query(states), memory, training)

    def call(self, inputs, states, memory, training=None, reading=None):
        shapes.check_rank("inputs", inputs.shape, (2,))
        shapes.check_depth("inputs", inputs.shape, self._inputs_size)
        depths = [state.shape[-1] for state in states]
        if depths != self.state_sizes:
            raise ValueError(
                f"states must be tensors of depths {self.state_sizes}, got {depths}"
            )
        for state in states:
            shapes.check_same_batch("states", state.shape, "inputs", inputs.shape)
        if reading is not None and "shared" in memory:
            _check_reading(reading[0].shape[-1], memory["shared"].shape[-1])

        def look(query):
            context, alignment = reading or self._look(query, memory, training)
            if training:  # there is dropout between the context and the kernel
                context = context[:, : self._context_size]
            return context, alignment

        # Keras's cells keep their dropout mask until told to forget it: of
        # another batch, another graph.
        self.end_dropout()
        result = self.advance(inputs, list(states), look)
        self.end_dropout()
        return result

    def advance(self, inputs, states, look):
        """One step, with `look` from a query to `(context, alignment)`."""
        order = {
            "before": self._advance_before,
            "between": self._advance_between,
            "after": self._advance_after,
        }
        output, states, alignment = order[self.attend](inputs, states, look)
        # The cells and the attention may compute in other precisions.
        states = [ops.cast(state, self.compute_dtype) for state in states]
        return ops.cast(output, self.compute_dtype), states, alignment

    def _advance_before(self, inputs, states, look):
        context, alignment = look(self._query(states))
        if context.shape[-1] in (self._context_size, None):
            joined = ops.concatenate([inputs, context], axis=-1)
            output, states = self._run_stack(joined, states)
        else:
            context, product = ops.split(context, [self._context_size], axis=-1)
            run_first = partial(shared.run, context_product=product)
            output, states = self._run_stack(inputs, states, run_first)
        return ops.concatenate([output, context], axis=-1), states, alignment

    def _advance_between(self, inputs, states, look):
        first, second, *deeper = self.cells
        _, states = cells.run(first, inputs, states)
        context, alignment = look(states[0])
        output, states = cells.run(second, context, states)
        for cell in deeper:
            output, states = cells.run(cell, output, states)
        return ops.concatenate([output, context], axis=-1), states, alignment

    def _advance_after(self, inputs, states, look):
        *states, vector = states
        inputs = ops.concatenate([inputs, vector], axis=-1)
        output, states = self._run_stack(inputs, states)
        context, alignment = look(output)
        joined = ops.concatenate([output, context], axis=-1)
        if self.attention_layer is None:
            return joined, [*states, context], alignment
        vector = self.attention_layer(joined)
        return vector, [*states, vector], alignment

    def _query(self, states):
        """What `"before"` asks with: the first state of the last cell."""
        return states[len(states) - len(self._state_sizes[-1])]

    def _look(self, query, memory, training):
        """Attends with `(N, Dq)`, where `N = B * K` for the memory's `B` rows."""
        shapes.check_prepared(memory)
        value = memory.get("shared", memory["value"])
        memory = {**memory, "value": value}
        rows, batch = ops.shape(query)[0], ops.shape(value)[0]
        if isinstance(rows, int) and isinstance(batch, int):
            beams = rows // max(batch, 1)
            if beams * batch != rows:
                raise ValueError(
                    f"memory must have a number of rows that divides the {rows} "
                    f"rows of inputs, got {batch}"
                )
        else:  # a batch of no rows must not divide by zero
            beams = ops.maximum(rows, 1) // ops.maximum(batch, 1)
        query = ops.reshape(query, (batch, beams, query.shape[-1]))
        context, alignment, _ = self.attention.attend(query, memory, training=training)
        context = ops.reshape(context, (rows, context.shape[-1]))
        if alignment is not None:
            alignment = ops.reshape(alignment, (rows, ops.shape(alignment)[-1]))
        return context, alignment

    def _run_stack(self, output, states, run_first=cells.run):
        new_states, run = [], run_first
        for cell, sizes in zip(self.cells, self._state_sizes):
            own, states = states[: len(sizes)], states[len(sizes) :]
            output, own = run(cell, output, own)
            new_states += own
            run = cells.run
        return output, new_states

    def start_dropout(self, batch_size):
        """Draws the dropout masks of Keras's cells for a new sequence.

        They are drawn once a sequence, outside the loop: a mask made inside
        would belong to the loop's graph, one left over to another batch.
        """
        for cell, inputs, states in zip(
            self.cells, self._input_sizes, self._state_sizes
        ):
            if hasattr(cell, "reset_dropout_mask"):
                cell.reset_dropout_mask()
                cell.reset_recurrent_dropout_mask()
                like = {"dtype": cell.compute_dtype}
                cell.get_dropout_mask(ops.ones((batch_size, inputs), **like))
                cell.get_recurrent_dropout_mask(
                    ops.ones((batch_size, states[0]), **like)
                )

    def end_dropout(self):
        """Forgets the masks that `start_dropout` drew."""
        for cell in self.cells:
            if hasattr(cell, "reset_dropout_mask"):
                cell.reset_dropout_mask()
                cell.reset_recurrent_dropout_mask()

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        layer = self.attention_layer
        return {
            **super().get_config(),
            "cell": [serialize(cell) for cell in self.cells],
            "attention": serialize(self.attention),
            "attend": self.attend,
            "attention_layer": None if layer is None else serialize(layer),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)

        def revive(item):
            return keras.saving.deserialize_keras_object(item, custom_objects)

        config["cell"] = [revive(cell) for cell in config["cell"]]
        config["attention"] = revive(config["attention"])
        if config["attention_layer"] is not None:
            config["attention_layer"] = revive(config["attention_layer"])
        return cls(**config)


def _check_reading(depth, expected):
    if depth != expected:
        raise ValueError(
            f"reading must be of this memory, whose depth is {expected}, got depth "
            f"{depth}: a shared memory goes with the state that share() returned"
        )
