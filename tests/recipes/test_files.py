import gzip

import pytest

from recipes.translation.data import files
from recipes.translation.errors import UsageError


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_reads_plain_and_gz_and_strips_stray_spaces(tmp_path):
    plain = write(tmp_path / "a.txt", "\ufeffein Haus \r\n zwei\u2028Häuser\n")
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected = ["ein Haus ", " zwei\u2028Häuser"]
    for path in (plain, packed):
        assert list(files.iterate_lines(path)) == expected
    pairs = files.read_parallel(plain, packed)
    assert pairs.sources == pairs.targets == ["ein Haus", "zwei\u2028Häuser"]


def test_pairs_with_an_empty_side_are_left_out_and_counted(tmp_path, capsys):
    path = write(tmp_path / "a.tsv", "a\tb\textra\nc\t\n\nd\te\n")
    pairs = files.load_pairs(files.PairFiles((path,)), path)
    assert (pairs.sources, pairs.targets) == (["a", "d"], ["b", "e"])
    assert "left out 1 pairs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"fine\tja\nno\xff\tnein\n", "line 2: not UTF-8"),
        (b"a\tb\nonly one\n", "line 2: expected source, a tab and target"),
        (b"a\t \n", "no pair with both sides"),
    ],
)
def test_bad_tables_are_refused_with_the_line(tmp_path, content, message):
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        path = tmp_path / "a.tsv"
        files.load_pairs(files.PairFiles((path,)), path)


def test_files_of_other_lengths_are_refused_with_both_counts(tmp_path):
    a, b = write(tmp_path / "a", "x\ny\n"), write(tmp_path / "b", "x\n")
    with pytest.raises(UsageError, match=r"a has 2 lines, .*b has 1"):
        files.read_parallel(a, b)


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        list(files.iterate_lines(tmp_path / "none"))
    (tmp_path / "a.gz").write_bytes(b"not gzip")
    with pytest.raises(UsageError, match=r"cannot read .*a\.gz"):
        list(files.iterate_lines(tmp_path / "a.gz"))
