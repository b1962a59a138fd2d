"""What a user holds: load, translate, save, export."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kattention import serving
from kattention.text import SubwordTokenizer

MODEL, SOURCE, TARGET = "model.keras", "source.model", "target.model"


@dataclass(frozen=True)
class Translation:
    """A translation and where the model looked for it.

    Attributes:
        text: The translation.
        score: Its log-probability, divided by the length penalty.
        source_tokens: Pieces of the source, the end token included.
        target_tokens: Pieces of the translation, the end token included.
        alignment: Array `(target tokens, source tokens)`: how much each target
            token read of each source token. `None` without attention.
    """

    text: str
    score: float
    source_tokens: list[str]
    target_tokens: list[str]
    alignment: np.ndarray | None


class Translator:
    """A trained model with its tokenizers.

    Args:
        model: A `Seq2Seq`, or anything with `encode` and `step`.
        source_tokenizer: The `SubwordTokenizer` of the source.
        target_tokenizer: That of the target, the same one if it is shared.

    Example:

        translator = kattention.Translator.load("runs/toy")
        for found in translator.translate(["The red house is old."]):
            print(found.text, found.score)
    """

    def __init__(self, model, source_tokenizer, target_tokenizer):
        self.model = model
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self._graphs = {}

    @classmethod
    def load(cls, path):
        """Loads what `save`, or a recipe's `train`, wrote to a folder."""
        path = Path(path)
        missing = [
            name for name in (MODEL, SOURCE, TARGET) if not (path / name).is_file()
        ]
        if missing:
            raise ValueError(
                f"{path} is not a run folder: it holds no {', no '.join(missing)}"
            )
        try:
            model = keras.models.load_model(path / MODEL, compile=False)
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ValueError(f"{path / MODEL} cannot be loaded: {reason}") from error
        if not (hasattr(model, "encode") and hasattr(model, "step")):
            raise ValueError(
                f"{path / MODEL} must hold a model with encode and step, as Seq2Seq "
                f"has, got {type(model).__name__}"
            )
        source = SubwordTokenizer.load(path / SOURCE)
        target = SubwordTokenizer.load(path / TARGET)
        return cls(model, source, source if source.model == target.model else target)

    def save(self, path):
        """Writes model and tokenizers to a folder, each file whole or not at all."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        _replace(path / SOURCE, self.source_tokenizer.save)
        _replace(path / TARGET, self.target_tokenizer.save)
        _replace(
            path / MODEL, lambda file: self.model.save(file, include_optimizer=False)
        )

    def translate(self, texts, beam_width=5, length_penalty=1.0, batch_size=64):
        """Translates strings.

        Args:
            texts: Strings.
            beam_width: Hypotheses kept while searching.
            length_penalty: As in `kattention.search.beam`.
            batch_size: Strings translated at a time; it changes no result.

        Returns:
            A list of one `Translation` a string, in their order.

        Raises:
            ValueError: `texts` is one string, or holds something else.
        """
        if isinstance(texts, (str, bytes)):
            raise ValueError("texts must be a list of strings, got one string")
        texts = list(texts)
        for text in texts:
            if not isinstance(text, str):
                raise ValueError(f"texts must be strings, got {text!r}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        search = self._graph(beam_width, length_penalty)
        # Sentences of like length together: little padding.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        results = [None] * len(texts)
        for first in range(0, len(order), batch_size):
            chosen = order[first : first + batch_size]
            found = search(tf.constant([texts[i] for i in chosen]))
            for row, i in enumerate(chosen):
                results[i] = _translation(found, row)
        return results

    def export(self, path, beam_width=5, length_penalty=1.0, example=""):
        """Writes the next version of a SavedModel: see `kattention.serving.export`."""
        return serving.export(
            path,
            self.model,
            self.source_tokenizer,
            self.target_tokenizer,
            beam_width,
            length_penalty,
            example,
        )

    def _graph(self, beam_width, length_penalty):
        key = (beam_width, length_penalty)
        if key not in self._graphs:

            @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
            def search(strings):
                return serving.search_strings(
                    strings,
                    self.model,
                    self.source_tokenizer,
                    self.target_tokenizer,
                    *key,
                )

            self._graphs[key] = search
        return self._graphs[key]


def _translation(found, row):
    source = [piece.decode() for piece in found.source_tokens[row].numpy() if piece]
    target = [piece.decode() for piece in found.target_tokens[row, 0].numpy() if piece]
    alignment = None
    if found.alignments is not None:
        alignment = found.alignments[row, 0, : len(target), : len(source)].numpy()
    text = found.texts[row, 0].numpy().decode()
    return Translation(text, float(found.scores[row, 0]), source, target, alignment)


def _replace(path, write):
    """Lets `write` fill a file aside, which then takes the place of `path`."""
    handle, aside = tempfile.mkstemp(
        prefix=".writing-", suffix=path.name, dir=path.parent
    )
    os.close(handle)
    try:
        write(aside)
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
