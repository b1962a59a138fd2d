"""What the demo shows: training, translations, alignments and an export."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import tensorflow as tf

import kattention
from kattention.plotting import draw_alignment

from ..quiet import start_tensorflow
from . import toy
from .evaluate import exact_match
from .options import TrainOptions
from .train import train
from .word_links import toy_error_rates

DATA = "toy-en-fr"
SPLITS = ("test", "combos", "long")
EXAMPLES = (
    "The teacher's old dog does not see the red houses.",
    "They are looking for a white horse behind the church.",
    "Anna will be happy because the farmer invites her.",
)


def show(runs="runs", exported="exported"):
    """Trains, judges, shows, exports."""
    folder = Path(runs) / "toy"
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as worker:
        worker.submit(start_tensorflow)  # which takes some seconds
        print(f"== {DATA}, synthetic: training")
        translator = train(TrainOptions(data=DATA, output=folder))
        path = worker.submit(export, folder, Path(exported) / "toy")
        _judge(translator)
        _show(translator)
        _serve(path.result())


def export(folder, destination):
    """Exports a run; returns the path of the new version."""
    # `export` has loaded it in a fresh process already.
    return kattention.Translator.load(folder).export(destination, example=EXAMPLES[0])


def _judge(translator):
    print(f"\n== {DATA}, synthetic: exact match, beam 5")
    for split in SPLITS:
        print(f"{split:8}{exact_match(translator, toy.load('fr', split)):8.1%}")
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


def _serve(path):
    served = tf.saved_model.load(path).signatures["serving_default"]
    found = served(text=tf.constant(EXAMPLES))
    print("\n== the export translates")
    for source, translation in zip(EXAMPLES, found["translation"].numpy(), strict=True):
        print(f"{source}  ->  {translation.decode()}")
    print(f"exported to {path}")
