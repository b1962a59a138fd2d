"""A trained model with its tokenizers: load, translate, save, export."""

import os
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from kattention import serving
from kattention.copying import copy_words
from kattention.ensemble import Ensemble
from kattention.search.sample import check_draw
from kattention.serving.pipeline import Hypotheses
from kattention.text import SubwordTokenizer
from kattention.types import FilePath, Searchable

MODEL, SOURCE, TARGET = "model.keras", "source.model", "target.model"


@dataclass(frozen=True)
class Translation:
    """A translation, and what the model read for it.

    Attributes:
        text: The translation.
        score: Its log-probability divided by the length penalty, plus the
            coverage penalty if there is one.
        source_tokens: Pieces of the source, the end token included.
        target_tokens: Pieces of the translation, the end token included.
        token_scores: The log-probability of each target token.
        alignment: Array `(target tokens, source tokens)`: how much each target
            token read of each source token. `None` without attention.
    """

    text: str
    score: float
    source_tokens: list[str]
    target_tokens: list[str]
    token_scores: list[float]
    alignment: np.ndarray | None

    def _repr_html_(self):
        """How a notebook shows it."""
        shown = f"<p>{escape(self.text)} <small>(score {self.score:.3f})</small></p>"
        if self.alignment is None:
            return shown
        # Here, not above: it needs matplotlib.
        from kattention.plotting import html_alignment

        return shown + html_alignment(
            self.source_tokens, self.target_tokens, self.alignment
        )


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

    def __init__(
        self,
        model: Searchable,
        source_tokenizer: SubwordTokenizer,
        target_tokenizer: SubwordTokenizer,
    ) -> None:
        self.model: Any = model  # `save` needs more than a search does
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self._pipeline = serving.Pipeline(model, source_tokenizer, target_tokenizer)
        self._graphs: dict[tuple, Any] = {}

    @classmethod
    def load(cls, path: FilePath, *others: FilePath) -> Self:
        """Loads what `save`, or a recipe's `train`, wrote to a folder.

        Args:
            path: The folder.
            *others: Further folders, with the same tokenizers: their models
                become one `Ensemble`.
        """
        if not others:
            return cls._load(Path(path))
        members = [cls._load(Path(folder)) for folder in (path, *others)]
        first = members[0]
        for folder, member in zip(others, members[1:], strict=True):
            if member._tokenizers() != first._tokenizers():
                raise ValueError(
                    f"{folder} must have the tokenizers of {path} to be in one "
                    "ensemble with it, got others"
                )
        model = Ensemble([member.model for member in members])
        return cls(model, first.source_tokenizer, first.target_tokenizer)

    @classmethod
    def _load(cls, path):
        if not path.is_dir():
            raise ValueError(f"{path} is not a run folder: there is no such folder")
        missing = [
            name for name in (MODEL, SOURCE, TARGET) if not (path / name).is_file()
        ]
        if missing:
            raise ValueError(
                f"{path} is not a run folder: it holds no {', no '.join(missing)}"
            )
        if not zipfile.is_zipfile(path / MODEL):
            raise ValueError(f"{path / MODEL} is damaged: train or copy it again")
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

    def _tokenizers(self):
        return self.source_tokenizer.model, self.target_tokenizer.model

    def save(self, path: FilePath) -> None:
        """Writes model and tokenizers to a folder, each file whole or not at all."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        _replace(path / SOURCE, self.source_tokenizer.save)
        _replace(path / TARGET, self.target_tokenizer.save)
        _replace(
            path / MODEL, lambda file: self.model.save(file, include_optimizer=False)
        )

    def translate(self, texts: Iterable[str], **options: Any) -> list[Translation]:
        """Translates strings.

        Args:
            texts: Strings.
            **options: See `nbest`.

        Returns:
            A list of one `Translation` a string, in their order.

        Raises:
            ValueError: `texts` is one string, or holds something else.
        """
        return [best for best, *_ in self.nbest(texts, **options)]

    def nbest(
        self,
        texts: Iterable[str],
        prefixes: Iterable[str] | None = None,
        copy: Collection[str] = (),
        batch_size: int = 64,
        progress: Callable[[int], Any] | None = None,
        **options: Any,
    ) -> list[list[Translation]]:
        """Translates strings, and keeps all that the search found.

        Args:
            texts: Strings.
            prefixes: Strings, one a text, that its translations begin with.
            copy: Strings that stand in translations for a word of the source,
                such as `"<name>"`: each is replaced by the word that it read
                most. With `"<unk>"` the model may produce the unknown token.
            batch_size: Strings translated at a time; it changes no result.
            progress: A function that is called with the number of strings after
                each batch, such as the `update` of a progress bar.
            **options: The fields of `kattention.serving.BeamOptions`:
                `beam_width`, `length_penalty`, `coverage_penalty`,
                `min_length`, `max_length`, `max_ratio`, `no_repeat_ngram`,
                `groups`, `diversity` and `allow_unknown`.

        Returns:
            A list with a list for each string, of up to `beam_width` `Translation`
            objects, best first.

        Raises:
            ValueError: `texts` is one string or holds something else, there
                are not as many prefixes, or a model without attention shall
                copy.
        """
        copy = _strings("copy", copy)
        if "" in copy:
            raise ValueError("copy must hold strings of some length, got ''")
        options.setdefault("allow_unknown", "<unk>" in copy)
        options = serving.BeamOptions(**options)
        texts = _strings("texts", texts)
        columns = [texts]
        if prefixes is not None:
            columns.append(_strings("prefixes", prefixes, len(texts)))
        text = tf.TensorSpec([None], tf.string)
        search = self._graph(
            ("beam", options, len(columns)),
            lambda strings, *prefixes: self._pipeline.beam(strings, options, *prefixes),
            [text] * len(columns),
        )
        found = _in_batches(search, columns, batch_size, progress)
        if copy:
            found = [
                [_with_copies(text, one, copy) for one in own]
                for text, own in zip(texts, found, strict=True)
            ]
        return found

    def sample(
        self,
        texts: Iterable[str],
        seed: int,
        num_samples: int = 1,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        max_length: int | None = None,
        max_ratio: float = 2.0,
        batch_size: int = 64,
    ) -> list[list[Translation]]:
        """Draws translations of strings.

        Args:
            texts: Strings.
            seed: An integer. The text at position `i` is drawn as one text
                with the seed `seed + i * 2**32` would be.
            num_samples: Translations drawn of each text.
            temperature, top_k, top_p: As in `kattention.search.sample`.
            max_length, max_ratio, batch_size: As in `nbest`.

        Returns:
            A list with a list for each string, of `num_samples` `Translation`
            objects in the order drawn.
        """
        texts = _strings("texts", texts)
        # Wraps around, as 64-bit integers do.
        seeds = [
            (int(seed) + i * 2**32 + 2**63) % 2**64 - 2**63 for i in range(len(texts))
        ]
        options = serving.BeamOptions(max_length=max_length, max_ratio=max_ratio)
        temperature, top_p = float(temperature), float(top_p)
        check_draw(num_samples, temperature, top_k, top_p)
        draw: dict[str, Any] = {"num_samples": num_samples, "top_k": top_k}

        def search(strings, seeds, temperature, top_p=1.0):
            return self._pipeline.sample(
                *(strings, seeds, options), temperature=temperature, top_p=top_p, **draw
            )

        specs = [
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([None], tf.int64),
            *[tf.TensorSpec([None], tf.float32)] * (2 if top_p < 1 else 1),
        ]
        columns = [texts, seeds, [temperature] * len(texts), [top_p] * len(texts)]
        # As inputs: as constants each new temperature would trace a new graph.
        graph = self._graph(
            ("sample", options, len(specs), *draw.values()), search, specs
        )
        return _in_batches(graph, columns[: len(specs)], batch_size)

    def score(
        self, sources: Iterable[str], targets: Iterable[str], batch_size: int = 64
    ) -> list[Translation]:
        """Scores given translations, and returns their alignments.

        Args:
            sources: Strings.
            targets: Strings, a translation of each.
            batch_size: Pairs scored at a time; it changes no result.

        Returns:
            A list of one `Translation` a pair, whose `score` is the sum of the
            log-probabilities of its tokens, the end token included.
        """
        sources = _strings("sources", sources)
        targets = _strings("targets", targets, len(sources))
        text = tf.TensorSpec([None], tf.string)
        search = self._graph(("force",), self._pipeline.force, [text, text])
        found = _in_batches(search, [sources, targets], batch_size)
        # The target as given, because decoding may change it.
        return [
            replace(one, text=target)
            for [one], target in zip(found, targets, strict=True)
        ]

    def export(self, path: FilePath, example: str = "", **options: Any) -> Path:
        """Writes the next version of a SavedModel: see `kattention.serving.export`.

        Args:
            path: The model's folder.
            example: A string that the new version must translate.
            **options: The fields of `kattention.serving.BeamOptions`.

        Returns:
            The path of the version.
        """
        return serving.export(
            path,
            self.model,
            self.source_tokenizer,
            self.target_tokenizer,
            serving.BeamOptions(**options),
            example,
        )

    def _graph(self, key, function, specs):
        if key not in self._graphs:
            # As in an export. AutoGraph would also add a traceback to errors.
            self._graphs[key] = tf.function(
                function, input_signature=specs, autograph=False
            )
        return self._graphs[key]


def _strings(name, texts, count=None):
    if isinstance(texts, (str, bytes)):
        raise ValueError(f"{name} must be a list of strings, got one string")
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f"{name} must be strings, got {text!r}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name} must be valid Unicode, got {text!r}") from None
    if count is not None and len(texts) != count:
        raise ValueError(
            f"{name} must be {count}, one for each source text, got {len(texts)}"
        )
    return texts


def _in_batches(search, columns, batch_size, progress=None):
    """Runs a search over columns of equal length; returns `Translation` objects."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    texts = columns[0]
    # Sentences of similar length go together, for little padding.
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    results = [None] * len(texts)
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        found = search(*([column[i] for i in chosen] for column in columns))
        found = Hypotheses(*(None if x is None else x.numpy() for x in found))
        for row, i in enumerate(chosen):
            results[i] = _translations(found, row)
        if progress:
            progress(len(chosen))
    return results


def _translations(found, row):
    """The hypotheses of a row, without empty slots except the first one."""
    source = [piece.decode() for piece in found.source_tokens[row] if piece]
    results = []
    for k, score in enumerate(found.scores[row]):
        target = [piece.decode() for piece in found.target_tokens[row, k] if piece]
        if k and not target:
            continue
        alignment = None
        if found.alignments is not None:
            # A copy: a view would keep the whole batch.
            alignment = found.alignments[row, k, : len(target), : len(source)].copy()
        results.append(
            Translation(
                text=found.texts[row, k].decode(),
                score=float(score),
                source_tokens=source,
                target_tokens=target,
                token_scores=found.token_scores[row, k, : len(target)].tolist(),
                alignment=alignment,
            )
        )
    return results


def _with_copies(source, found, copy):
    if found.alignment is None:
        raise ValueError("copy needs a model with attention, which this one lacks")
    tokens = found.source_tokens, found.target_tokens
    return replace(found, text=copy_words(source, *tokens, found.alignment, copy))


def _replace(path, write):
    """Lets `write` fill a temporary file, which then replaces `path`."""
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
