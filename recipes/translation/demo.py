"""The whole chain on the embedded corpus: `python -m recipes.translation.demo`.

Two models are trained side by side, each in a process of its own: one with
attention and one without, of the same size and for as many steps.
"""

import contextlib
import io
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

import kattention
from kattention.plotting import draw_alignment
from recipes.translation import toy
from recipes.translation.alignment import toy_error_rates
from recipes.translation.evaluate import exact_match
from recipes.translation.train import train

DATA = "toy-en-fr"
SPLITS = ("test", "combos", "long")
RUNS = {"bahdanau": "toy", "none": "toy-without-attention"}
EXAMPLES = (
    "The teacher's old dog does not see the red houses.",
    "They are looking for a white horse behind the church.",
    "Anna will be happy because the farmer invites her.",
)


def demo(runs="runs", exported="exported"):
    """Trains with and without attention, compares, shows, exports."""
    began = time.monotonic()
    print(f"== {DATA}, synthetic: training with attention and, beside it, without")
    # Two models of one thread each train faster than one of two threads.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=fresh) as pool:
        jobs = [
            pool.submit(train_and_score, attention, Path(runs) / name)
            for attention, name in RUNS.items()
        ]
        shares = [job.result() for job in jobs]
    translator = kattention.Translator.load(Path(runs) / RUNS["bahdanau"])
    _compare(shares, translator)
    _show(translator)
    _export(translator, Path(exported) / "toy")
    print(f"\n{time.monotonic() - began:.0f} seconds")


def train_and_score(attention, output):
    """Trains one model; returns its exact match on each of `SPLITS`."""
    options = {
        **dict.fromkeys(("data_dir", "pairs", "source", "target", "limit")),
        **dict.fromkeys(("valid_source", "valid_target", "epochs", "minutes")),
        **{"data": DATA, "attention": attention, "seed": 1, "output": output},
    }
    # One of two reports is enough.
    hidden = contextlib.redirect_stdout(io.StringIO())
    with hidden if attention == "none" else contextlib.nullcontext():
        translator = train(options)
    return [exact_match(translator, toy.load("fr", split)) for split in SPLITS]


def _compare(shares, translator):
    print(f"\n== {DATA}, synthetic: exact match, beam 5")
    print(f"{'':18}" + "".join(f"{split:>8}" for split in SPLITS))
    for label, row in zip(("with attention", "without"), shares, strict=True):
        print(f"{label:18}" + "".join(f"{share:>8.1%}" for share in row))
    model, diagonal = toy_error_rates(translator, toy.examples("fr", "test"))
    print(
        f"\nalignment error rate on test: {model:.3f}, of a diagonal {diagonal:.3f} "
        "(gold links, forced decoding)"
    )


def _show(translator):
    print("\n== what each token was translated from (source below)")
    for found in translator.translate(EXAMPLES):
        print(f"\n{found.text}   (score {found.score:.3f})\n")
        print(draw_alignment(found.source_tokens, found.target_tokens, found.alignment))


def _export(translator, folder):
    # It was loaded in a fresh process before it got this name.
    path = translator.export(folder, example=EXAMPLES[0])
    served = tf.saved_model.load(path).signatures["serving_default"]
    found = served(text=tf.constant(EXAMPLES))
    print("\n== the export translates")
    for source, translation in zip(EXAMPLES, found["translation"].numpy(), strict=True):
        print(f"{source}  ->  {translation.decode()}")
    print(f"exported to {path}")


if __name__ == "__main__":
    demo()
