"""Tokenizers, model and search in one graph: strings in, hypotheses out."""

from typing import NamedTuple

import tensorflow as tf

from kattention.search import beam
from kattention.seq2seq import END, PADDING, START, UNKNOWN


class Hypotheses(NamedTuple):
    """B sources with K hypotheses each, best first.

    Attributes:
        texts: `(B, K)` strings.
        scores: `(B, K)` float32.
        source_tokens: `(B, S)` strings, '' where padded.
        target_tokens: `(B, K, T)` strings, '' where padded.
        alignments: `(B, K, T, S)` float32, or `None` without attention.
    """

    texts: tf.Tensor
    scores: tf.Tensor
    source_tokens: tf.Tensor
    target_tokens: tf.Tensor
    alignments: tf.Tensor | None


def source_ids(tokenizer, strings):
    """Turns strings `(B,)` into padded ids `(B, S)`, the end token included."""
    ids = tokenizer.encode(strings)
    ids = tf.concat([ids, tf.fill([ids.nrows(), 1], END)], axis=1)
    ids = ids.to_tensor(default_value=PADDING)
    # A batch of no strings has no longest one: loops want one position.
    missing = tf.maximum(1 - tf.shape(ids)[1], 0)
    return tf.pad(ids, [[0, 0], [0, missing]])


def search_strings(
    strings,
    model,
    source_tokenizer,
    target_tokenizer,
    beam_width=5,
    length_penalty=1.0,
):
    """Translates strings `(B,)` with anything that has `encode` and `step`.

    A translation has at most twice the tokens of its own source and 10 more,
    whatever else is in the batch.

    Returns:
        `Hypotheses`, with `K = beam_width`.
    """
    source = source_ids(source_tokenizer, strings)
    memory, state = model.encode(source)
    length = tf.reduce_sum(tf.cast(source != PADDING, tf.int32), axis=1)
    result = beam(
        lambda tokens, state: model.step(tokens, state, memory),
        state,
        start=START,
        end=END,
        beam_width=beam_width,
        max_length=2 * length + 10,
        length_penalty=length_penalty,
        forbid=(PADDING, UNKNOWN, START),
    )
    rows, steps = tf.shape(result.tokens)[0], tf.shape(result.tokens)[2]
    flat = tf.reshape(result.tokens, [rows * beam_width, steps])
    texts = tf.reshape(target_tokenizer.decode(flat), [rows, beam_width])
    return Hypotheses(
        texts,
        result.scores,
        source_tokenizer.pieces(source),
        target_tokenizer.pieces(result.tokens),
        result.alignments,
    )
