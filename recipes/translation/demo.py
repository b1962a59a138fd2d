"""The whole chain on the embedded corpus: `python -m recipes.translation.demo`.

Two models of the same size are trained side by side for as many steps: one
with attention in this process, one without in a worker, which then exports
the first while that is evaluated here.
"""

import contextlib
import io
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Two trainings of one thread each are done before one of two threads is twice.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import tensorflow as tf

import kattention
from kattention.plotting import draw_alignment
from recipes.translation import toy
from recipes.translation.evaluate import exact_match
from recipes.translation.options import TrainOptions
from recipes.translation.train import train
from recipes.translation.word_links import toy_error_rates

DATA = "toy-en-fr"
SPLITS = ("test", "combos", "long")
EXAMPLES = (
    "The teacher's old dog does not see the red houses.",
    "They are looking for a white horse behind the church.",
    "Anna will be happy because the farmer invites her.",
)


def demo(runs="runs", exported="exported"):
    """Trains with and without attention, compares, shows, exports."""
    began = time.monotonic()
    folder = Path(runs) / "toy"
    print(f"== {DATA}, synthetic: training with attention and, beside it, without")
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as worker:
        control = worker.submit(train_control, Path(runs) / "toy-without-attention")
        translator = _train("bahdanau", folder)
        path = worker.submit(export, folder, Path(exported) / "toy")
        shares = _shares(translator)
        error_rates = toy_error_rates(translator, toy.examples("fr", "test"))
        _compare([shares, control.result()], error_rates)
        _show(translator)
        _serve(path.result())
    print(f"\n{time.monotonic() - began:.0f} seconds")


def train_control(output):
    """Trains the model without attention; returns its exact match."""
    # Two reports at once would be hard to read.
    with contextlib.redirect_stdout(io.StringIO()):
        return _shares(_train("none", output))


def export(folder, destination):
    """Exports a run; returns the path of the new version."""
    # `export` has loaded it in a fresh process already.
    return kattention.Translator.load(folder).export(destination, example=EXAMPLES[0])


def _train(attention, output):
    return train(TrainOptions(data=DATA, attention=attention, output=output))


def _shares(translator):
    """Exact match on each of `SPLITS`."""
    return [exact_match(translator, toy.load("fr", split)) for split in SPLITS]


def _compare(shares, error_rates):
    print(f"\n== {DATA}, synthetic: exact match, beam 5")
    print(f"{'':18}" + "".join(f"{split:>8}" for split in SPLITS))
    for label, row in zip(("with attention", "without"), shares, strict=True):
        print(f"{label:18}" + "".join(f"{share:>8.1%}" for share in row))
    model, diagonal = error_rates
    print(
        f"\nalignment error rate on test: {model:.3f}, of a diagonal {diagonal:.3f} "
        "(gold links, forced decoding)"
    )


def _show(translator):
    print("\n== what each token was translated from (source below)")
    for found in translator.translate(EXAMPLES):
        print(f"\n{found.text}   (score {found.score:.3f})\n")
        print(draw_alignment(found.source_tokens, found.target_tokens, found.alignment))


def _serve(path):
    served = tf.saved_model.load(path).signatures["serving_default"]
    found = served(text=tf.constant(EXAMPLES))
    print("\n== the export translates")
    for source, translation in zip(EXAMPLES, found["translation"].numpy(), strict=True):
        print(f"{source}  ->  {translation.decode()}")
    print(f"exported to {path}")


if __name__ == "__main__":
    demo()
