"""Additive attention, as Bahdanau, Cho and Bengio (2014) wrote it."""

from functools import partial

import keras
from keras import ops

from kattention.attention import lean, shapes
from kattention.xla import can_compile


def additive_score(query, key, score_vector):
    """Scores every key against every query: `e_ij = v . tanh(q_i + k_j)`.

    Args:
        query: Projected queries, `(B, T, U)`, or `(B, U)` for one step.
        key: Projected keys, `(B, S, U)`.
        score_vector: `v`, `(U,)`.

    Returns:
        Scores `(B, T, S)`, or `(B, S)` for one step.
    """
    if len(query.shape) == 3:
        key = ops.expand_dims(key, 1)  # (B, 1, S, U)
    hidden = ops.tanh(ops.expand_dims(query, -2) + key)  # (B, [T,] S, U)
    # A product with a vector would be a little faster, but XLA cannot compile
    # its gradient inside a loop.
    return ops.sum(hidden * score_vector, axis=-1)


@keras.saving.register_keras_serializable(package="kattention")
class BahdanauAttention(keras.layers.Layer):
    """Additive attention with learned projections of query and key.

    For a query `s_i` and the keys `h_j`:

        e_ij = v . tanh(W s_i + U h_j)
        a_ij = softmax over j of e_ij
        c_i  = sum over j of a_ij h_j

    Masked positions get weight exactly 0. A row without any valid position,
    and a masked query, get weights 0 and context 0. The softmax runs in
    float32 at least, whatever the dtype policy. Nothing of a call stays on
    the layer: weights are returned, memory is an argument. Of a query of rank
    3 it has first derivatives only.

    Args:
        units: Size `U` of the hidden layer that scores.
        normalize: Score with `gain * v / ||v||` and a learned `gain`, which
            starts at `units ** -0.5` (weight normalisation, as the normalised
            Bahdanau attention of TensorFlow's NMT models).
        use_bias: Add a bias inside the tanh.
        dropout: Rate of dropout on the weights that form the context. The
            weights that are returned are those before dropout.
        kernel_initializer: Initializer of the two projections.
        score_initializer: Initializer of `v`. `"zeros"` is the paper's
            (appendix B.1): attention begins exactly uniform.
        kernel_regularizer: Regularizer of the two projections.

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
        query of rank 2. Both come in the layer's compute dtype.

    Raises:
        ValueError: A rank, depth, length, dtype or mask shape does not fit.

    Example:

    >>> attention = BahdanauAttention(64)
    >>> query, value = keras.ops.ones((2, 5, 32)), keras.ops.ones((2, 7, 48))
    >>> context, weights = attention(query, value, return_attention_scores=True)
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 5, 48), (2, 5, 7))

    Source: Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly
    Learning to Align and Translate" (2014), section 3.1 and appendix A.1.2.
    """

    def __init__(
        self,
        units,
        *,
        normalize=False,
        use_bias=False,
        dropout=0.0,
        kernel_initializer="glorot_uniform",
        score_initializer="glorot_uniform",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"units must be a positive integer, got {units!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout!r}")
        self.units = units
        self.normalize = normalize
        self.use_bias = use_bias
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.score_initializer = keras.initializers.get(score_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.seed_generator = keras.random.SeedGenerator() if dropout else None
        self.supports_masking = True

    def build(self, query_shape, value_shape, key_shape=None):
        shapes.check_inputs(query_shape, value_shape, key_shape)
        key_shape = key_shape or value_shape
        self.query_kernel = self._add_kernel("query_kernel", query_shape[-1])
        self.key_kernel = self._add_kernel("key_kernel", key_shape[-1])
        self.score_vector = self.add_weight(
            name="score_vector",
            shape=(self.units,),
            initializer=self.score_initializer,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer="zeros"
            )
        if self.normalize:
            self.score_gain = self.add_weight(
                name="score_gain",
                shape=(),
                initializer=keras.initializers.Constant(self.units**-0.5),
            )

    def _add_kernel(self, name, depth):
        return self.add_weight(
            name=name,
            shape=(depth, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        shapes.check_inputs(
            query.shape, value.shape, None if key is None else key.shape
        )
        if value_mask is not None:
            shapes.check_mask("value_mask", value_mask, value.shape[:-1])
        memory = self.prepare(value, key, value_mask)
        score = additive_score
        several = len(query.shape) == 3 and query.shape[1] not in (0, 1)
        if several and value.shape[1] != 0:
            # All pairs of a long query and a long memory would not fit.
            compiled = bool(training) and can_compile()
            score = partial(lean.additive_score, compiled=compiled)
        context, weights = self._read(query, memory, training, score)
        if query_mask is not None:
            shapes.check_mask("query_mask", query_mask, query.shape[:-1])
            valid = ops.expand_dims(ops.cast(query_mask, "bool"), -1)
            context = ops.where(valid, context, ops.zeros_like(context))
            weights = ops.where(valid, weights, ops.zeros_like(weights))
        return (context, weights) if return_attention_scores else context

    def prepare(self, value, key=None, mask=None):
        """Projects the keys once, for any number of queries.

        Args:
            value: Floats `(B, S, Dv)`.
            key: Floats `(B, S, Dk)`; `value` when absent.
            mask: Booleans `(B, S)`.

        Returns:
            The memory: a dict of `"key"` `(B, S, U)`, `"value"` `(B, S, Dv)`
            and, if a mask is given, `"mask"` `(B, S)`. Rows can be gathered.
        """
        self._check_built("prepare")
        value = self._convert("value", value)
        key = value if key is None else self._convert("key", key)
        shapes.check_memory(value.shape, key.shape)
        scored = "value" if key is value else "key"
        shapes.check_depth(scored, key.shape, self.key_kernel.shape[0])
        memory = {}
        if mask is not None:
            shapes.check_mask("mask", mask, value.shape[:-1])
            memory["mask"] = ops.cast(mask, "bool")
            # Padding may hold anything, and 0 * nan is nan.
            valid = ops.expand_dims(memory["mask"], -1)
            key = ops.where(valid, key, ops.zeros_like(key))
            value = ops.where(valid, value, ops.zeros_like(value))
        memory["key"] = ops.matmul(key, self._cast(self.key_kernel))
        memory["value"] = value
        return memory

    def attend(self, query, memory, state=(), training=None):
        """Reads a prepared memory.

        Args:
            query: Floats `(B, T, Dq)`, or `(B, Dq)` for one step.
            memory: What `prepare` returned. May also hold `"noise"`, dropout
                noise drawn in advance by `draw_noise`.
            state: Handed through: this mechanism keeps none between steps.
            training: Whether dropout is on.

        Returns:
            `(context, weights, state)`, shaped as `__call__` returns them.
        """
        self._check_built("attend")
        shapes.check_prepared(memory)
        context, weights = self._read(query, memory, training, additive_score)
        return context, weights, state

    def _check_built(self, method):
        if not self.built:
            raise ValueError(
                f"{self.name} has no weights yet: call it once, or "
                f"build(query_shape, value_shape), before {method}()"
            )

    def _read(self, query, memory, training, score):
        query = self._convert("query", query)
        shapes.check_rank("query", query.shape, (2, 3))
        shapes.check_depth("query", query.shape, self.query_kernel.shape[0])
        value = self._cast(memory["value"])
        shapes.check_same_batch("memory", value.shape, "query", query.shape)
        weights = self._weights(query, memory, score)
        kept = weights
        if training and self.dropout:
            noise = memory.get("noise")
            kept = weights * (
                self.draw_noise(ops.shape(weights)) if noise is None else noise
            )
        if len(query.shape) == 3:
            return ops.matmul(kept, value), weights
        context = ops.matmul(ops.expand_dims(kept, 1), value)
        return ops.squeeze(context, 1), weights

    def draw_noise(self, shape):
        """Draws the factors by which dropout multiplies weights of a shape.

        A loop over steps draws them all before it starts, because a random
        state cannot change inside a compiled loop on every backend.
        """
        ones = ops.ones(shape, dtype=self.compute_dtype)
        return keras.random.dropout(ones, self.dropout, seed=self.seed_generator)

    def _weights(self, query, memory, score):
        projected = ops.matmul(query, self._cast(self.query_kernel))
        if self.use_bias:
            projected = projected + self._cast(self.bias)
        score = score(projected, self._cast(memory["key"]), self.scoring_vector())
        score = ops.cast(score, keras.backend.result_type(score.dtype, "float32"))
        mask = memory.get("mask")
        if mask is None:
            weights = ops.softmax(score, axis=-1)
        else:
            if len(query.shape) == 3:
                mask = ops.expand_dims(mask, 1)
            # A finite floor: the softmax of a fully masked row must stay
            # finite before it is zeroed, or its gradient is nan.
            weights = ops.softmax(ops.where(mask, score, -1e30), axis=-1)
            weights = weights * ops.cast(mask, weights.dtype)
        return ops.cast(weights, self.compute_dtype)

    def scoring_vector(self):
        """The vector `(U,)` that scores with: `v`, or with `normalize` scaled."""
        vector = ops.convert_to_tensor(self.score_vector)
        if self.normalize:
            precise = keras.backend.result_type(vector.dtype, "float32")
            vector = ops.cast(vector, precise)
            squared = ops.sum(ops.square(vector))
            gain = ops.cast(self.score_gain, precise)
            # The floor makes v = 0 score 0 everywhere: uniform, not nan.
            vector = gain * vector * ops.rsqrt(ops.maximum(squared, 1e-12))
        return ops.cast(vector, self.compute_dtype)

    def _cast(self, tensor):
        # Keras casts by itself inside `__call__` only, and there what the layer
        # around this one prepared to that one's precision.
        return ops.cast(tensor, self.compute_dtype)

    def _convert(self, name, tensor):
        tensor = ops.convert_to_tensor(tensor)
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        if "float" not in dtype:
            raise ValueError(
                f"{name} must be floating point, got {dtype}: embed ids first"
            )
        return ops.cast(tensor, self.compute_dtype)

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        shapes.check_inputs(query_shape, value_shape, key_shape)
        return (*query_shape[:-1], value_shape[-1])

    def compute_output_spec(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        key_shape = None if key is None else key.shape
        shape = self.compute_output_shape(query.shape, value.shape, key_shape)
        for name, mask, target in (
            ("query_mask", query_mask, query),
            ("value_mask", value_mask, value),
        ):
            if mask is not None:
                shapes.check_mask(name, mask, target.shape[:-1])
        context = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return context
        weights = (*query.shape[:-1], value.shape[1])
        return context, keras.KerasTensor(weights, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "normalize": self.normalize,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "score_initializer": keras.initializers.serialize(self.score_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
