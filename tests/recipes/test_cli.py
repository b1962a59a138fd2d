"""The command line, as a newcomer uses it and as a newcomer gets it wrong."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import kattention
from recipes.translation import results, run
from recipes.translation.__main__ import COMMANDS, main

PAIRS = [("the red house", "la maison rouge"), ("a cat", "un chat")] * 15
PAIRS += [(f"the dog {i}", f"le chien {i}") for i in range(30)]
RUN_FILES = {"run.json", "source.model", "target.model", "training", "validation"}
RUN_FILES |= {"model.keras", "validation.json"}


def call(*arguments):
    """Runs the command; returns its exit code."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "my.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS))
    return path


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mine"
    assert call("train", "--pairs", pairs, "--output", folder, "--epochs", 1) == 0
    return folder


def test_own_pairs_go_from_file_to_run(trained):
    assert {path.name for path in trained.iterdir()} == RUN_FILES | {"state-1"}
    recorded = json.loads((trained / "run.json").read_text())
    assert recorded["preset"]["attend"] == "between"
    assert kattention.Translator.load(trained).translate(["a cat"])[0].alignment.any()


def test_a_finished_run_has_nothing_to_do(trained, pairs, capsys):
    assert call("train", "--pairs", pairs, "--output", trained, "--epochs", 1) == 0
    assert "nothing to do" in capsys.readouterr().out


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
    lines = io.TextIOWrapper(io.BytesIO(b"a cat\nthe dog 1\r\n"))
    monkeypatch.setattr(sys, "stdin", lines)
    assert call("translate", trained) == 0
    assert capsys.readouterr().out == from_arguments
    assert len(from_arguments.splitlines()) == 2
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
    assert f"perplexity {perplexity:.2f} of {tokens} tokens" in logged.err


def test_an_ensemble_takes_part_in_every_command(trained, pairs, tmp_path, capsys):
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
    trained, tmp_path, capsys, monkeypatch, command
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
    assert "no attention (diagonal 0." in out
    found = results.measure([tmp_path / "run"])
    assert found["seeds"] == [1]
    assert set(found["scores"]) == {"BLEU", "chrF2", "TER"}
    capsys.readouterr()
    assert call("translate", tmp_path / "run", "A dog.", "--plot", "x.png") == 2
    assert "no alignment to plot" in capsys.readouterr().err


def test_parallel_files_with_their_own_validation(tmp_path, capsys):
    for name, column in (("a.en", 0), ("a.fr", 1)):
        text = "".join(f"{pair[column]}\n" for pair in PAIRS)
        (tmp_path / name).write_text(text)
    files = ["--source", tmp_path / "a.en", "--target", tmp_path / "a.fr"]
    valid = ["--valid-source", tmp_path / "a.en", "--valid-target", tmp_path / "a.fr"]
    command = ["train", *files, *valid, "--output", tmp_path / "run"]
    assert call(*command, "--epochs", 1, "--units", 32) == 0
    out = capsys.readouterr().out
    assert "28 that came before" in out
    assert "32 training and 60 validation pairs" in out
    assert run.read_options(tmp_path / "run")["preset"]["units"] == 32
    assert call(*command, "--epochs", 1, "--units", 16) == 2
    assert "trained with other options (units: 32, now 16): " in capsys.readouterr().err


def test_given_alignments_are_learnt(tmp_path, capsys):
    pairs, links = tmp_path / "my.tsv", tmp_path / "links"
    lines = [f"the red {i}\tle {i} rouge\n" for i in range(40)]
    pairs.write_text("".join(lines))
    # Not what a model would find: every word reads the last one.
    links.write_text("2-0 2-1 2-2\n" * 40)
    command = ["train", "--pairs", pairs, "--output", tmp_path / "run"]
    command += ["--alignments", links, "--preset", "tiny", "--guided-alignment", 3]
    assert call(*command, "--epochs", 60, "--patience", 60) == 0
    capsys.readouterr()
    assert call("align", tmp_path / "run", "--pairs", pairs, "--gold", links) == 0
    assert float(capsys.readouterr().err.split()[-1]) < 0.1
    links.write_text("2-0 2-1 2-2\n" * 39)
    command[command.index("--output") + 1] = tmp_path / "other"
    assert call(*command) == 2
    assert "there is no line for pair 40" in capsys.readouterr().err


def test_a_training_draws_its_own_tokens_and_goes_on(pairs, tmp_path, capsys):
    command = ["train", "--pairs", pairs, "--output", tmp_path / "run", "--seed", 3]
    command += ["--preset", "tiny", "--epochs", 2, "--scheduled-sampling", 0.5]
    stop_after_a_round(command)
    assert call(*command) == 0
    assert "going on with" in capsys.readouterr().out
    _, state = run.read_progress(tmp_path / "run")
    assert 0.2 < float(keras.models.load_model(state).share) < 0.5
    assert call("translate", tmp_path / "run", "a cat") == 0
    command[command.index("--output") + 1] = tmp_path / "whole"
    assert call(*command) == 0
    _, whole = run.read_progress(tmp_path / "whole")
    assert weights(state) == weights(whole)
    command[command.index("--output") + 1] = tmp_path / "forced"
    assert call(*command, "--scheduled-sampling", 0) == 0
    drawn, forced = (tmp_path / name / "model.keras" for name in ("whole", "forced"))
    assert weights(drawn) != weights(forced)


def wait_for(condition, seconds=240):
    for _ in range(seconds * 10):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited too long")


def test_a_killed_training_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path, capsys
):
    command = ["train", "--data", "toy-en-fr", "--limit", "3000", "--epochs", "4"]
    command += ["--word-dropout", "0.1", "--memory-dropout", "0.2", "--ema", "0.9"]
    command += ["--attention-dropout", "0.1"]
    program = [sys.executable, "-m", "recipes.translation", *command]
    folder = tmp_path / "killed"
    with subprocess.Popen(
        [*program, "--output", folder], stdout=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: (folder / "state-1").exists() or process.poll() is not None)
        assert process.poll() is None
        time.sleep(0.5)  # into the second epoch
        process.send_signal(signal.SIGKILL)
    progress, _ = run.read_progress(folder)
    assert not progress.finished
    assert progress.rounds < 4
    assert call(*command, "--output", folder) == 0
    assert f"after round {progress.rounds}" in capsys.readouterr().out
    assert call(*command, "--output", tmp_path / "whole") == 0
    killed, killed_state = run.read_progress(folder)
    whole, whole_state = run.read_progress(tmp_path / "whole")
    assert killed.finished
    assert killed.rounds == whole.rounds == 4
    assert killed.steps == whole.steps
    assert killed.best_bleu == whole.best_bleu
    for state in (killed_state, whole_state):
        assert state.exists()
    assert weights(killed_state) == weights(whole_state)
    best = [folder / "model.keras", tmp_path / "whole" / "model.keras"]
    assert weights(best[0]) == weights(best[1])
    assert {path.name for path in folder.iterdir()} == RUN_FILES | {"state-4"}


def weights(path):
    """All numbers of a saved model and its optimizer, bit for bit."""
    model = keras.models.load_model(path)
    compiled = getattr(model, "optimizer", None)
    optimizer = compiled.variables if compiled else []
    return [np.asarray(v).tobytes() for v in (*model.weights, *optimizer)]


def test_a_mistake_does_not_spoil_the_folder(pairs, tmp_path):
    output = ["--output", tmp_path / "run", "--epochs", 1]
    assert call("train", "--pairs", tmp_path / "none", *output) == 2
    assert call("train", "--pairs", pairs, *output, "--vocabulary-size", 10) == 2
    assert call("train", "--pairs", pairs, *output, "--max-ratio", 0.5) == 2
    (tmp_path / "run" / "notes.txt").write_text("my own")
    assert call("train", "--pairs", pairs, *output) == 0
    assert (tmp_path / "run" / "state-1").exists()
    assert (tmp_path / "run" / "notes.txt").exists()


class Killed(BaseException):
    """Nothing catches it."""


def stop_after_a_round(command):
    """Runs a training until its first state is written."""
    write = run.write_state

    def stop(*state):
        write(*state)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "write_state", stop)
        with pytest.raises(Killed):
            call(*command)


def test_what_was_being_written_is_passed_over_and_the_corpus_may_change(
    pairs, tmp_path
):
    folder, own = tmp_path / "run", tmp_path / "own.tsv"
    shutil.copy(pairs, own)
    command = ["train", "--pairs", own, "--output", folder, "--preset", "tiny"]
    stop_after_a_round([*command, "--epochs", 2])
    validation = (folder / "validation.json").read_text()
    (folder / ".writing-state").mkdir()
    (folder / ".writing-state" / "model.keras").write_bytes(b"half")
    own.write_text("something else\tautre chose\n" * 9)
    assert call(*command, "--epochs", 2) == 0
    names = {path.name for path in folder.iterdir()}
    assert names == RUN_FILES | {"state-2"}
    assert (folder / "validation.json").read_text() == validation


def test_a_state_that_cannot_be_read_is_named(trained, pairs, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    (folder / "state-1" / "progress.json").write_text('{"epoch": 1}')
    assert call("train", "--pairs", pairs, "--output", folder, "--epochs", 1) == 2
    assert "progress.json cannot be read" in capsys.readouterr().err


def test_minutes_are_a_budget(pairs, tmp_path):
    command = ["train", "--pairs", pairs, "--output", tmp_path / "run"]
    assert call(*command, "--minutes", 0.05) == 0
    progress, _ = run.read_progress(tmp_path / "run")
    assert progress.finished
    assert progress.seconds >= 3


@pytest.fixture
def wrong(tmp_path, trained):
    """Files and folders that are not what a command wants."""
    (tmp_path / "empty.tsv").touch()
    (tmp_path / "column.tsv").write_text("a\tb\nonly\n")
    (tmp_path / "latin.tsv").write_bytes("a\tb\nça\té\n".encode("latin-1"))
    (tmp_path / "a.en").write_text("x\ny\nz\n")
    (tmp_path / "a.fr").write_text("x\n")
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
        ("train --data toy-en-fr", "required: --output"),
        ("train --output {T}/o", "one of the arguments --data --pairs --source"),
        ("train --data toy-en-fr --output {T}/o --epochs 0", "positive int"),
        ("train --data toy-en-fr --output {T}/o --attention luong", "invalid choice"),
        ("evaluate {T}", "is not a run folder"),
        ("evaluate {T}/a.en", "is not a run folder"),
        ("evaluate {RUN} --data toy-en-fr:dev", "no split 'dev': choose from train"),
        ("translate {T}/none hello", "is not a run folder"),
        ("translate {RUN} hello --plot {T}/no/such/folder.png", "cannot write to"),
        ("translate {RUN} hello --ensemble {T}", "is not a run folder"),
        ("translate {RUN} hello --samples 2 --prefix a", "--samples goes without"),
        ("translate {RUN} hello --samples 2 --top-p 2", "at most 1, got 2.0"),
        ("translate {RUN} hello --groups 3", "divide the beam_width 5, got 3"),
        ("train --data toy-en-fr --output {T}/o --ema 1", "invalid share value: '1'"),
        ("train --data toy-en-fr --output {T}/o --seed -1", "invalid natural number"),
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
