"""The benchmarks run; what they measure is not judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize(
    "arguments",
    [["train.py", "padded"], ["attention.py"], ["search.py"]],
    ids=lambda a: a[0],
)
def test_prints_a_table(arguments):
    command = [sys.executable, *arguments, "--quick", "--rounds", "1"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "peak MiB" in done.stdout
    assert "1.00x" in done.stdout


def test_a_large_corpus_is_prepared_and_read():
    command = [sys.executable, "large.py", "--quick"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pairs, *_ = done.stdout.splitlines()[-1].split()
    assert pairs == "2,000"
