"""What the documentation shows must run."""

import doctest
import importlib
import re
from pathlib import Path

import keras
import pytest

import kattention
from kattention.search import beam, greedy
from kattention.text import SubwordTokenizer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


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


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_of_a_recipe_is_understood():
    from recipes.translation.arguments import build_parser

    commands = re.findall(
        r"^python -m recipes\.translation (.+?)(?: +#.*)?$", README, re.M
    )
    assert len(commands) >= 5
    for command in commands:
        words = re.findall(r'"[^"]*"|\S+', command)
        build_parser().parse_args([word.strip('"') for word in words])


@pytest.mark.parametrize(
    "module",
    [
        "kattention.attention.bahdanau",
        "kattention.decoder.cell",
        "kattention.decoder.rnn",
        "kattention.seq2seq",
        "kattention.search.beam",
        "kattention.search.greedy",
        "kattention.text.tokenizer",
    ],
)
def test_the_examples_of_the_docstrings_run(module):
    import tensorflow as tf

    module = importlib.import_module(module)
    scope = {**vars(kattention), "keras": keras, "tf": tf, "beam": beam}
    scope |= {"greedy": greedy, "SubwordTokenizer": SubwordTokenizer}
    finder = doctest.DocTestFinder(recurse=True)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    found = 0
    for test in finder.find(module, globs=scope):
        found += len(test.examples)
        runner.run(test)
    assert found
    assert runner.summarize().failed == 0
