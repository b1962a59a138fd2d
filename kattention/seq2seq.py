"""Encoder, decoder and readout as one functional model with a middle."""

import inspect
from collections.abc import Sequence
from typing import Any, Self

import keras
from keras import ops

from kattention.decoder import AttentionRNN
from kattention.ids import PADDING
from kattention.packing import PackTokens
from kattention.saving import revive
from kattention.temporary import temporarily
from kattention.types import Config, Memory, Nest, Tensor


@keras.saving.register_keras_serializable(package="kattention")
class Seq2Seq(keras.Model):
    """A sequence-to-sequence model that can also be stepped by hand.

    Called on `[source_ids, target_ids]` it is a functional model with teacher
    forcing. `encode` and `step` are what a search needs, and all it needs.
    Ids: 0 padding, 1 unknown, 2 start, 3 end. To copy one, use `from_config`:
    `keras.models.clone_model` makes a plain functional model of it.

    Args:
        source_embedding: A layer, ids `(B, S)` -> vectors `(B, S, E)`.
        encoder: A `keras.Model`, vectors -> `[states (B, S, D), s_0, ...]`:
            the memory, then the decoder's initial states, zeros when absent.
        target_embedding: A layer like `source_embedding`, and the same object
            when the vocabulary is shared.
        decoder: An `AttentionRNN` with `return_sequences=True`.
        readout: A `keras.Model`, `[decoder outputs (B, T, O), target vectors
            (B, T, E)]` -> `(B, T, R)`.
        logits: A layer `(B, T, R)` -> `(B, T, V)`. `None` ties it to the
            target embedding, `target_embedding(x, reverse=True)`, which
            `keras.layers.ReversibleEmbedding` offers.
        packed: Compute readout and logits for the target tokens that are not
            padding only, as training needs them: see `kattention.training`.
            Not on the JAX backend, which wants shapes known in advance.

    Call arguments:
        inputs: `[source_ids (B, S), target_ids (B, T)]`, integers. The target
            begins with the start id.

    Returns:
        Logits `(B, T, V)`; if `packed`, `(N, V)` for the `N` target tokens
        that are not padding, row after row. If the decoder has
        `return_attention_scores=True`, `[logits, alignments (B, T, S)]`.

    Raises:
        ValueError: `decoder` is not an `AttentionRNN` over sequences, the
            encoder's initial states do not fit it, `logits` is missing and
            cannot be tied, or `packed` is asked of JAX.

    Example:

    >>> embedding = keras.layers.ReversibleEmbedding(100, 16)
    >>> vectors = keras.Input((None, 16))
    >>> states, final = keras.layers.GRU(
    ...     24, return_sequences=True, return_state=True)(vectors)
    >>> encoder = keras.Model(vectors, [states, final])
    >>> cell = AttentionDecoder(keras.layers.GRUCell(24), BahdanauAttention(24))
    >>> outputs, targets = keras.Input((None, 48)), keras.Input((None, 16))
    >>> joined = keras.layers.Concatenate()([outputs, targets])
    >>> readout = keras.Model([outputs, targets], keras.layers.Dense(16)(joined))
    >>> model = Seq2Seq(embedding, encoder, embedding,
    ...                 AttentionRNN(cell, return_sequences=True), readout)
    >>> ids = keras.ops.ones((2, 4), "int32")
    >>> tuple(model([ids, ids]).shape)
    (2, 4, 100)

    Source: Bahdanau et al. (2014), section 3; tied output embeddings: Press
    and Wolf, "Using the Output Embedding to Improve Language Models" (2017).
    """

    def __init__(
        self,
        source_embedding: keras.layers.Layer,
        encoder: keras.Model,
        target_embedding: keras.layers.Layer,
        decoder: AttentionRNN,
        readout: keras.Model,
        logits: keras.layers.Layer | None = None,
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        if not isinstance(decoder, AttentionRNN) or not decoder.return_sequences:
            raise ValueError(
                "decoder must be a kattention.AttentionRNN with "
                f"return_sequences=True, got {decoder!r}"
            )
        if logits is None:
            _check_tied(target_embedding)
        source = keras.Input((None,), dtype="int32", name="source_ids")
        target = keras.Input((None,), dtype="int32", name="target_ids")
        parts = source_embedding, encoder, target_embedding, decoder, readout
        with _supporting_masks(encoder, readout):
            features, *alignments = _features(parts, packed, source, target)
        scores = _project(target_embedding, logits, features)
        if packed:
            scores = ops.squeeze(scores, 0)
        returned = [scores, *alignments] if alignments else scores
        super().__init__(inputs=[source, target], outputs=returned, **kwargs)
        self.source_embedding = source_embedding
        self.encoder = encoder
        self.target_embedding = target_embedding
        self.decoder = decoder
        self.readout = readout
        self.logits = logits
        self.packed = packed

    def call(
        self,
        inputs: Sequence[Tensor],
        training: bool | None = None,
        mask: Nest | None = None,
    ) -> Tensor | list[Tensor]:
        with _supporting_masks(self.encoder, self.readout):
            return super().call(inputs, training=training, mask=mask)

    def encode(
        self, source_ids: Tensor, training: bool | None = None
    ) -> tuple[Memory, list[Tensor]]:
        """Reads the source once.

        Args:
            source_ids: Integers `(B, S)`, 0 where padded.
            training: Whether dropout is on.

        Returns:
            `(memory, state)`: the prepared memory and what `step` begins with,
            a list of tensors with `B` rows.
        """
        mask = ops.not_equal(source_ids, PADDING)
        vectors = self.source_embedding(source_ids, **_given(training))
        with _supporting_masks(self.encoder):
            states = self.encoder(vectors, mask=mask, **_given(training))
        memory, *initial = _as_list(states)
        cell = self.decoder.cell
        memory = cell.prepare(memory, mask)
        state = cell.get_initial_state(ops.shape(source_ids)[0], memory)
        # The encoder may leave out the last ones.
        for place, given in enumerate(initial):
            # Its parts may compute in other precisions; a loop's state may not.
            state[place] = ops.cast(given, state[place].dtype)
        return memory, state

    def step(
        self,
        tokens: Tensor,
        state: list[Tensor],
        memory: Memory,
        training: bool | None = None,
    ) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """Predicts the token after each of `tokens`.

        Args:
            tokens: Integers `(N,)`, the previous tokens.
            state: What `encode` or the step before returned, `N` rows.
            memory: What `encode` returned, `N` rows or a divisor of them: with
                `B` rows and `N = B * K`, `K` tokens in succession read one row.
            training: Whether dropout is on.

        Returns:
            `(logits (N, V), state, alignment (N, S))`; the alignment is
            `None` if the mechanism does not align.
        """
        vectors = self.target_embedding(tokens, **_given(training))
        output, state, alignment = self.decoder.cell.step(
            vectors, state, memory, training
        )
        parts = [ops.expand_dims(output, 1), ops.expand_dims(vectors, 1)]
        features = self.readout(parts, **_given(training))
        logits = _project(self.target_embedding, self.logits, features)
        return ops.squeeze(logits, 1), state, alignment

    def get_config(self) -> Config:
        serialize = keras.saving.serialize_keras_object
        shared = self.target_embedding is self.source_embedding
        return {
            "name": self.name,
            "trainable": self.trainable,
            "source_embedding": serialize(self.source_embedding),
            "encoder": serialize(self.encoder),
            # None for "the same object": Keras would rebuild it as two.
            "target_embedding": None if shared else serialize(self.target_embedding),
            "decoder": serialize(self.decoder),
            "readout": serialize(self.readout),
            "logits": serialize(self.logits),
            "packed": self.packed,
        }

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: dict[str, Any] | None = None
    ) -> Self:
        parts = revive(config, custom_objects)
        if parts["target_embedding"] is None:
            parts["target_embedding"] = parts["source_embedding"]
        return cls(**parts)


def _features(parts, packed, source, target):
    """The readout's features, `(1, N, R)` if packed, and the alignments, if any."""
    source_embedding, encoder, target_embedding, decoder, readout = parts
    mask = ops.not_equal(source, PADDING)
    memory, *initial = _as_list(encoder(source_embedding(source), mask=mask))
    vectors = target_embedding(target)
    outputs, *others = _as_list(
        decoder(vectors, memory=memory, initial_state=initial or None, memory_mask=mask)
    )
    if packed:
        outputs, vectors = PackTokens()([outputs, vectors], ids=target)
    features = readout([outputs, vectors])
    return [features, *(others[-1:] if decoder.return_attention_scores else [])]


def _check_tied(embedding):
    if "reverse" not in inspect.signature(embedding.call).parameters:
        raise ValueError(
            "logits must be a layer, or None to tie them to a target_embedding that "
            "takes reverse=True, as keras.layers.ReversibleEmbedding does, got None "
            f"and {type(embedding).__name__}"
        )


def _supporting_masks(*models):
    """A context in which nested models use the mask of their inputs.

    Keras warns that they drop it unless they say that they support masks. They
    are the user's, so they say so only here.
    """
    return temporarily(models, "supports_masking", True)


def _project(target_embedding, logits, features):
    if logits is None:
        return target_embedding(features, reverse=True)
    return logits(features)


def _given(training):
    """How to pass `training` on: `None` would override what Keras propagates."""
    return {} if training is None else {"training": training}


def _as_list(outputs):
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
