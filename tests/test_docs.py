"""What the documentation shows must run."""

import doctest
import importlib
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import kattention
from kattention import search
from kattention.text import SubwordTokenizer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GUIDES = sorted((ROOT / "docs").glob("*.md"))


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_snippets_of_the_layers_run():
    scope = {}
    for block in blocks("python")[:2]:
        exec(block, scope)
    assert scope["weights"].shape == (None, None)
    assert scope["alignments"].shape == (None, None, None)


def test_the_snippet_of_the_translator_names_what_there_is():
    snippet = blocks("python")[2]
    names = set(re.findall(r"found\.(\w+)", snippet))
    assert names <= set(kattention.translator.Translation.__dataclass_fields__)


@pytest.mark.slow
def test_five_minutes_end_with_an_alignment_from_corner_to_corner():
    scope = {}
    for block in blocks("python", (ROOT / "docs/five-minutes.md").read_text()):
        exec(block, scope)
    np.testing.assert_array_equal(
        scope["found"].tokens[0, 0], scope["row"][0, ::-1], strict=False
    )
    assert (scope["alignment"].argmax(axis=1) == np.arange(8)[::-1]).mean() > 0.7


def test_the_page_about_classes_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    for block in blocks("python", (ROOT / "docs/which.md").read_text()):
        exec(block, scope)
    assert scope["weights"].shape == (64, 12)
    ids = scope["ids"]
    np.testing.assert_allclose(scope["again"](ids), scope["classifier"](ids), rtol=1e-5)


def test_every_public_object_is_in_the_reference():
    text = (ROOT / "docs/api.md").read_text()
    layers = set(kattention.__all__) - {"__version__", "plotting", "search", "serving"}
    layers -= {"text", "training"}
    for name in layers | set(kattention.training.__all__):
        assert re.search(rf"^   {name}$", text, re.M), name
    for name in kattention.plotting.__all__:
        assert f"   plotting.{name}\n" in text, name


def test_the_guide_to_search_runs():
    scope = {}
    for block in blocks("python", (ROOT / "docs/searching.md").read_text()):
        exec(block, scope)
    np.testing.assert_allclose(scope["probabilities"], [0.36, 0.2, 0.135], rtol=1e-5)
    expected = {"the red house is old", "the red car is new"}
    assert set(scope["completions"]) == expected


def test_the_guide_to_mechanisms_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    for block in blocks("python", (ROOT / "docs/mechanisms.md").read_text()):
        exec(block, scope)
    served = scope["tf"].saved_model.load(scope["exported"])
    texts = ["a corpus", "example"]
    found = served.signatures["attention"](text=scope["tf"].constant(texts))
    for row, expected in enumerate(scope["translator"].translate(texts)):
        assert found["translation"][row].numpy().decode() == expected.text
        target, source = expected.alignment.shape
        attention = found["attention"][row, :target, :source]
        np.testing.assert_allclose(attention, expected.alignment, atol=1e-5)


@pytest.mark.parametrize("page", [ROOT / "README.md", *GUIDES], ids=lambda p: p.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize(("page", "count"), [("README.md", 5), ("docs/training.md", 4)])
def test_every_command_of_a_recipe_is_understood(page, count):
    from recipes.translation.arguments import build_parser

    text = (ROOT / page).read_text()
    commands = re.findall(
        r"^(?:kattention |python -m recipes\.)translation (.+?)(?: +#.*)?$", text, re.M
    )
    assert len(commands) >= count
    for command in commands:
        words = re.findall(r'"[^"]*"|\S+', command)
        build_parser("translation").parse_args([word.strip('"') for word in words])


@pytest.mark.parametrize(
    "module",
    [
        "kattention.attention.base",
        "kattention.attention.bahdanau",
        "kattention.attention.fixed",
        "kattention.attention.location",
        "kattention.attention.luong",
        "kattention.attention.pooling",
        "kattention.decoder.cell",
        "kattention.decoder.rnn",
        "kattention.compiled.rnn",
        "kattention.plotting.pictures",
        "kattention.seq2seq",
        "kattention.search.beam",
        "kattention.search.force",
        "kattention.search.greedy",
        "kattention.search.sample",
        "kattention.text.tokenizer",
    ],
)
def test_the_examples_of_the_docstrings_run(module):
    import tensorflow as tf

    module = importlib.import_module(module)
    scope = {**vars(kattention), "keras": keras, "ops": keras.ops, "tf": tf}
    scope |= {**vars(search), **vars(kattention.plotting)}
    scope["SubwordTokenizer"] = SubwordTokenizer
    finder = doctest.DocTestFinder(recurse=True)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    found = 0
    for test in finder.find(module, globs=scope):
        found += len(test.examples)
        runner.run(test)
    assert found
    assert runner.summarize().failed == 0
