"""A file of pairs and a run that tests share; none of them changes it."""

import pytest

from tests.recipes.commands import PAIRS, call


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "my.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS))
    return path


@pytest.fixture(scope="session")
def trained(pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mine"
    assert call("train", "--pairs", pairs, "--output", folder, "--epochs", 1) == 0
    return folder
