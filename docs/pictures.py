"""Draws the pictures of the documentation from real runs.

    python docs/pictures.py

It trains `toy-en-fr` with and without attention into `runs/toy` and
`runs/toy-none`, unless they are finished, and prints the table of docs/why.md.
Then it runs the pages about a classifier and a forecaster.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from recipes.quiet import start_tensorflow  # noqa: E402

start_tensorflow()

from kattention import plotting  # noqa: E402
from recipes.translation import evaluate, toy  # noqa: E402
from recipes.translation.data.files import Pairs  # noqa: E402
from recipes.translation.options import TrainOptions  # noqa: E402
from recipes.translation.showcase import EXAMPLES  # noqa: E402
from recipes.translation.train import train  # noqa: E402

PICTURES = ROOT / "docs/pictures"
DATA = "toy-en-fr"
RUNS = {"with attention": ("toy", "bahdanau"), "without": ("toy-none", "none")}


def main():
    translators = {
        name: train(
            TrainOptions(data=DATA, output=ROOT / "runs" / folder, attention=attention)
        )
        for name, (folder, attention) in RUNS.items()
    }
    draw_translations(translators["with attention"])
    save(plotting.plot_history(ROOT / "runs/toy"), "history.png")
    draw_quality(translators)
    draw_classifier(run_page("classifier.md"))
    draw_forecaster(run_page("forecaster.md"))


def draw_translations(translator):
    first, *others = translator.translate([EXAMPLES[1], EXAMPLES[0], EXAMPLES[2]])
    axes = plotting.plot_alignment(
        first.source_tokens, first.target_tokens, first.alignment, words=True
    )
    save(axes, "alignment.png")
    save(plotting.plot_alignments(others, words=True)[0], "alignments.png")


def draw_quality(translators):
    test, long = toy.load("fr", "test"), toy.load("fr", "long")
    pairs = Pairs(test.sources + long.sources, test.references + long.references)
    groups = {}
    for name, translator in translators.items():
        hypotheses = evaluate.translate_all(translator, pairs.sources)
        groups[name] = evaluate.score(hypotheses, pairs).by_length
    save(plotting.plot_quality_by_length(groups), "quality-by-length.png")
    print(f"| words of the source | sentences | {' | '.join(groups)} |")
    for rows in zip(*groups.values(), strict=True):
        scores = " | ".join(f"{row['bleu']:.1f}" for row in rows)
        print(f"| {rows[0]['words']} | {rows[0]['sentences']} | {scores} |")


def run_page(name):
    """Runs the Python of a page; returns its names."""
    scope = {}
    text = (ROOT / "docs" / name).read_text()
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(block, scope)
    return scope


def draw_classifier(page):
    text, weight = page["text"].split(), page["weight"]
    save(plotting.plot_alignment(text, ["read"], weight[None]), "classifier.png")


def draw_forecaster(page):
    dishes, past = page["dishes"], page["PAST"]
    axes = plotting.plot_alignment(dishes[:past], dishes[past:], page["looked"][-1])
    save(axes, "forecaster.png")


def save(axes, name):
    axes.figure.savefig(PICTURES / name, dpi=120)
    print(f"wrote docs/pictures/{name}", flush=True)


if __name__ == "__main__":
    main()
