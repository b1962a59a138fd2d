"""The whole chain on the embedded corpus: `python -m recipes.translation.demo`."""

import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from kattention import serving
from kattention.plotting import draw_alignment
from recipes.translation import toy
from recipes.translation.alignment import toy_error_rates
from recipes.translation.evaluate import exact_match
from recipes.translation.train import train

DATA = "toy-en-fr"
SPLITS = ("test", "combos", "long")
EXAMPLES = (
    "The teacher's old dog does not see the red house.",
    "They are looking for a white horse behind the church.",
    "Anna is happy because the farmer invites her.",
)


def demo(runs="runs", exported="exported"):
    """Trains with and without attention, compares, shows, exports."""
    began = time.monotonic()
    translators = {}
    for attention, name in (("bahdanau", "toy"), ("none", "toy-without-attention")):
        print(f"\n== training {name}", flush=True)
        translators[attention] = train(
            {
                **{"data": DATA, "data_dir": None, "pairs": None, "source": None},
                **{"target": None, "valid_source": None, "valid_target": None},
                **{"epochs": None, "minutes": None, "limit": None, "seed": 1},
                **{"attention": attention, "output": Path(runs) / name},
            }
        )
    _compare(translators)
    translator = translators["bahdanau"]
    _show(translator)
    path = translator.export(Path(exported) / "toy", example=EXAMPLES[0])
    text, score = serving.check(path, EXAMPLES[0])
    print("\n== the export, loaded in a fresh process")
    print(f"{EXAMPLES[0]}\n{text}   (score {score:.3f})\nexported to {path}")
    print(f"\n{time.monotonic() - began:.0f} seconds")


def _compare(translators):
    print(f"\n== {DATA}, synthetic: exact match, beam 5")
    print(f"{'':10}" + "".join(f"{split:>10}" for split in SPLITS))
    for attention, translator in translators.items():
        label = "attention" if attention == "bahdanau" else "without"
        shares = [exact_match(translator, toy.load("fr", split)) for split in SPLITS]
        print(f"{label:10}" + "".join(f"{share:>10.1%}" for share in shares))
    examples = toy.examples("fr", "test")
    model, diagonal = toy_error_rates(translators["bahdanau"], examples)
    print(
        f"alignment error rate on test {model:.3f}, of a diagonal {diagonal:.3f} "
        "(gold links, forced decoding)"
    )


def _show(translator):
    print("\n== what each word was translated from")
    for found in translator.translate(EXAMPLES):
        print(f"\n{found.text}   (score {found.score:.3f})\n")
        print(draw_alignment(found.source_tokens, found.target_tokens, found.alignment))


if __name__ == "__main__":
    demo()
