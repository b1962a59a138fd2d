import pytest

from recipes.translation.data.files import Pairs
from recipes.translation.data.splitting import HELD_OUT, hold_out, limit
from recipes.translation.errors import UsageError


def pairs(sources):
    return Pairs(sources, [[f"{source}!"] for source in sources])


def test_validation_shares_no_source_with_training():
    sources = [f"Sentence {i % 100}" for i in range(300)]
    sources += [source.upper() + " " for source in sources]
    train, valid = hold_out(pairs(sources))
    assert len(list(train)) + len(valid) == len(sources)
    assert not {source.casefold().strip() for source, _ in train} & {
        source.casefold().strip() for source in valid.sources
    }


def test_of_a_large_corpus_only_so_many_are_held_out():
    train, valid = hold_out(pairs([str(i) for i in range(60_000)]))
    assert len(list(train)) + len(valid) == 60_000
    assert HELD_OUT * 0.9 < len(valid) < HELD_OUT * 1.1


def test_two_pairs_are_enough_and_one_is_not():
    train, valid = hold_out(pairs(["a", "b"]))
    assert len(list(train)) == len(valid) == 1
    with pytest.raises(UsageError, match="at least 2 different"):
        hold_out(pairs(["a", "a"]))
    with pytest.raises(UsageError, match="both sides, got none"):
        hold_out([("a", ""), ("", "b")])
    assert hold_out([("", "x"), ("a", "b"), ("c", "d")])[1].sources == ["a"]


def test_a_limit_takes_a_sample_that_does_not_depend_on_the_order():
    sources = [str(i) for i in range(1000)]
    sample = list(limit(pairs(sources), 100))
    assert len(sample) == 100
    assert sorted(sample) == sorted(limit(pairs(sources[::-1]), 100))
    assert max(int(source) for source, _ in sample) > 900
    assert sample == sorted(sample, key=lambda pair: int(pair[0]))
    assert len(list(limit(pairs(sources), 5000))) == 1000
    assert len(set(limit(pairs(["a", "b", "c"] * 50), 2))) == 2
