"""A SavedModel that TensorFlow Serving can load: strings in, strings out."""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from kattention.serving.check import check
from kattention.serving.cudnn import without_cudnn
from kattention.serving.pipeline import BeamOptions, Pipeline
from kattention.text import SubwordTokenizer
from kattention.types import FilePath, Searchable


def export(
    path: FilePath,
    model: Searchable,
    source_tokenizer: SubwordTokenizer,
    target_tokenizer: SubwordTokenizer,
    options: BeamOptions | None = None,
    example: str = "",
) -> Path:
    """Writes tokenizers, model and search as the next version in `path`.

    Signatures, each from `text` `(B,)`:

        serving_default   translation (B,), score (B,)
        attention         these, source_tokens (B, S), target_tokens (B, T),
                          token_scores (B, T) and attention (B, T, S); absent
                          without attention
        nbest             translation (B, K), score (B, K)
        sample            translation (B,), score (B,), drawn with seed (B,)
                          int64, temperature (B,) and top_p (B,) float32; only
                          the length limits of the options apply
        continue          translation (B,), score (B,), that begin with prefix
                          (B,); from an empty prefix as serving_default
        score             score (B,), the log-probability of translation (B,)

    A version appears completely or not at all: it is written to a temporary
    folder, a fresh process loads it and translates `example`, and then it is
    renamed. It runs without a GPU, wherever it was exported.

    Args:
        path: The model's folder; versions are its sub-folders 1, 2, ...
        model: Anything with `encode` and `step`, for example a `Seq2Seq`.
        source_tokenizer: The `SubwordTokenizer` of the source.
        target_tokenizer: The `SubwordTokenizer` of the target.
        options: The `BeamOptions`; their defaults if `None`.
        example: A string that the new version must translate.

    Returns:
        The path of the version.

    Raises:
        ValueError: `path` is a file or cannot be written.
        RuntimeError: The fresh process could not load or run what was written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".writing-", dir=path))
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"the export path must be a folder, {path} is not") from None
    except OSError as error:
        raise ValueError(f"cannot write to {path}: {error.strerror}") from None
    try:
        archive = keras.export.ExportArchive()
        # Not the model: its weights would be saved twice.
        archive.track(source_tokenizer)
        archive.track(target_tokenizer)
        pipeline = Pipeline(model, source_tokenizer, target_tokenizer)
        with without_cudnn(model):
            signatures = _signatures(pipeline, options or BeamOptions())
            for name, (signature, inputs) in signatures.items():
                archive.add_endpoint(name, signature, input_signature=inputs)
            archive.write_out(str(aside), verbose=False)
        check(aside, example)
        aside.chmod(0o755)
        return _rename(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _signatures(pipeline, options):
    """`{name: (function, specs of its inputs)}`."""

    string, prefix, translation = (
        tf.TensorSpec([None], tf.string, name=name)
        for name in ("text", "prefix", "translation")
    )
    # One function, so that the export holds its graph once.
    beam = tf.function(
        lambda text: pipeline.beam(text, options),
        input_signature=[string],
        autograph=False,
    )

    def best(text):
        found = beam(text)
        return {"translation": found.texts[:, 0], "score": found.scores[:, 0]}

    def nbest(text):
        found = beam(text)
        return {"translation": found.texts, "score": found.scores}

    def attention(text):
        found = beam(text)
        # Longer hypotheses of the same text must not pad the best one.
        tokens = found.target_tokens[:, 0]
        used = tf.reduce_any(tokens != "", axis=0)
        length = tf.reduce_sum(tf.cast(used, tf.int32))
        return {
            "translation": found.texts[:, 0],
            "score": found.scores[:, 0],
            "source_tokens": found.source_tokens,
            "target_tokens": tokens[:, :length],
            "token_scores": found.token_scores[:, 0, :length],
            "attention": found.alignments[:, 0, :length],
        }

    def sample(text, seed, temperature, top_p):
        found = pipeline.sample(
            text, seed, options, temperature=temperature, top_p=top_p
        )
        return {"translation": found.texts[:, 0], "score": found.scores[:, 0]}

    def go_on(text, prefix):
        found = pipeline.beam(text, options, prefix)
        return {"translation": found.texts[:, 0], "score": found.scores[:, 0]}

    def score(text, translation):
        return {"score": pipeline.force(text, translation).scores[:, 0]}

    draw = [
        tf.TensorSpec([None], dtype, name=name)
        for name, dtype in (
            ("seed", tf.int64),
            ("temperature", tf.float32),
            ("top_p", tf.float32),
        )
    ]
    signatures = {"serving_default": (best, [string]), "nbest": (nbest, [string])}
    if beam.get_concrete_function().structured_outputs.alignments is not None:
        signatures["attention"] = attention, [string]
    signatures["sample"] = sample, [string, *draw]
    signatures["continue"] = go_on, [string, prefix]
    signatures["score"] = score, [string, translation]
    return signatures


def _rename(aside, path):
    """Gives the folder the next free number, even if others export meanwhile."""
    while True:
        versions = [int(entry.name) for entry in path.iterdir() if entry.name.isdigit()]
        target = path / str(max(versions, default=0) + 1)
        try:
            os.rename(aside, target)
            return target
        except OSError:
            if not target.exists():
                raise
