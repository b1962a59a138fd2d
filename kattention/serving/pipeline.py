"""Tokenizers, model and search in one graph: strings in, hypotheses out."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from kattention import search
from kattention.ids import END, PADDING, START, UNKNOWN
from kattention.text import SubwordTokenizer
from kattention.types import Searchable, Tensor


class Hypotheses(NamedTuple):
    """B sources with K hypotheses each.

    Attributes:
        texts: `(B, K)` strings.
        scores: `(B, K)` float32.
        source_tokens: `(B, S)` strings, '' where padded.
        target_tokens: `(B, K, T)` strings, '' where padded.
        token_scores: `(B, K, T)` float32, 0 where padded.
        alignments: `(B, K, T, S)` float32, or `None` without attention.
    """

    texts: tf.Tensor
    scores: tf.Tensor
    source_tokens: tf.Tensor
    target_tokens: tf.Tensor
    token_scores: tf.Tensor
    alignments: tf.Tensor | None


@dataclass(frozen=True)
class BeamOptions:
    """How to search for translations: see `kattention.search.beam`.

    A translation has at most `max_ratio` times the tokens of its own source
    and 10 more, whatever else is in the batch, and at most `max_length`; a
    prefix is never cut. `allow_unknown` lets the unknown token be produced.
    """

    beam_width: int = 5
    length_penalty: float | search.PerToken = 1.0
    coverage_penalty: float = 0.0
    min_length: int = 1
    max_length: int | None = None
    max_ratio: float = 2.0
    no_repeat_ngram: int = 0
    groups: int = 1
    diversity: float = 0.5
    allow_unknown: bool = False

    def __post_init__(self):
        if self.max_length is not None and self.max_length < 1:
            raise ValueError(f"max_length must be at least 1, got {self.max_length}")
        if self.max_length is not None and self.max_length < self.min_length:
            raise ValueError(
                f"max_length must be at least the min_length {self.min_length}, got "
                f"{self.max_length}"
            )
        if not 0 <= self.max_ratio < float("inf"):
            raise ValueError(
                f"max_ratio must be at least 0 and finite, got {self.max_ratio}"
            )


class Pipeline:
    """A model with its tokenizers, as functions of string tensors.

    Args:
        model: Anything with `encode` and `step`, for example a `Seq2Seq`.
        source_tokenizer: The `SubwordTokenizer` of the source.
        target_tokenizer: That of the target.
    """

    def __init__(
        self,
        model: Searchable,
        source_tokenizer: SubwordTokenizer,
        target_tokenizer: SubwordTokenizer,
    ) -> None:
        self.model = model
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer

    def beam(
        self, strings: Tensor, options: BeamOptions, prefixes: Tensor | None = None
    ) -> Hypotheses:
        """Translates strings `(B,)`, each to begin with its prefix, if any.

        Returns:
            `Hypotheses`, best first, with `K = options.beam_width`.
        """
        source, step, state = self._open(strings)
        limit = _limit(source, options)
        forbid = (PADDING, START, *([] if options.allow_unknown else [UNKNOWN]))
        rules: list[search.Rule] = []
        if options.min_length > 1:
            rules.append(search.MinLength(options.min_length))
        if options.no_repeat_ngram:
            rules.append(search.NoRepeatNgram(options.no_repeat_ngram))
        if prefixes is not None:
            prefix, after = self._open_prefix(prefixes, forbid)
            rules.append(search.Prefix(prefix, after))
            # All of the prefix, the token after it and the end.
            length = tf.reduce_sum(tf.cast(prefix != PADDING, tf.int32), axis=1)
            limit = tf.maximum(limit, length + 2)
        result = search.beam(
            step,
            state,
            start=START,
            end=END,
            beam_width=options.beam_width,
            max_length=limit,
            length_penalty=options.length_penalty,
            forbid=forbid,
            rules=rules,
            coverage_penalty=options.coverage_penalty,
            source_mask=source != PADDING,
            groups=options.groups,
            diversity=options.diversity,
        )
        return self._write(source, result)

    def sample(
        self,
        strings: Tensor,
        seed: Tensor,
        options: BeamOptions,
        num_samples: int = 1,
        **draw: Any,
    ) -> Hypotheses:
        """Draws translations of strings `(B,)` with the seeds `(B,)`.

        Args:
            strings: Strings `(B,)`.
            seed: Integers `(B,)`.
            options: `BeamOptions`, of which the limits count.
            num_samples: `K`.
            **draw: `temperature`, `top_k` and `top_p` of
                `kattention.search.sample`.

        Returns:
            `Hypotheses` in the order drawn.
        """
        source, step, state = self._open(strings)
        result = search.sample(
            step,
            state,
            seed=seed,
            num_samples=num_samples,
            start=START,
            end=END,
            max_length=_limit(source, options),
            forbid=(PADDING, UNKNOWN, START),
            **draw,
        )
        return self._write(source, result)

    def force(self, sources: Tensor, targets: Tensor) -> Hypotheses:
        """Scores translations `(B,)` that are given.

        Returns:
            `Hypotheses` with `K = 1` and plain log-probabilities.
        """
        source, step, state = self._open(sources)
        target = with_end(self.target_tokenizer, targets)
        return self._write(source, search.force(step, state, target, start=START))

    def _open(self, strings):
        source = with_end(self.source_tokenizer, strings)
        memory, state = self.model.encode(source)

        def step(tokens, state):
            logits, state, alignment = self.model.step(tokens, state, memory)
            size = self.target_tokenizer.vocabulary_size
            if logits.shape[-1] is not None and logits.shape[-1] < size:
                raise ValueError(
                    f"the model must have logits for the {size} tokens of the target "
                    f"tokenizer, got {logits.shape[-1]}: does the tokenizer belong to "
                    "another model?"
                )
            # A model may have logits to spare, which are no tokens.
            return logits[..., :size], state, alignment

        return source, step, state

    def _open_prefix(self, strings, forbid):
        """The tokens of prefixes but the last, and what may stand in its place.

        Someone who types may stop within a word, or after a space that belongs
        to the next one. So the last token may be any that begins like it.
        """
        ids = self.target_tokenizer.encode(strings)
        last = ids[:, -1:].to_tensor(PADDING, shape=[None, 1])[:, 0]
        # Without a prefix everything may follow that the other rules allow.
        after = self.target_tokenizer.continuations(last) & (last != PADDING)[:, None]
        forbidden = tf.reduce_any(
            tf.range(tf.shape(after)[1])[:, None] == list(forbid), axis=1
        )
        return ids[:, :-1].to_tensor(PADDING), after & ~forbidden

    def _write(self, source, result):
        shape = tf.shape(result.tokens)
        flat = tf.reshape(result.tokens, [shape[0] * shape[1], shape[2]])
        return Hypotheses(
            tf.reshape(self.target_tokenizer.decode(flat), shape[:2]),
            result.scores,
            self.source_tokenizer.pieces(source),
            self.target_tokenizer.pieces(result.tokens),
            result.token_scores,
            result.alignments,
        )


def with_end(tokenizer, strings):
    """Turns strings `(B,)` into padded ids `(B, S)`, the end token included."""
    ids = tokenizer.encode(strings)
    ids = tf.concat([ids, tf.fill([ids.nrows(), 1], END)], axis=1)
    ids = ids.to_tensor(default_value=PADDING)
    # An empty batch has no longest string, but loops need one position.
    missing = tf.maximum(1 - tf.shape(ids)[1], 0)
    return tf.pad(ids, [[0, 0], [0, missing]])


def _limit(source, options):
    """Most tokens of each translation, `(B,)`."""
    length = tf.reduce_sum(tf.cast(source != PADDING, tf.float32), axis=1)
    limit = options.max_ratio * length + 10
    return tf.cast(tf.minimum(limit, options.max_length or 100_000), tf.int32)
