"""One step of a decoder that attends to a memory."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import keras
from keras import ops

from kattention import checks
from kattention.attention import AttentionMechanism
from kattention.decoder import cells as keras_cells
from kattention.decoder.orders import ORDERS
from kattention.saving import revive
from kattention.types import Config, Memory, Shape, Tensor


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
    cells share one state, and cells after the second run on the output before
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
            state for `"between"`), then for `"after"` the attention vector,
            then the states of the mechanism.
        memory: What `prepare` returned, with `N` rows, or with `B` rows where
            `N = B * K`: then each row of memory is read by `K` rows in
            succession.
        training: Whether dropout is on.

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
    >>> states = cell.get_initial_state(batch_size=2, memory=memory)
    >>> output, states, alignment = cell.step(keras.ops.ones((2, 8)), states, memory)
    >>> tuple(output.shape), tuple(alignment.shape)
    ((2, 56), (2, 5))

    Sources: Bahdanau et al. (2014), appendix A.2.2 (`before`); Sennrich et
    al., "Nematus" (2017), section 2 (`between`); Luong et al., "Effective
    Approaches to Attention-based NMT" (2015), section 3.3 (`after`).
    """

    def __init__(
        self,
        cell: keras.layers.Layer | Sequence[keras.layers.Layer],
        attention: AttentionMechanism,
        attend: Literal["before", "between", "after"] = "before",
        attention_layer: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        # Not cast by Keras: a mechanism's states stay in float32.
        super().__init__(autocast=False, **kwargs)
        if attend not in ORDERS:
            raise ValueError(f"attend must be one of {tuple(ORDERS)}, got {attend!r}")
        if not isinstance(attention, AttentionMechanism):
            raise ValueError(
                "attention must be a kattention.AttentionMechanism, as "
                f"BahdanauAttention is, got {attention!r}"
            )
        self.cells = keras_cells.as_list(cell)
        self.attention = attention
        self.attend = attend
        self.attention_layer = attention_layer
        self.order = ORDERS[attend](self.cells, attention_layer)
        self._vector_size: int | None = None  # known once it is built
        self.supports_masking = True

    def build(self, inputs_shape: Shape, memory_shape: Shape | None = None) -> None:
        memory_shape = self._check_memory(memory_shape)
        batch, depth = inputs_shape[0], inputs_shape[-1]
        if isinstance(memory_shape, dict):
            raise ValueError(
                f"{self.name} has no weights yet: build it before prepare(), with "
                "build(inputs_shape, memory_shape) or by calling its AttentionRNN"
            )
        if not self.attention.built:
            self.attention.build((batch, self.order.query_size), memory_shape)
        self._inputs_size, self._context_size = depth, memory_shape[-1]
        self._vector_size = self._context_size
        if self.attention_layer is not None:
            joined = (batch, self.order.output_size + self._context_size)
            if not self.attention_layer.built:
                self.attention_layer.build(joined)
            vector_shape = self.attention_layer.compute_output_shape(joined)
            self._vector_size = vector_shape[-1]
        self._input_sizes = self.order.input_sizes(
            depth, self._context_size, self._vector_size
        )
        for cell, size in zip(self.cells, self._input_sizes, strict=True):
            if not cell.built:
                cell.build((batch, size))

    def check_depths(
        self, inputs_shape: Shape, memory_shape: Shape | dict[str, Shape]
    ) -> None:
        """Compares a call with what the cell was built for."""
        checks.check_depth("inputs", inputs_shape, self._inputs_size)
        if not isinstance(memory_shape, dict):
            checks.check_depth("memory", memory_shape, self._context_size)

    @property
    def output_size(self) -> int | None:
        """Depth of a step's output; known once the cell is built."""
        if self.attention_layer is not None:
            return self._vector_size
        return self.order.output_size + self._context_size

    @property
    def state_size(self) -> list[int]:
        """Depth of each state but the mechanism's, which may have none."""
        return self.order.state_sizes(self._vector_size)

    def get_initial_state(
        self, batch_size: int | Tensor, memory: Memory | None = None
    ) -> list[Tensor]:
        """Returns the flat list of states before the first step.

        Args:
            batch_size: Number of rows.
            memory: What `prepare` returned, for a mechanism with a state.
        """
        if self.order.has_vector and not self.built:
            raise ValueError(
                f"{self.name} must be built before get_initial_state(): with "
                f"attend={self.attend!r} the depth of a state is the memory's"
            )
        states = [
            state
            for cell in self.order.cells_with_state(self.cells)
            for state in keras_cells.initial_states(cell, batch_size)
        ]
        missing = self.state_size[len(states) :]
        states += [ops.zeros((batch_size, size)) for size in missing]
        states = [ops.cast(state, self.compute_dtype) for state in states]
        if not self.attention.has_state:
            return states
        if memory is None:
            raise ValueError(
                "get_initial_state needs memory, which the state of "
                f"{type(self.attention).__name__} depends on, got None"
            )
        # As in `call`: several rows may read one row of memory.
        beams = _beams(batch_size, ops.shape(memory["value"])[0])
        opened = self.attention.open_state(memory)
        return [*states, *(ops.repeat(part, beams, axis=0) for part in opened)]

    def prepare(self, memory: Tensor, mask: Tensor | None = None) -> Memory:
        """Prepares the encoder's states `(B, S, D)` once, for any number of steps.

        Args:
            memory: Floats `(B, S, D)`.
            mask: Booleans `(B, S)`. The Keras mask of `memory` when absent.
        """
        return self.attention.prepare(memory, mask=mask)

    def step(
        self,
        inputs: Tensor,
        states: Sequence[Tensor],
        memory: Memory,
        training: bool | None = None,
    ) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """One step by hand: `__call__` under the name that a search uses."""
        # Passing `training=None` would override the value that Keras propagates.
        given = {} if training is None else {"training": training}
        return self(inputs, list(states), memory, **given)

    def call(
        self,
        inputs: Tensor,
        states: Sequence[Tensor],
        memory: Memory | None = None,
        training: bool | None = None,
    ) -> tuple[Tensor, list[Tensor], Tensor | None]:
        memory = self._check_memory(memory)
        checks.check_rank("inputs", inputs.shape, (2,))
        checks.check_depth("inputs", inputs.shape, self._inputs_size)
        checks.check_prepared(memory)
        self._check_states(inputs, states)
        # Keras's cells keep their dropout mask until told to forget it: it would
        # be of another batch or another graph.
        self.end_dropout()
        beams = _beams(ops.shape(inputs)[0], ops.shape(memory["value"])[0])
        if self.attention.has_state:
            memory = {
                name: ops.repeat(part, beams, axis=0) for name, part in memory.items()
            }
            beams = None
        result = self.advance(inputs, states, memory, training, beams)
        self.end_dropout()
        return result

    def advance(
        self,
        inputs: Tensor,
        states: Sequence[Tensor],
        memory: Memory,
        training: bool | None = None,
        beams: int | Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """One step without checks, for loops: see `call`.

        Args:
            inputs, states, memory: As in `call`.
            training: Whether dropout is on. A loop has drawn the cells' masks.
            beams: How many rows of inputs read each row of memory; one if
                `None`.
        """
        own = len(self.state_size)
        states, state = list(states[:own]), tuple(states[own:])
        parts = _Parts(self, memory, state, training, beams)
        inputs = ops.cast(inputs, self.compute_dtype)
        outputs, states = self.order.step(parts, inputs, states)
        # The cells and the attention may compute in other precisions.
        states = [ops.cast(part, self.compute_dtype) for part in states]
        output = ops.cast(_join(outputs), self.compute_dtype)
        alignment = parts.alignment
        if alignment is not None:
            alignment = ops.cast(alignment, self.compute_dtype)
        return output, [*states, *parts.state], alignment

    def compute_mask(
        self, inputs: Tensor, previous_mask: Tensor | None
    ) -> Tensor | None:
        return None  # one step has no sequence to mask

    def _check_memory(self, memory):
        if memory is None:
            raise ValueError(
                f"{self.name} needs a memory at every step: run it with "
                "kattention.AttentionRNN, not with keras.layers.RNN"
            )
        return memory

    def _check_states(self, inputs, states):
        sizes = self.state_size
        given = [tuple(state.shape) for state in states]
        if [shape[-1] for shape in given[: len(sizes)]] != sizes or (
            len(given) > len(sizes)
        ) != self.attention.has_state:
            kind = type(self.attention).__name__
            more = f" and the states of {kind}" * self.attention.has_state
            raise ValueError(
                f"states must be tensors of depths {sizes}{more}, got shapes {given}"
            )
        for shape in given:
            checks.check_same_batch("states", shape, "inputs", inputs.shape)

    def start_dropout(self, batch_size: int | Tensor) -> None:
        """Draws the dropout masks of Keras's cells for a new sequence.

        They are drawn once a sequence, outside the loop: a mask made inside
        would belong to the loop's graph, one left over to another batch.
        """
        self.end_dropout()
        for cell, inputs in zip(self.cells, self._input_sizes, strict=True):
            if hasattr(cell, "get_dropout_mask"):
                like = {"dtype": cell.compute_dtype}
                cell.get_dropout_mask(ops.ones((batch_size, inputs), **like))
                size = keras_cells.state_sizes(cell)[0]
                cell.get_recurrent_dropout_mask(ops.ones((batch_size, size), **like))

    def end_dropout(self) -> None:
        """Forgets the masks that `start_dropout` drew."""
        for cell in self.cells:
            if hasattr(cell, "reset_dropout_mask"):
                cell.reset_dropout_mask()
                cell.reset_recurrent_dropout_mask()

    def get_config(self) -> Config:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "cell": serialize(self.cells),
            "attention": serialize(self.attention),
            "attend": self.attend,
            "attention_layer": serialize(self.attention_layer),
        }

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: dict[str, Any] | None = None
    ) -> Self:
        return cls(**revive(config, custom_objects))


class _Parts:
    """What an order puts a step together from, and what the step leaves behind."""

    def __init__(self, decoder, memory, state, training, beams):
        self.decoder, self.memory, self.training = decoder, memory, training
        self.state, self.beams = state, beams
        self.alignment = None

    def run(self, number, inputs, states):
        return keras_cells.run(self.decoder.cells[number], _join(inputs), states)

    def combine(self, parts):
        return self.decoder.attention_layer(_join(parts))

    def attend(self, query):
        """Attends with `(N, Dq)`, all `K` queries of a row of memory at once."""
        rows = ops.shape(query)[0]
        if self.beams is not None:
            batch = ops.shape(self.memory["value"])[0]
            query = ops.reshape(query, (batch, self.beams, query.shape[-1]))
        context, alignment, self.state = self.decoder.attention.attend(
            query, self.memory, self.state, self.training
        )
        if self.beams is not None:
            context = ops.reshape(context, (rows, context.shape[-1]))
            if alignment is not None:
                alignment = ops.reshape(alignment, (rows, ops.shape(alignment)[-1]))
        self.alignment = alignment
        return context


def _beams(rows, batch):
    """How many of the rows read each of the batch's rows of memory."""
    if not (isinstance(rows, int) and isinstance(batch, int)):
        # A batch of no rows must not divide by zero.
        return ops.maximum(rows, 1) // ops.maximum(batch, 1)
    beams = rows // max(batch, 1)
    if beams * batch != rows:
        raise ValueError(
            f"memory must have a number of rows that divides the {rows} rows of "
            f"inputs, got {batch}"
        )
    return beams


def _join(parts):
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)
