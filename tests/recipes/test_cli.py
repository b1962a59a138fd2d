"""The command line, as a newcomer uses it and as a newcomer gets it wrong."""

import io
import json
import sys

import numpy as np
import pytest
import tensorflow as tf

import kattention
from recipes.translation import results
from recipes.translation.commands import COMMANDS
from tests.recipes.commands import PAIRS, call


def test_evaluate_prints_scores_with_signatures(trained, pairs, capsys):
    assert call("evaluate", trained, "--pairs", pairs) == 0
    out = capsys.readouterr().out
    for part in ("BLEU = ", "chrF2 = ", "TER = ", "|tok:13a", "(95 %: ± ", "exact"):
        assert part in out
    assert "1-5          60" in out
    assert "worst, by chrF" in out
    assert call("evaluate", trained) == 0
    assert "own validation pairs" in capsys.readouterr().out


def test_evaluate_prints_json_and_the_lower_cased_protocol(
    trained, pairs, tmp_path, capsys
):
    lowered = tmp_path / "lowered.fr"
    lowered.write_text("".join(f"{target}\n" for _, target in PAIRS))
    command = ["evaluate", trained, "--pairs", pairs, "--json"]
    command += ["--tokenized-references", lowered]
    assert call(*command) == 2
    assert "wants --language" in capsys.readouterr().err
    assert call(*command, "--language", "fr") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["data"] == "own pairs"
    assert [metric["name"] for metric in scores["metrics"]] == [
        "BLEU",
        "chrF2",
        "TER",
        "lower-cased, tokenised BLEU",
    ]
    assert len(scores["ranked"]) == 60


def test_align_prints_links_and_their_error_rate(trained, pairs, tmp_path, capsys):
    gold = tmp_path / "gold"
    gold.write_text("".join("1-1 2p2\n" for _ in PAIRS))
    command = ["align", trained, "--pairs", pairs]
    assert call(*command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 60
    links = [
        [tuple(map(int, link.split("-"))) for link in line.split()] for line in lines
    ]
    for (_, target), own in zip(PAIRS, links, strict=True):
        assert sorted(j for _, j in own) == list(range(len(target.split())))
    gappy = tmp_path / "gappy.tsv"
    gappy.write_text("a cat\tun chat\n\tle chien\nthe dog 1\tle chien 1\n")
    assert call("align", trained, "--pairs", gappy) == 0
    [first, second, third] = capsys.readouterr().out.splitlines()
    assert (bool(first), second, bool(third)) == (True, "", True)
    more = ["--reverse", trained, "--gold", gold, "--gold-first", 1]
    assert call(*command, *more) == 0
    logged = capsys.readouterr()
    assert len(logged.out.splitlines()) == 60
    assert "alignment error rate 0." in logged.err


def test_back_translation_makes_pairs_to_train_on(trained, tmp_path, capsys):
    (tmp_path / "mono").write_text("un chat\n\nle chien 3\na\tb\n")
    made = tmp_path / "made.tsv"
    command = ["back-translate", trained, tmp_path / "mono", made, "--beam-width", 1]
    assert call(*command) == 0
    assert "wrote 2 pairs" in capsys.readouterr().out
    lines = [line.split("\t") for line in made.read_text().splitlines()]
    assert [line[1] for line in lines] == ["un chat", "le chien 3"]
    assert all(line[0].startswith("<BT>") for line in lines)
    assert {path.name for path in tmp_path.iterdir()} == {"mono", "made.tsv"}


def test_translate_takes_arguments_or_lines(trained, tmp_path, capsys, monkeypatch):
    plot = tmp_path / "out.png"
    assert call("translate", trained, "a cat", "the dog 1", "--plot", plot) == 0
    from_arguments = capsys.readouterr().out
    assert plot.read_bytes()[1:4] == b"PNG"
    lines = io.TextIOWrapper(io.BytesIO(b"a cat\n  the dog 1 \r\n"))
    monkeypatch.setattr(sys, "stdin", lines)
    assert call("translate", trained) == 0
    assert capsys.readouterr().out == from_arguments
    assert len(from_arguments.splitlines()) == 2
    assert call("translate", trained, " ", "a cat") == 0
    blank, line = capsys.readouterr().out.splitlines()
    assert (blank, line) == ("", from_arguments.splitlines()[0])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a cat\n\xff\n")))
    assert call("translate", trained) == 2
    assert "standard input, line 2: not UTF-8" in capsys.readouterr().err


def printed(capsys):
    """The fields of each line; an untrained model writes control characters."""
    lines = capsys.readouterr().out.removesuffix("\n").split("\n")
    return [line.split("\t", 2) for line in lines]


def test_translate_prints_several_with_their_scores(trained, capsys):
    assert call("translate", trained, "a cat", "the dog 1", "--nbest") == 0
    lines = printed(capsys)
    assert [line[0] for line in lines] == ["1"] * 5 + ["2"] * 5
    scores = [float(line[1]) for line in lines[:5]]
    assert scores == sorted(scores, reverse=True)

    draw = ["translate", trained, "a cat", "a cat", "--samples", 2, "--seed", 4]
    assert call(*draw, "--top-p", 0.9, "--temperature", 0.7) == 0
    drawn = printed(capsys)
    assert len(drawn) == 4
    expected = kattention.Translator.load(trained).sample(
        ["a cat", "a cat"], 4, 2, top_p=0.9, temperature=0.7
    )
    texts = [line[2] for line in drawn]
    assert texts == [one.text for own in expected for one in own]


def test_the_search_is_told_on_the_command_line(trained, capsys):
    told = "--beam-width 4 --groups 2 --diversity 2 --per-token --length-penalty 0.5"
    told += " --coverage-penalty 0.1 --min-length 4 --max-length 6 --no-repeat-ngram 2"
    command = ["translate", trained, "a cat", "--nbest", "--prefix", "le"]
    assert call(*command, *told.split()) == 0
    found = kattention.Translator.load(trained).nbest(
        ["a cat"],
        ["le"],
        beam_width=4,
        groups=2,
        diversity=2.0,
        length_penalty=kattention.search.PerToken(0.5),
        coverage_penalty=0.1,
        min_length=4,
        max_length=6,
        no_repeat_ngram=2,
    )
    texts = [line[2] for line in printed(capsys)]
    assert texts == [one.text for one in found[0]]
    assert all(text.startswith("le") for text in texts)


def test_score_prints_log_probabilities(trained, pairs, capsys):
    assert call("score", trained, "--pairs", pairs) == 0
    logged = capsys.readouterr()
    lines = [line.split("\t") for line in logged.out.splitlines()]
    assert [tuple(line[1:]) for line in lines] == PAIRS
    found = kattention.Translator.load(trained).score(*zip(*PAIRS, strict=True))
    np.testing.assert_allclose(
        [float(line[0]) for line in lines], [one.score for one in found], atol=1e-3
    )
    tokens = sum(len(one.target_tokens) for one in found)
    perplexity = np.exp(-sum(one.score for one in found) / tokens)
    assert f"perplexity {perplexity:.2f} over {tokens} target tokens" in logged.err


def test_an_ensemble_takes_part_in_every_command(
    trained, pairs, tmp_path, capsys, quick_export
):
    # A run with itself says what it says alone.
    more = ["--ensemble", trained]
    assert call("translate", trained, "a cat") == 0
    alone = capsys.readouterr().out
    assert call("translate", trained, "a cat", *more, *more) == 0
    assert capsys.readouterr().out == alone
    assert call("evaluate", trained, "--pairs", pairs, *more) == 0
    assert call("score", trained, "--pairs", pairs, *more) == 0
    assert call("export", trained, tmp_path / "both", *more) == 0
    served = tf.saved_model.load(tmp_path / "both" / "1")
    found = served.signatures["serving_default"](text=tf.constant(["a cat"]))
    assert found["translation"].numpy()[0].decode() == alone.rstrip("\n")


def test_export_translates_before_it_says_it_is_done(trained, tmp_path, capsys):
    assert call("export", trained, tmp_path / "served") == 0
    assert f"exported to {tmp_path / 'served' / '1'}" in capsys.readouterr().out
    loaded = tf.saved_model.load(tmp_path / "served" / "1")
    found = loaded.signatures["serving_default"](text=tf.constant(["a cat"]))
    expected = kattention.Translator.load(trained).translate(["a cat"])
    assert found["translation"].numpy()[0].decode() == expected[0].text


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("command", ["evaluate", "translate", "export"])
def test_progress_is_for_terminals_and_not_in_the_output(
    trained, tmp_path, capsys, monkeypatch, quick_export, command
):
    last = {"evaluate": [], "translate": ["a cat"], "export": [tmp_path / "exported"]}
    assert call(command, trained, *last[command]) == 0
    logged = capsys.readouterr()
    assert "%|" not in logged.out + logged.err
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert call(command, trained, *last[command]) == 0
    assert "100%|" in terminal.getvalue()
    assert "%|" not in capsys.readouterr().out


def test_the_toy_runs_without_attention_and_says_synthetic(tmp_path, capsys):
    command = ["train", "--data", "toy-en-de", "--limit", 300, "--epochs", 1]
    command += ["--attention", "none", "--output", tmp_path / "run"]
    assert call(*command) == 0
    assert "synthetic" in capsys.readouterr().out
    assert call("evaluate", tmp_path / "run", "--data", "toy-en-de:valid") == 0
    out = capsys.readouterr().out
    assert "synthetic: BLEU" in out
    assert "no attention (0 is best; a diagonal has 0." in out
    found = results.measure([tmp_path / "run"])
    assert found["seeds"] == [1]
    assert set(found["scores"]) == {"BLEU", "chrF2", "TER"}
    capsys.readouterr()
    assert call("translate", tmp_path / "run", "A dog.", "--plot", "x.png") == 2
    assert "no alignment to plot" in capsys.readouterr().err


@pytest.fixture
def wrong(tmp_path, trained):
    """Files and folders that are not what a command wants."""
    (tmp_path / "empty.tsv").touch()
    (tmp_path / "b.tsv").write_text("a\tb\nc\td\n")
    (tmp_path / "gold").write_text("1-1\n")
    (tmp_path / "column.tsv").write_text("a\tb\nonly\n")
    (tmp_path / "latin.tsv").write_bytes("a\tb\nça\té\n".encode("latin-1"))
    (tmp_path / "a.en").write_text("x\ny\nz\n")
    (tmp_path / "a.fr").write_text("x\n")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.json").write_text("{}")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    return {"T": tmp_path, "RUN": trained}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train --pairs {T}/none.tsv --output {T}/o", "no such file"),
        ("train --pairs {T}/empty.tsv --output {T}/o", "is empty"),
        ("train --pairs {T}/column.tsv --output {T}/o", "line 2: expected source"),
        ("train --pairs {T}/latin.tsv --output {T}/o", "line 2: not UTF-8"),
        (
            "train --source {T}/a.en --target {T}/a.fr --output {T}/o",
            "a.en has 3 lines",
        ),
        ("train --source {T}/a.en --output {T}/o", "--source and --target go together"),
        ("train --data wmt14 --output {T}/o", "unknown corpus 'wmt14': choose from"),
        ("train --data toy-en-fr:test --output {T}/o", "without a split"),
        ("train --data toy-en-fr --output {T}/other", "holds other files and no run"),
        ("train --data toy-en-fr --output {T}/a.en", "cannot write to"),
        ("train --data toy-en-fr --output {RUN}", "was trained with other options"),
        (
            "train --data multi30k-en-de --data-dir {T} --output {T}/o",
            "no such file",
        ),
        ("train --data toy-en-fr", "give --output, the run folder"),
        ("train --output {T}/o", "give one of --data, --pairs and --source"),
        (
            "train --data toy-en-fr --output {T}/o --epochs 0",
            "whole number above 0, got '0'",
        ),
        ("train --data toy-en-fr --output {T}/o --attention luong", "invalid choice"),
        (
            "train --data toy-en-fr --pairs {T}/b.tsv --output {T}/o",
            "give only one of --data and --pairs",
        ),
        ("evaluate {T}", "is not a run folder"),
        ("evaluate {T}/a.en", "is not a run folder"),
        ("evaluate {RUN} --data toy-en-fr:dev", "no split 'dev': choose from train"),
        ("translate {T}/none hello", "is not a run folder"),
        ("translate {RUN} hello --plot {T}/no/such/folder.png", "cannot write to"),
        ("translate {RUN} hello --ensemble {T}", "is not a run folder"),
        ("translate {RUN} hello --samples 2 --prefix a", "--samples goes without"),
        ("translate {RUN} hello --samples 2 --top-p 2", "at most 1, got 2.0"),
        ("translate {RUN} hello --top-k 2", "--top-k goes with --samples"),
        ("export {T}/begun {T}/served", "it holds no model.keras"),
        ("evaluate {T}/begun", "is not what train wrote: it lacks data or preset"),
        ("align {RUN} --pairs {T}/b.tsv --gold {T}/gold", "gold links must be 2 lines"),
        ("align {RUN} --gold-first 1", "--gold-first goes with --gold"),
        ("evaluate {RUN} --language de", "goes with --tokenized-references"),
        ("evaluate {RUN} --pairs {T}/b.tsv --data-dir {T}", "goes with --data"),
        ("train --data toy-en-fr --output {T}/o --units 65", "an even number above 0"),
        ("translate {RUN} hello --groups 3", "divide the beam_width 5, got 3"),
        (
            "train --data toy-en-fr --output {T}/o --ema 1",
            "at least 0 and below 1",
        ),
        ("train --data toy-en-fr --output {T}/o --seed -1", "a whole number from 0"),
        (
            "train --data toy-en-fr --output {T}/o --epochs 2 --minutes 2",
            "either --minutes or --epochs",
        ),
        (
            "train --data toy-en-fr --output {T}/o --alignments {T}/a.en",
            "--alignments goes with --pairs",
        ),
        (
            "train --pairs {T}/a.en --output {T}/o --alignments {T}/a.en",
            "--alignments and --guided-alignment go together",
        ),
        ("score {T}", "is not a run folder"),
        ("align {RUN} --gold {T}/a.en", "line 1: expected links as 3-4 or 3p4"),
        ("back-translate {RUN} {T}/none {T}/o", "no such file"),
        ("back-translate {RUN} {T}/a.en {T}/no/o", "cannot write to"),
        ("export {T} {T}/o", "is not a run folder"),
        ("export {RUN} {T}/a.en", "must be a folder"),
        ("export {RUN} /proc/kattention", "cannot write to"),
        ("bogus", "invalid choice"),
    ],
)
def test_wrong_use_gets_one_line_and_exit_code_2(wrong, capsys, command, message):
    capsys.readouterr()
    assert call(*command.format(**wrong).split()) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1, error


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(command, capsys):
    assert call(*command.split(), "--help") == 0
    assert "usage: python -m recipes.translation" in capsys.readouterr().out
