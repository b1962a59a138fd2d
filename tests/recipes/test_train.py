"""Training: from files to a run folder, stopped and gone on with."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import kattention
from recipes.translation import report, run
from recipes.translation.callbacks import Validation
from recipes.translation.data.files import Pairs
from tests.recipes.commands import PAIRS, RUN_FILES, call


def test_own_pairs_go_from_file_to_run(trained):
    assert {path.name for path in trained.iterdir()} == RUN_FILES | {"state-1"}
    recorded = json.loads((trained / "run.json").read_text())
    assert recorded["preset_name"] == "mini"
    assert kattention.Translator.load(trained).translate(["a cat"])[0].alignment.any()


def test_a_run_keeps_its_history(trained):
    with (trained / "history.csv").open() as file:
        [row] = csv.DictReader(file)
    assert (row["round"], row["step"]) == ("1", "1")
    assert float(row["val_loss"]) > float(row["learning_rate"]) >= 0
    [file] = (trained / "events").iterdir()
    events = tf.data.TFRecordDataset(str(file))
    text = b"".join(record.numpy() for record in events)
    for name in (b"val_bleu", b"translations", b"alignment 1"):
        assert name in text


def test_a_training_says_what_it_does_and_what_comes_next(
    pairs, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(report, "EVERY", 0)
    folder = tmp_path / "mine"
    command = ["train", "--pairs", pairs, "--output", folder, "--epochs", 1]
    assert call(*command) == 0
    said = capsys.readouterr().out
    steps = (
        "reading the corpus",
        "learning 1,200 subwords from ",
        "building the training step",
        "round 1 step 1 of 1, loss ",
        "target tokens/s, 100%, under 1 min left",
        "(greedy search)",
        "kept round ",
        f"translation evaluate {folder}\n",
        f"translation export {folder} exported/mine\n",
    )
    places = [said.index(step) for step in steps]
    assert places == sorted(places)


def test_a_finished_run_has_nothing_to_do(trained, pairs, capsys):
    assert call("train", "--pairs", pairs, "--output", trained, "--epochs", 1) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_logits_in_bfloat16_are_only_the_logits(pairs, tmp_path, quick_export):
    folder = tmp_path / "run"
    command = ["train", "--pairs", pairs, "--preset", "tiny", "--output", folder]
    assert call(*command, "--epochs", 1, "--bfloat16") == 0
    translator = kattention.Translator.load(folder)
    model = translator.model
    memory, state = model.encode(np.array([[4, 5, 3]]))
    logits, [state, *_], alignment = model.step(np.array([2]), state, memory)
    assert logits.dtype == "bfloat16"
    assert state.dtype == alignment.dtype == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    [scored] = translator.score(["a cat"], ["un chat"])
    assert np.isfinite(scored.score)
    served = tf.saved_model.load(translator.export(tmp_path / "exported"))
    found = served.signatures["serving_default"](text=tf.constant(["a cat"]))
    [expected] = translator.translate(["a cat"])
    assert found["translation"].numpy()[0].decode() == expected.text


def test_parallel_files_with_their_own_validation(tmp_path, capsys):
    for name, column in (("a.en", 0), ("a.fr", 1)):
        text = "".join(f"{pair[column]}\n" for pair in PAIRS)
        (tmp_path / name).write_text(text)
    files = ["--source", tmp_path / "a.en", "--target", tmp_path / "a.fr"]
    valid = ["--valid-source", tmp_path / "a.en", "--valid-target", tmp_path / "a.fr"]
    command = ["train", *files, *valid, "--output", tmp_path / "run"]
    assert call(*command, "--epochs", 1, "--units", 32) == 0
    out = capsys.readouterr().out
    assert "28 duplicates" in out
    assert "32 training and 60 validation pairs" in out
    assert run.read_options(tmp_path / "run")["preset"]["units"] == 32
    assert call(*command, "--epochs", 1, "--units", 16) == 2
    assert "They differ in units (32, now 16)" in capsys.readouterr().err


def test_given_alignments_are_learnt(tmp_path, capsys):
    pairs, links = tmp_path / "my.tsv", tmp_path / "links"
    lines = [f"the red {i}\tle {i} rouge\n" for i in range(40)]
    pairs.write_text("".join(lines))
    # Not what a model would find: every word reads the last one.
    links.write_text("2-0 2-1 2-2\n" * 40)
    command = ["train", "--pairs", pairs, "--output", tmp_path / "run"]
    command += ["--alignments", links, "--preset", "tiny", "--guided-alignment", 3]
    command += ["--batch-tokens", 50, "--epochs", 10, "--patience", 10]
    assert call(*command) == 0
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
    _, forced = run.read_progress(tmp_path / "forced")
    drawn = keras.models.load_model(whole).model.get_weights()
    given = keras.models.load_model(forced).get_weights()
    assert all((a != b).any() for a, b in zip(drawn, given, strict=True))


def wait_for(condition, seconds=240):
    for _ in range(seconds * 10):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited too long")


def test_a_killed_training_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path, capsys
):
    command = ["train", "--data", "toy-en-fr", "--limit", "600", "--epochs", "3"]
    command += ["--word-dropout", "0.1", "--memory-dropout", "0.2", "--ema", "0.9"]
    command += ["--attention-dropout", "0.1", "--compiled", "--max-tokens", "16"]
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
    assert progress.rounds < 3
    assert call(*command, "--output", folder) == 0
    assert f"after round {progress.rounds}" in capsys.readouterr().out
    assert call(*command, "--output", tmp_path / "whole") == 0
    killed, killed_state = run.read_progress(folder)
    whole, whole_state = run.read_progress(tmp_path / "whole")
    assert killed.finished
    assert killed.rounds == whole.rounds == 3
    assert killed.steps == whole.steps
    assert killed.best_bleu == whole.best_bleu
    for state in (killed_state, whole_state):
        assert state.exists()
    assert weights(killed_state) == weights(whole_state)
    best = [folder / "model.keras", tmp_path / "whole" / "model.keras"]
    assert weights(best[0]) == weights(best[1])
    assert {path.name for path in folder.iterdir()} == RUN_FILES | {"state-3"}


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


def test_a_training_that_is_interrupted_says_how_to_go_on(
    pairs, tmp_path, capsys, monkeypatch
):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "write_state", interrupt)
    assert call("train", "--pairs", pairs, "--output", tmp_path, "--epochs", 1) == 130
    assert "the same command goes on from the last round" in capsys.readouterr().err


class Repeating:
    """Translates every source into itself."""

    def translate(self, texts, **options):
        return [SimpleNamespace(text=text) for text in texts]


def test_targets_too_short_for_four_words_have_a_bleu():
    pairs = Pairs(["8 4 4", "1"], [["8 4 4"], ["1"]])
    validation = Validation(None, Repeating(), pairs, None, run.Progress(), 5)
    assert validation._bleu() == pytest.approx(100)


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
