"""A lossless subword tokenizer for any script."""

import io
import re
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import sentencepiece
import tensorflow as tf

from kattention.ids import END, PADDING, START, UNKNOWN
from kattention.pieces import SPACE, is_byte
from kattention.text.sentencepiece_op import SharedSentencepieceTokenizer
from kattention.types import FilePath, Tensor


class SubwordTokenizer(tf.Module):
    """Byte-pair subwords of SentencePiece, the same eagerly and in a graph.

    Decoding returns every string unchanged: text is not normalised, spaces are
    kept, and characters that were not in the training text are spelt in bytes.
    Two exceptions: the character U+2581 stands for a space, and invalid UTF-8
    becomes U+FFFD. Ids: 0 padding, 1 unknown, 2 start, 3 end.

    Args:
        model: A serialised SentencePiece model, as `train` makes it, bytes.

    Raises:
        ValueError: `model` is not a SentencePiece model with these ids.

    Example:

    >>> tokenizer = SubwordTokenizer.train(["the red house", "a red car"], 280)
    >>> ids = tokenizer.encode(["the car"])
    >>> tokenizer.decode(ids).numpy().tolist()
    [b'the car']

    Source: Sennrich, Haddow and Birch, "Neural Machine Translation of Rare
    Words with Subword Units" (2016); Kudo and Richardson, "SentencePiece"
    (2018).
    """

    def __init__(self, model: bytes) -> None:
        super().__init__()
        self.model = model
        processor = sentencepiece.SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise ValueError("model is not a SentencePiece model") from error
        special = [
            processor.pad_id(),
            processor.unk_id(),
            processor.bos_id(),
            processor.eos_id(),
        ]
        if special != [PADDING, UNKNOWN, START, END]:
            raise ValueError(
                "model must have padding, unknown, start and end at ids 0, 1, 2 and "
                f"3, got {special}"
            )
        self.vocabulary = [
            processor.IdToPiece(id) for id in range(processor.GetPieceSize())
        ]
        self._tokenizer = SharedSentencepieceTokenizer(model)

    @classmethod
    def train(cls, lines: Iterable[str], vocabulary_size: int = 8000) -> Self:
        """Learns the subwords of `lines`, an iterable of strings.

        Where the corpus is too small for `vocabulary_size`, the largest
        possible vocabulary is learnt, with a warning that says its size.
        """
        lines = [line for line in lines if line.strip()]
        if not lines:
            raise ValueError("lines must hold text to learn subwords from, got none")
        try:
            return cls(_train(lines, vocabulary_size))
        except RuntimeError as error:
            largest = re.search(r"value <= (\d+)", str(error))
            if not largest:
                smallest = re.search(r"required_chars.*? vs (\d+)", str(error))
                hint = f", at least {smallest[1]}" if smallest else ""
                raise ValueError(
                    f"vocabulary_size must fit the corpus{hint}, got {vocabulary_size}"
                ) from error
        size = int(largest[1])
        warnings.warn(
            f"a vocabulary of {vocabulary_size} is too large for this corpus: "
            f"using {size}",
            stacklevel=2,
        )
        return cls(_train(lines, size))

    @classmethod
    def load(cls, path: FilePath) -> Self:
        """Loads what `save` wrote."""
        try:
            return cls(Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def save(self, path: FilePath) -> None:
        """Writes the SentencePiece model to `path`."""
        Path(path).write_bytes(self.model)

    @property
    def vocabulary_size(self) -> int:
        return len(self.vocabulary)

    def encode(self, strings: Tensor) -> tf.RaggedTensor:
        """Turns strings `(B,)` into ragged int32 ids, without start and end."""
        strings = tf.convert_to_tensor(strings, tf.string)
        # The space makes a word the same token at the start of a line.
        spaced = tf.where(strings == "", "", tf.strings.join([" ", strings]))
        return tf.cast(self._tokenizer.tokenize(spaced), tf.int32)

    def decode(self, ids: Tensor) -> tf.Tensor:
        """Turns ids `(B, T)`, ragged or padded, into strings `(B,)`.

        Padding, start and end are dropped, and so are ids that are not in the
        vocabulary.
        """
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids)
        ids = tf.cast(ids, tf.int32)
        text = (ids == UNKNOWN) | (ids > END) & (ids < self.vocabulary_size)
        strings = self._tokenizer.detokenize(tf.ragged.boolean_mask(ids, text))
        return tf.strings.regex_replace(strings, r"\A ", "")

    def pieces(self, ids: Tensor) -> tf.Tensor:
        """Turns ids of any shape into pieces; '' for padding and unknown ids."""
        ids = tf.convert_to_tensor(ids)
        known = (ids > PADDING) & (ids < self.vocabulary_size)
        pieces = tf.gather(tf.constant(self.vocabulary), tf.where(known, ids, 0))
        return tf.where(known, pieces, "")

    def continuations(self, ids: Tensor) -> tf.Tensor:
        """Finds the tokens that begin with the piece of each of the ids `(B,)`.

        Returns:
            Booleans `(B, V)`: the id itself and the pieces of text that go on
            from it; all where the id is 0.
        """
        spelt = [
            id > END and not is_byte(piece) for id, piece in enumerate(self.vocabulary)
        ]
        shape = [tf.shape(ids)[0], self.vocabulary_size]
        every = tf.broadcast_to(tf.constant(self.vocabulary), shape)
        start = self.pieces(ids)[:, None]
        length = tf.broadcast_to(tf.strings.length(start), shape)
        begins = tf.strings.substr(every, tf.zeros_like(length), length) == start
        ids = ids[:, None]
        return (ids == 0) | (ids == tf.range(self.vocabulary_size)) | (begins & spelt)


# The character that stands for a space becomes one, which changes nothing: without
# any rule the op in a graph would print a note whenever it loads a model.
_RULE = f"{ord(SPACE):X}\t20\n"


def _train(lines, vocabulary_size):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(_RULE)
        rules.flush()
        return _train_with(lines, vocabulary_size, rules.name)


def _train_with(lines, vocabulary_size, rules):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=(" " + line for line in lines),  # as `encode` does
        model_writer=model,
        model_type="bpe",
        vocab_size=vocabulary_size,
        byte_fallback=True,
        normalization_rule_tsv=rules,
        remove_extra_whitespaces=False,
        # Decoding would remove it together with a real space.
        add_dummy_prefix=False,
        character_coverage=0.9995,
        max_sentence_length=2**30,  # longer lines would be skipped silently
        pad_id=PADDING,
        unk_id=UNKNOWN,
        bos_id=START,
        eos_id=END,
        minloglevel=2,
    )
    return model.getvalue()
