"""The wheel: its packages, its command, and commands that say nothing but their own."""

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.__main__ import main

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_every_folder_of_code():
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    listed = metadata["options"]["packages"].split()
    folders = {
        str(file.parent.relative_to(ROOT))
        for name in ("kattention", "recipes")
        for file in (ROOT / name).rglob("__init__.py")
    }
    found = {re.sub("^recipes", "kattention_recipes", f) for f in folders}
    assert listed == sorted(name.replace(os.sep, ".") for name in found)


def test_recipes_import_each_other_by_relative_names():
    for file in (ROOT / "recipes").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) recipes", file.read_text(), re.M), file


def test_the_command_names_its_recipes(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "translation" in capsys.readouterr().out
    assert main([]) == 2
    assert "recipes:" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["cooking"])
    with pytest.raises(SystemExit, match="0"):
        main(["translation", "translate", "--help"])
    assert "usage: kattention translation translate" in capsys.readouterr().out


@pytest.mark.slow
def test_a_compiled_training_prints_nothing_that_is_not_its_own(pairs, tmp_path):
    """`tests/test_docs.py` reads what the commands of the README say."""
    command = ["train", "--pairs", str(pairs), "--output", str(tmp_path / "run")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-m", "recipes", "translation", *command, "--compiled"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=True,
    )
    assert done.stderr == ""
    assert not re.search(r"\.cc|WARNING|absl", done.stdout)
