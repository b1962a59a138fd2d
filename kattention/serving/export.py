"""A SavedModel that TensorFlow Serving can load: strings in, strings out."""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from kattention.seq2seq import END, START
from kattention.serving.check import check
from kattention.serving.pipeline import search_strings


def export(
    path,
    model,
    source_tokenizer,
    target_tokenizer,
    beam_width=5,
    length_penalty=1.0,
    example="",
):
    """Writes tokenizers, model and beam search as the next version in `path`.

    Signatures, each from `text` `(B,)`:

        serving_default   translation (B,), score (B,)
        attention         these, source_tokens (B, S), target_tokens (B, T) and
                          attention (B, T, S); absent without attention
        nbest             translation (B, K), score (B, K)

    The version appears whole or not at all: it is written aside, loaded in a
    fresh process, which translates `example`, and then renamed.

    Args:
        path: The model's folder; versions are its sub-folders 1, 2, ...
        model: Anything with `encode` and `step`, for example a `Seq2Seq`.
        source_tokenizer: The `SubwordTokenizer` of the source.
        target_tokenizer: The `SubwordTokenizer` of the target.
        beam_width: `K`.
        length_penalty: As in `kattention.search.beam`.
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
        # Not the model: what is tracked as a whole is saved twice.
        archive.track(source_tokenizer)
        archive.track(target_tokenizer)
        signatures = _signatures(
            model, source_tokenizer, target_tokenizer, beam_width, length_penalty
        )
        text = tf.TensorSpec([None], tf.string, name="text")
        for name, signature in signatures.items():
            archive.add_endpoint(name, signature, input_signature=[text])
        archive.write_out(str(aside), verbose=False)
        check(aside, example)
        aside.chmod(0o755)
        return _rename(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _signatures(model, source_tokenizer, target_tokenizer, beam_width, length_penalty):
    def search(text):
        return search_strings(
            text, model, source_tokenizer, target_tokenizer, beam_width, length_penalty
        )

    def best(text):
        found = search(text)
        return {"translation": found.texts[:, 0], "score": found.scores[:, 0]}

    def nbest(text):
        found = search(text)
        return {"translation": found.texts, "score": found.scores}

    def attention(text):
        found = search(text)
        # The longest of the other hypotheses must not pad the best one.
        tokens = found.target_tokens[:, 0]
        used = tf.reduce_any(tokens != "", axis=0)
        length = tf.reduce_sum(tf.cast(used, tf.int32))
        return {
            "translation": found.texts[:, 0],
            "score": found.scores[:, 0],
            "source_tokens": found.source_tokens,
            "target_tokens": tokens[:, :length],
            "attention": found.alignments[:, 0, :length],
        }

    signatures = {"serving_default": best, "nbest": nbest}
    if aligns(model):
        signatures["attention"] = attention
    return signatures


def aligns(model):
    """Whether the model's steps yield alignments."""
    memory, state = model.encode(tf.constant([[END, END]]))
    return model.step(tf.constant([START]), state, memory)[2] is not None


def _rename(aside, path):
    """Gives the folder the next free number, also when others export too."""
    while True:
        versions = [int(entry.name) for entry in path.iterdir() if entry.name.isdigit()]
        target = path / str(max(versions, default=0) + 1)
        try:
            os.rename(aside, target)
            return target
        except OSError:
            if not target.exists():
                raise
