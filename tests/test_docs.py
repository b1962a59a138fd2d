"""What the documentation shows must run."""

import doctest
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kattention
from kattention import search
from kattention.text import SubwordTokenizer
from recipes.__main__ import main as kattention_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))


def blocks(page, *languages):
    """The `(language, text)` of the blocks of a page."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.M | re.S)
    return [block for block in found if block[0] in languages]


def run_page(name):
    """Runs a page as one program and its commands; returns the program's names."""
    scope = {"__name__": "page"}
    for language, text in blocks(ROOT / "docs" / name, "bash", "python"):
        if language == "python":
            exec(text, scope)
            continue
        for line in text.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            if program == "kattention":  # here, because a process takes a while
                assert kattention_command(arguments) == 0, line
            else:
                subprocess.run(["bash", "-c", line], check=True)
    return scope


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # As in an activated environment.
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """A checkout in which the README was run by copy and paste, and its output."""
    checkout = tmp_path_factory.mktemp("newcomer") / "kattention"
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, tracked.stdout.split("\0")):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    script = ""
    for language, text in blocks(ROOT / "README.md", "bash", "python"):
        kind = "commands" if text.startswith("kattention ") else "others"
        script += f"exec 2>>../{kind}.txt\n"
        script += text if language == "bash" else f"python - <<'END'\n{text}END\n"
    # pip finds what is installed here, and only installs the checkout.
    packages = Path(np.__file__).parents[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=checkout,
        env={**environment, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    others = checkout.with_name("others.txt").read_text()
    assert done.returncode == 0, f"{done.stdout}\n{others}"
    return checkout, done.stdout


@pytest.mark.slow
def test_the_readme_runs_by_copy_and_paste(newcomer):
    checkout, printed = newcomer
    assert printed.count("Elle voit la maison rouge") == 2  # run and export
    assert (checkout / "exported/toy/1/saved_model.pb").exists()
    assert (checkout / "alignment.png").stat().st_size > 1000
    # Nothing of TensorFlow or SentencePiece.
    said = checkout.with_name("commands.txt").read_text()
    assert said == "drew what the first translation read: alignment.png\n"


@pytest.mark.slow
def test_the_guide_to_translation_runs(newcomer, monkeypatch, capsys):
    monkeypatch.chdir(newcomer[0])
    scope = run_page("translating.md")
    assert scope["given"][0].score < 0
    assert all(len(own) == 3 for own in scope["drawn"])
    for found, prefix in zip(scope["typed"], ("Le petit", "Elle"), strict=True):
        assert found.text.startswith(prefix)
    assert Path("alignments.png").exists() and Path("history.png").exists()


@pytest.mark.slow
def test_the_page_about_saving_runs(newcomer, monkeypatch):
    monkeypatch.chdir(newcomer[0])
    scope = run_page("saving.md")
    inputs = np.ones((2, 3, 16), "float32")
    expected = scope["model"](inputs)
    np.testing.assert_allclose(scope["again"](inputs), expected, rtol=1e-5)
    assert scope["found"]["translation"].shape == (1, 5)


@pytest.mark.slow
def test_the_page_about_own_text_runs(capsys):
    run_page("own-text.md")
    assert "preset mini" in capsys.readouterr().out


def test_blocks_that_nobody_runs_are_marked_console():
    for page in PAGES:
        fences = re.findall(r"^```(.*)$", page.read_text(), re.M)
        known = {"python", "bash", "console", "{eval-rst}", "{toctree}"}
        opening = {fence.partition(" ")[0] for fence in fences[::2]}
        assert opening <= known | {"{include}"}, page


def test_every_page_is_run():
    """A page with Python has a test here that names it."""
    source = Path(__file__).read_text()
    for page in PAGES:
        if blocks(page, "python", "bash"):
            assert page.name in source, page


@pytest.mark.slow
def test_five_minutes_end_with_an_alignment_from_corner_to_corner():
    scope = run_page("five-minutes.md")
    np.testing.assert_array_equal(
        scope["found"].tokens[0, 0], scope["row"][0, ::-1], strict=False
    )
    assert (scope["alignment"].argmax(axis=1) == np.arange(8)[::-1]).mean() > 0.7


@pytest.mark.slow
def test_the_classifier_reads_the_word_that_decided():
    scope = run_page("classifier.md")
    assert scope["accuracy"] > 0.95
    ids, read = scope["ids"][1300:], scope["read"]
    assert (read[ids == 0] == 0).all()
    deciding = {word for words in scope["TOPICS"].values() for word in words}
    found = [
        text.split()[weight.argmax()] in deciding
        for text, weight in zip(scope["texts"][1300:], read, strict=True)
    ]
    assert np.mean(found) > 0.5  # one word of some twenty


@pytest.mark.slow
def test_the_forecaster_looks_at_days_with_the_same_dish():
    scope = run_page("forecaster.md")
    assert scope["error"] < 0.5 * scope["naive"]
    assert scope["share"] > 0.5  # one day of seven


def test_the_page_about_gpus_runs():
    scope = run_page("gpu.md")
    inputs = np.ones((2, 3, 8), "float32")
    expected = scope["model"](inputs)
    np.testing.assert_allclose(scope["again"](inputs), expected, rtol=1e-5)


def test_the_guide_to_search_runs():
    scope = run_page("searching.md")
    np.testing.assert_allclose(scope["probabilities"], [0.36, 0.2, 0.135], rtol=1e-5)
    expected = {"the red house is old", "the red car is new"}
    assert set(scope["completions"]) == expected


def test_the_guide_to_mechanisms_runs():
    scope = run_page("mechanisms.md")
    served = scope["tf"].saved_model.load(scope["exported"])
    texts = ["a corpus", "example"]
    found = served.signatures["attention"](text=scope["tf"].constant(texts))
    for row, expected in enumerate(scope["translator"].translate(texts)):
        assert found["translation"][row].numpy().decode() == expected.text
        target, source = expected.alignment.shape
        attention = found["attention"][row, :target, :source]
        np.testing.assert_allclose(attention, expected.alignment, atol=1e-5)


def test_every_public_object_is_in_the_reference():
    text = (ROOT / "docs/api.md").read_text()
    layers = set(kattention.__all__) - {"__version__", "plotting", "search", "serving"}
    layers -= {"text", "training"}
    for name in layers | set(kattention.training.__all__):
        assert re.search(rf"^   {name}$", text, re.M), name
    for name in kattention.plotting.__all__:
        assert f"   plotting.{name}\n" in text, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"^( {4}.*|```.*?^```)$", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (page.parent / target).exists(), target


def test_every_page_is_in_the_contents():
    contents = (ROOT / "docs/index.md").read_text()
    for page in PAGES[2:]:
        if page.name != "index.md":
            assert f"\n{page.stem}\n" in contents, page.name


def test_every_command_of_the_pages_is_understood():
    from recipes.translation.arguments import build_parser

    commands = []
    for page in PAGES:
        for _, text in blocks(page, "bash", "console"):
            commands += re.findall(
                r"kattention translation (.+?)(?: +#.*)?$", text, re.M
            )
    assert len(commands) > 20
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
