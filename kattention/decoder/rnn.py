"""A decoder over a whole sequence: the loop around `AttentionDecoder`."""

from typing import Any, Literal, Self

import keras
from keras import ops

from kattention import checks
from kattention.compiled import policy
from kattention.decoder import plain
from kattention.decoder.cell import AttentionDecoder
from kattention.saving import revive
from kattention.types import Config, Memory, Nest, Shape, Tensor


@keras.saving.register_keras_serializable(package="kattention")
class AttentionRNN(keras.layers.Layer):
    """Runs an `AttentionDecoder` over a sequence, as `keras.layers.RNN` does.

    A whole sequence equals its steps made by hand with the cell. A masked
    target step repeats the state and the output before it, and its alignment
    is 0.

    Args:
        cell: An `AttentionDecoder`.
        return_sequences: Return the output of every step, not the last one.
        return_state: Return the final states too.
        return_attention_scores: Return the alignments too.
        fast: `"auto"` takes a compiled loop with a gradient of its own where
            that is possible: in training, on the TensorFlow backend, for GRU
            and LSTM cells, with any mechanism whose score XLA can compile, all
            of the layer's precision. Values and first derivatives are equal but
            for rounding. `True` raises where it is not possible, `False` never
            takes it.

    Call arguments:
        inputs: Floats `(B, T, Din)`.
        memory: The encoder's states `(B, S, D)`, or a memory prepared by
            `cell.prepare`.
        initial_state: A tensor, or the flat list of states, as
            `AttentionDecoder` has them, or its first ones: the cells' states
            must be there, the others are then initial. Zeros when absent.
        inputs_mask: Booleans `(B, T)`. Taken from the Keras mask of `inputs`
            when absent; that of the outputs is the Keras mask in any case.
        memory_mask: Booleans `(B, S)`. Taken from the Keras mask of `memory`
            when absent.
        training: Whether dropout is on.

    Returns:
        `outputs`, or `(outputs, *states, alignments)` with the parts that are
        asked for: outputs `(B, T, O)`, or `(B, O)` without
        `return_sequences`; each state `(B, D)`, those of the mechanism last;
        alignments `(B, T, S)`.

    Raises:
        ValueError: A rank, batch size, mask shape or initial state does not
            fit, or alignments are asked of a mechanism that has none.

    Example:

    >>> cell = AttentionDecoder(keras.layers.GRUCell(32), BahdanauAttention(16))
    >>> decoder = AttentionRNN(
    ...     cell, return_sequences=True, return_attention_scores=True
    ... )
    >>> inputs, memory = keras.ops.ones((2, 4, 8)), keras.ops.ones((2, 7, 24))
    >>> outputs, alignments = decoder(inputs, memory=memory)
    >>> tuple(outputs.shape), tuple(alignments.shape)
    ((2, 4, 56), (2, 4, 7))

    Source: Bahdanau et al. (2014), section 3.1 and appendix A.2.2.
    """

    def __init__(
        self,
        cell: AttentionDecoder,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        return_attention_scores: bool = False,
        fast: bool | Literal["auto"] = "auto",
        **kwargs: Any,
    ) -> None:
        # Not cast by Keras: a mechanism's states stay in float32.
        super().__init__(autocast=False, **kwargs)
        policy.check_fast(fast)
        if not isinstance(cell, AttentionDecoder):
            raise ValueError(
                f"cell must be a kattention.AttentionDecoder, got {cell!r}"
            )
        if return_attention_scores and not cell.attention.aligns:
            raise ValueError(
                "return_attention_scores must be False: "
                f"{type(cell.attention).__name__} has no alignments"
            )
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.return_attention_scores = return_attention_scores
        self.fast = fast
        self.supports_masking = True

    def build(self, inputs_shape: Shape, memory_shape: Shape) -> None:
        _check_inputs(inputs_shape, memory_shape)
        if not self.cell.built:
            self.cell.build((inputs_shape[0], inputs_shape[-1]), memory_shape)

    def call(
        self,
        inputs: Tensor,
        memory: Tensor | Memory,
        initial_state: Nest | None = None,
        inputs_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        memory_shape = keras.tree.map_structure(_shape, memory)
        _check_inputs(inputs.shape, memory_shape)
        self.cell.check_depths(inputs.shape, memory_shape)
        inputs = ops.cast(inputs, self.compute_dtype)
        memory = self._prepare(memory, memory_mask)
        batch = ops.shape(inputs)[0]
        zeros = self.cell.get_initial_state(batch, memory)
        states = self._initial_states(initial_state, zeros, inputs.shape[0])
        if inputs_mask is not None:
            checks.check_mask("inputs_mask", inputs_mask, inputs.shape[:2])
            inputs_mask = ops.cast(inputs_mask, "bool")
        sequence = (self.cell, inputs, memory, states, inputs_mask)
        if not training:
            outputs, states, alignments = plain.run(*sequence, noise={})
        else:
            self.cell.start_dropout(batch)
            shape = (batch, ops.shape(inputs)[1], ops.shape(memory["value"])[1])
            noise = self.cell.attention.draw_noise(shape)
            if self._is_fast():
                from kattention.compiled import decoder

                outputs, states, alignments = decoder.run(*sequence, noise)
            else:
                outputs, states, alignments = plain.run(*sequence, noise, training=True)
            self.cell.end_dropout()
        own = len(self.cell.state_size)
        return self._select(
            ops.cast(
                outputs if self.return_sequences else outputs[:, -1], self.compute_dtype
            ),
            [ops.cast(state, self.compute_dtype) for state in states[:own]]
            + list(states[own:]),
            ops.cast(alignments, self.compute_dtype),
        )

    def __call__(self, inputs: Tensor, memory: Any = None, **kwargs: Any) -> Any:
        if memory is None:
            raise ValueError(
                f"call {self.name} with inputs and a memory, as "
                "decoder(inputs, memory=encoded), got no memory"
            )
        return super().__call__(inputs, memory=memory, **kwargs)

    def _is_fast(self):
        cell, reason = self.cell, None
        if type(cell) is not AttentionDecoder:
            reason = f"the cell is a {type(cell).__name__}, not an AttentionDecoder"
        others = [cell, cell.attention]
        if cell.attention_layer is not None:
            reason = reason or policy.reason_against_dense(cell.attention_layer)
            others.append(cell.attention_layer)
        return policy.is_fast(self, cell.cells, others, reason)

    def _prepare(self, memory, mask):
        if not isinstance(memory, dict):
            if mask is not None:
                checks.check_mask("memory_mask", mask, memory.shape[:2])
            return self.cell.prepare(memory, mask)
        # Keras fills the mask of a nested argument with as many Nones.
        if any(part is not None for part in keras.tree.flatten(mask)):
            raise ValueError(
                "memory_mask must be None for a prepared memory, which holds its "
                "mask: give the mask to prepare()"
            )
        return memory

    def _initial_states(self, initial_state, zeros, batch):
        """The states that are given, and `zeros` in the place of the others."""
        if initial_state is None:
            return zeros
        states = keras.tree.flatten(initial_state)
        given = [tuple(state.shape) for state in states]
        own = self.cell.state_size
        least = len(own) - self.cell.order.has_vector
        sizes = [*own, *(None for _ in zeros[len(own) :])]
        if not least <= len(given) <= len(zeros) or any(
            len(shape) < 2 or (size is not None and shape[1:] != (size,))
            for shape, size in zip(given, sizes)
        ):
            raise ValueError(
                f"initial_state must be tensors of rank 2 and depths {sizes}, "
                f"got shapes {given}"
            )
        for shape in given:
            checks.check_same_batch("initial_state", shape, "inputs", (batch,))
        # The loop's state is the cell's, whose precision may be its own.
        states = [
            ops.cast(state, zero.dtype)
            for state, zero in zip(states, zeros, strict=False)
        ]
        return [*states, *zeros[len(states) :]]

    def _select(self, outputs, states, alignments):
        results = [outputs]
        if self.return_state:
            results += states
        if self.return_attention_scores:
            results.append(alignments)
        return results[0] if len(results) == 1 else tuple(results)

    def compute_mask(
        self, inputs: Tensor, previous_mask: Tensor | None
    ) -> Tensor | None:
        # Keras pairs masks with outputs in order: only the first has one.
        return previous_mask if self.return_sequences else None

    def compute_output_spec(
        self,
        inputs: Tensor,
        memory: Tensor | Memory,
        initial_state: Nest | None = None,
        inputs_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        memory_shape = keras.tree.map_structure(_shape, memory)
        _check_inputs(inputs.shape, memory_shape)
        if inputs_mask is not None:
            checks.check_mask("inputs_mask", inputs_mask, inputs.shape[:2])
        batch, length = inputs.shape[:2]
        if memory_mask is not None and not isinstance(memory, dict):
            checks.check_mask("memory_mask", memory_mask, memory_shape[:2])

        def spec(*shape):
            return keras.KerasTensor(shape, dtype=self.compute_dtype)

        steps = (length,) if self.return_sequences else ()
        outputs = spec(batch, *steps, self.cell.output_size)
        states = [spec(batch, size) for size in self.cell.state_size]
        states += self._mechanism_states(memory, memory_mask)
        self._initial_states(initial_state, states, batch)
        source = memory_shape["value"] if isinstance(memory, dict) else memory_shape
        return self._select(outputs, states, spec(batch, length, source[1]))

    def _mechanism_states(self, memory, mask):
        """The specs of the mechanism's states."""
        if not self.cell.attention.has_state:
            return []

        def states_of(memory):
            return self.cell.attention.open_state(self._prepare(memory, mask))

        return list(_Function(states_of).compute_output_spec(memory))

    def compute_output_shape(self, inputs_shape: Shape, memory_shape: Shape) -> Any:
        if not self.built:
            self.build(inputs_shape, memory_shape)
        specs = self.compute_output_spec(
            keras.KerasTensor(inputs_shape), keras.KerasTensor(memory_shape)
        )
        return keras.tree.map_structure(_shape, specs)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "return_attention_scores": self.return_attention_scores,
            "fast": self.fast,
        }

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: dict[str, Any] | None = None
    ) -> Self:
        return cls(**revive(config, custom_objects))


class _Function(keras.Operation):
    """A function as an operation, whose output Keras can tell without running it."""

    def __init__(self, function):
        super().__init__()
        self.call = function


def _shape(tensor):
    return tuple(tensor.shape)


def _check_inputs(inputs_shape, memory_shape):
    checks.check_rank("inputs", inputs_shape, (3,))
    if inputs_shape[1] == 0:
        raise ValueError(f"inputs must have a step, got shape {tuple(inputs_shape)}")
    if isinstance(memory_shape, dict):
        memory_shape = memory_shape["value"]
    checks.check_rank("memory", memory_shape, (3,))
    for name, shape in (("inputs", inputs_shape), ("memory", memory_shape)):
        if shape[-1] is None:
            raise ValueError(f"{name} must have a known depth, got {tuple(shape)}")
    checks.check_same_batch("memory", memory_shape, "inputs", inputs_shape)
