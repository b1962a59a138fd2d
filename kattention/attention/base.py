"""What all attention mechanisms have in common."""

from typing import Any

import keras
from keras import ops

from kattention import checks
from kattention.attention.weights import masked_softmax, valid_only, weighted_sum
from kattention.implicit_masks import mask_of
from kattention.over_time import over_time
from kattention.precision import as_precise
from kattention.types import Config, Memory, Shape, State, Tensor


class AttentionMechanism(keras.layers.Layer):
    """Base class of attention mechanisms: write a score, inherit the rest.

    For a query `s_i` and the positions `j` of a memory:

        e_ij = score(query, memory, state)
        a_ij = softmax over the valid j of e_ij
        c_i  = sum over j of a_ij h_j

    A mechanism must write `score`. It may write:

    - `build`, which adds its weights;
    - `project_key`, run once for a memory, and `project_query`, run once a
      step; `project_query` must be linear;
    - `initial_state` and `next_state`, for tensors that a decoder carries from
      step to step, such as the alignment before this one;
    - `weigh`, where the weights are not a softmax of the scores;
    - `get_config`, where its constructor has arguments of its own.

    Masks, dropout, precision, shape checks and the loops over steps are
    inherited. Masked positions get weight exactly 0. A row without any valid
    position, and a masked query, get weights 0 and context 0.

    `score`, `weigh` and `next_state` must be pure: they use their arguments and
    the layer's weights, cast by `cast`, and store nothing. A loop may pad the
    source with masked positions, which must not change the result at the valid
    ones. In a decoder's loop all arguments are of one step: query `(B, U)`,
    scores and weights `(B, S)`.

    Args:
        dropout: Rate of dropout on the weights that form the context. The
            weights that are returned are those before dropout.

    Call arguments:
        query: Floats `(B, T, Dq)`, or `(B, Dq)` for one step.
        value: Floats `(B, S, Dv)`, what is averaged.
        key: Floats `(B, S, Dk)`, what is scored; `value` when absent.
        query_mask: Booleans `(B, T)`, or `(B,)` for one step. Taken from the
            Keras mask of `query` when absent; that of the context is the Keras
            mask in any case.
        value_mask: Booleans `(B, S)`. Taken from the Keras mask of `value`
            when absent.
        return_attention_scores: Return the weights too.
        training: Whether dropout is on.

    Returns:
        The context `(B, T, Dv)`, or `(context, weights)` with weights
        `(B, T, S)` if `return_attention_scores`. Both lack the axis `T` for a
        query of rank 2. Both have the layer's compute dtype.

    Raises:
        ValueError: A rank, depth, length, dtype or mask shape does not fit.

    Example:

    >>> class Recency(AttentionMechanism):
    ...     def score(self, query, memory, state):
    ...         match = ops.sum(ops.expand_dims(query, -2) * memory["key"], axis=-1)
    ...         return match - state[0]  # do not read a position twice
    ...
    ...     def initial_state(self, memory):
    ...         return (ops.zeros_like(memory["value"][..., 0]),)
    ...
    ...     def next_state(self, weights, memory, state):
    ...         return (state[0] + weights,)
    >>> query, value = ops.ones((2, 5, 8)), ops.ones((2, 7, 8))
    >>> tuple(Recency()(query, value).shape)
    (2, 5, 8)

    Source: Bahdanau, Cho and Bengio (2014), section 3.1; with a state:
    Chorowski et al., "Attention-Based Models for Speech Recognition" (2015),
    section 2.2.
    """

    # False where the weights say nothing about the source: they are then neither
    # returned nor shown as an alignment.
    aligns = True

    def __init__(self, *, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout!r}")
        self.dropout = dropout
        self._query_depth: int | None = None  # known once it is built
        self._key_depth: int | None = None
        self.seed_generator = keras.random.SeedGenerator() if dropout else None
        self.supports_masking = True

    # What a mechanism writes.

    def build(
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        """Adds the weights. An override calls this first: it checks the shapes."""
        checks.check_inputs(query_shape, value_shape, key_shape)
        self._query_depth = query_shape[-1]
        self._key_depth = (key_shape or value_shape)[-1]

    def project_key(self, key: Tensor) -> Tensor:
        """Maps keys `(B, S, Dk)`, once for a memory."""
        return key

    def project_query(self, query: Tensor) -> Tensor:
        """Maps queries `(..., Dq)` linearly, once a step."""
        return query

    def score(self, query: Tensor, memory: Memory, state: State) -> Tensor:
        """Scores every position of the memory: returns `(B, S)` or `(B, T, S)`.

        Args:
            query: What `project_query` returned, `(B, U)`; for a mechanism
                without state `(B, T, U)` too.
            memory: What `prepare` returned.
            state: A tuple of tensors in the query's dtype, `()` without state.
        """
        raise NotImplementedError(f"{type(self).__name__} must write score()")

    def initial_state(self, memory: Memory) -> State:
        """Returns a tuple of tensors with B rows, which are kept in float32."""
        return ()

    def weigh(self, scores: Tensor, memory: Memory, state: State) -> Tensor:
        """Turns scores `(..., S)` into weights, in float32 at least."""
        return masked_softmax(scores, memory.get("mask"))

    def next_state(self, weights: Tensor, memory: Memory, state: State) -> State:
        """Returns the state after a step with `weights` `(B, S)`, both float32."""
        return state

    # What a loop may ask for, with a default that fits most mechanisms.

    @property
    def has_state(self) -> bool:
        """Whether the mechanism carries a state: it does if it writes one."""
        return type(self).initial_state is not AttentionMechanism.initial_state

    def score_many(
        self, query: Tensor, memory: Memory, training: bool | None
    ) -> Tensor:
        """Scores a long query `(B, T, U)` outside a decoder, without state.

        For a score whose intermediate tensors are large: it may go through the
        query in blocks.
        """
        return self.score(query, memory, ())

    def draw_noise(self, shape: tuple[Any, ...]) -> dict[str, Tensor]:
        """Draws what is random in training, for weights of `shape` `(B, T, S)`.

        A loop over steps draws all of it before it starts, because on some
        backends a random state cannot change inside a loop. A step finds its
        part, `(B, S)` each, in `memory["noise"]`, where it is in training.

        Returns:
            A dict of names and tensors of that shape. `"dropout"` holds the
            factors by which dropout multiplies the weights.
        """
        if not self.dropout:
            return {}
        ones = ops.ones(shape, dtype=self.compute_dtype)
        drawn = keras.random.dropout(ones, self.dropout, seed=self.seed_generator)
        return {"dropout": drawn}

    def step(self, query: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """Reads once: the pure function that a compiled loop differentiates.

        From what `project_query` returned, `(B, U)`, to `(weights (B, S), state)`,
        both in float32 at least.
        """
        # A score is computed in one precision; the state is carried in a higher one.
        rounded = tuple(ops.cast(part, query.dtype) for part in state)
        scores = self._check_scores(self.score(query, memory, rounded), query, memory)
        weights = self.weigh(scores, memory, state)
        state = self._as_state("next_state", self.next_state(weights, memory, state))
        return weights, state

    # What users and decoders call.

    def prepare(
        self, value: Tensor, key: Tensor | None = None, mask: Tensor | None = None
    ) -> Memory:
        """Prepares a memory once, for any number of queries.

        Args:
            value: Floats `(B, S, Dv)`.
            key: Floats `(B, S, Dk)`; `value` when absent.
            mask: Booleans `(B, S)`. The Keras mask of `value` when absent.

        Returns:
            The memory: a dict of `"key"` `(B, S, U)`, `"value"` `(B, S, Dv)`
            and, if a mask is given, `"mask"` `(B, S)`. Rows can be gathered.
        """
        self._check_built("prepare")
        mask = mask_of(value) if mask is None else mask
        value = self._convert("value", value)
        key = value if key is None else self._convert("key", key)
        checks.check_memory(value.shape, key.shape)
        scored = "value" if key is value else "key"
        checks.check_depth(scored, key.shape, self._key_depth)
        memory = {}
        if mask is not None:
            checks.check_mask("mask", mask, value.shape[:-1])
            memory["mask"] = mask = ops.cast(mask, "bool")
            key, value = valid_only(key, mask), valid_only(value, mask)
        return {**memory, "key": self.project_key(key), "value": value}

    def open_state(self, memory: Memory) -> State:
        """Returns the initial state as a tuple, in float32 at least."""
        return self._as_state("initial_state", self.initial_state(memory))

    def attend(
        self,
        query: Tensor,
        memory: Memory,
        state: State | None = None,
        training: bool | None = None,
    ) -> tuple[Tensor, Tensor | None, State]:
        """Reads a prepared memory.

        Args:
            query: Floats `(B, T, Dq)`, or `(B, Dq)` for one step.
            memory: What `prepare` returned.
            state: What the call before returned; the initial state when absent.
            training: Whether dropout is on.

        Returns:
            `(context, weights, state)`, shaped as `__call__` returns them.
            The weights are `None` for a mechanism that does not align.
        """
        return self._attend(query, memory, state, training, self._score_few)

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        self._check_returned(return_attention_scores)
        key_shape = None if key is None else key.shape
        checks.check_inputs(query.shape, value.shape, key_shape)
        if value_mask is not None:
            checks.check_mask("value_mask", value_mask, value.shape[:-1])
        memory = self.prepare(value, key, value_mask)
        if query.shape[1] == 0 and self.has_state:
            raise ValueError(f"query must have a step, got shape {query.shape}")
        long = len(query.shape) == 3 and 0 not in (query.shape[1], value.shape[1])
        score = self.score_many if long and query.shape[1] != 1 else self._score_few
        context, weights, _ = self._attend(query, memory, None, training, score)
        if query_mask is not None:
            checks.check_mask("query_mask", query_mask, query.shape[:-1])
            context = valid_only(context, query_mask)
            weights = None if weights is None else valid_only(weights, query_mask)
        return (context, weights) if return_attention_scores else context

    def __call__(self, query, value=None, *args, **kwargs):
        if value is None:
            kind = type(query).__name__
            raise ValueError(
                f"call {self.name} with a query and a value, as "
                f"attention(query, value), got one argument of type {kind}"
            )
        return super().__call__(query, value, *args, **kwargs)

    def _score_few(self, query, memory, training):
        return self.score(query, memory, ())

    def _attend(self, query, memory, state, training, score):
        self._check_built("attend")
        checks.check_prepared(memory)
        query = self._convert("query", query)
        checks.check_rank("query", query.shape, (2, 3))
        checks.check_depth("query", query.shape, self._query_depth)
        checks.check_same_batch("memory", memory["value"].shape, "query", query.shape)
        memory = {
            name: part if name in ("mask", "noise") else self.cast(part)
            for name, part in memory.items()
        }
        state = self.open_state(memory) if state is None else tuple(state)
        if training and "noise" not in memory:
            shape = (*ops.shape(query)[:-1], ops.shape(memory["value"])[1])
            memory["noise"] = self.draw_noise(shape)
        if len(query.shape) == 3 and state:
            context, weights, state = self._attend_in_turn(query, memory, state)
        elif len(query.shape) == 3:
            projected = self.project_query(query)
            scores = score(projected, memory, training)
            scores = self._check_scores(scores, projected, memory)
            weights = self.weigh(scores, memory, ())
            context = self._read(weights, memory)
        else:
            context, weights, state = self._attend_once(query, memory, state)
        weights = self.cast(weights) if self.aligns else None
        return self.cast(context), weights, state

    def _attend_once(self, query, memory, state):
        weights, state = self.step(self.project_query(query), memory, state)
        return self._read(weights, memory), weights, state

    def _attend_in_turn(self, query, memory, state):
        """Goes through a query `(B, T, Dq)` step by step, for the state's sake."""
        noise = memory.get("noise", {})

        def step(inputs, state):
            query, *drawn = inputs
            own = {**memory, "noise": dict(zip(noise, drawn, strict=True))}
            context, weights, state = self._attend_once(
                self.cast(query), own, tuple(state)
            )
            return [context, weights], list(state)

        sequences = [query, *noise.values()]
        [context, weights], state = over_time(step, sequences, list(state))
        return context, weights, tuple(state)

    def _read(self, weights, memory):
        kept = self.cast(weights)
        if "dropout" in memory.get("noise", {}):
            kept = kept * self.cast(memory["noise"]["dropout"])
        return weighted_sum(kept, memory["value"])

    def cast(self, tensor: Tensor) -> Tensor:
        """Casts to the compute dtype.

        Keras casts variables inside `__call__` only, and these methods are also
        called directly.
        """
        return ops.cast(tensor, self.compute_dtype)

    def _as_state(self, method, state):
        if not isinstance(state, (tuple, list)):
            raise ValueError(
                f"{type(self).__name__}.{method} must return a tuple of tensors, "
                f"got {type(state).__name__}"
            )
        return tuple(as_precise(part) for part in state)

    def _convert(self, name, tensor):
        if not isinstance(tensor, keras.KerasTensor):
            tensor = ops.convert_to_tensor(tensor)
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        if "float" not in dtype:
            raise ValueError(
                f"{name} must be floating point, got {dtype}: embed ids first"
            )
        return self.cast(tensor)

    def _check_scores(self, scores, query, memory):
        expected = (*query.shape[:-1], memory["value"].shape[1])
        checks.check_shape(f"the scores of {type(self).__name__}", scores, expected)
        return scores

    def _check_built(self, method):
        if not self.built:
            raise ValueError(
                f"{self.name} has no weights yet: call it once, or "
                f"build(query_shape, value_shape), before {method}()"
            )
        if self._query_depth is None:
            raise ValueError(
                f"{type(self).__name__}.build must call super().build(query_shape, "
                "value_shape, key_shape) first"
            )

    def _check_returned(self, return_attention_scores):
        if return_attention_scores and not self.aligns:
            raise ValueError(
                "return_attention_scores must be False: "
                f"{type(self).__name__} has no alignments"
            )

    def compute_output_shape(
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> Shape:
        checks.check_inputs(query_shape, value_shape, key_shape)
        return (*query_shape[:-1], value_shape[-1])

    def compute_output_spec(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        self._check_returned(return_attention_scores)
        key_shape = None if key is None else key.shape
        shape = self.compute_output_shape(query.shape, value.shape, key_shape)
        for name, mask, target in (
            ("query_mask", query_mask, query),
            ("value_mask", value_mask, value),
        ):
            if mask is not None:
                checks.check_mask(name, mask, target.shape[:-1])
        context = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return context
        weights = (*query.shape[:-1], value.shape[1])
        return context, keras.KerasTensor(weights, dtype=self.compute_dtype)

    def get_config(self) -> Config:
        return {**super().get_config(), "dropout": self.dropout}
