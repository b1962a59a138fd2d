"""The embedded corpora: synthetic sentences with gold word alignments.

A sentence begins as a meaning (`meaning.py`), which English (`english.py`) and
French or German put into words. Each word knows which parts of the meaning it
expresses; words of the two languages are linked where they share one. So the
links are right by construction.

    train    20,000 pairs
    valid       500 pairs like these
    test      1,000 pairs like these
    combos      500 pairs with a combination of words that train never shows
    long        500 pairs longer than any in train
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from random import Random

from ..data.files import Pairs
from . import english, french, german, words
from .meaning import Draw, combinations

LANGUAGES = {"fr": french, "de": german}
SIZES = {"train": 20_000, "valid": 500, "test": 1_000, "combos": 500, "long": 500}
SPLITS = tuple(SIZES)
# Words of the longest English sentence outside `long`, and in it.
LONGEST, LONGEST_OF_ALL = 24, 32


@dataclass(frozen=True)
class Example:
    """A pair with its gold alignment.

    Attributes:
        source: English text.
        target: French or German text.
        sure: Links `(source word, target word)` that must be there.
        possible: Links that may be there, the sure ones included. Words are
            counted as `words.split_words` splits the text.
    """

    source: str
    target: str
    sure: frozenset
    possible: frozenset


def load(language, split):
    """Returns the `Pairs` of a split of `toy-en-<language>`."""
    # Without the links, which take as long as the rest.
    target, found = LANGUAGES[language], meanings()[split]
    return Pairs(
        [english.text(english.sentence(meaning)) for meaning in found],
        [[target.text(target.sentence(meaning))] for meaning in found],
    )


def examples(language, split):
    """Returns the `Example`s of a split."""
    return [_example(meaning, LANGUAGES[language]) for meaning in meanings()[split]]


def _example(meaning, target):
    source_words, target_words = english.sentence(meaning), target.sentence(meaning)
    sure, possible = words.links(source_words, target_words)
    return Example(
        english.text(source_words),
        target.text(target_words),
        frozenset(sure),
        frozenset(possible),
    )


@cache
def meanings():
    """Draws the sentences of all splits, each English sentence in one only."""
    draw, seen = Draw(Random(2014)), set()
    splits = {split: [] for split in SPLITS}

    def full(split):
        return len(splits[split]) == SIZES[split]

    while not all(full(split) for split in ("train", "valid", "test", "combos")):
        meaning = draw.sentence()
        source = english.sentence(meaning)
        text = english.text(source)
        if text in seen or len(source) > LONGEST:
            continue
        seen.add(text)
        if any(is_held_out(pair) for pair in combinations(meaning)):
            split = "combos"
        else:
            split = next((s for s in ("test", "valid", "train") if not full(s)), None)
        if split and not full(split):
            splits[split].append(meaning)
    while not full("long"):
        meaning = draw.chain()
        source = english.sentence(meaning)
        text = english.text(source)
        held_out = any(is_held_out(pair) for pair in combinations(meaning))
        fits = LONGEST < len(source) <= LONGEST_OF_ALL
        if fits and text not in seen and not held_out:
            seen.add(text)
            splits["long"].append(meaning)
    return splits


def is_held_out(pair):
    """Whether a combination of words is kept out of all splits but `combos`."""
    return sha256("+".join(pair).encode()).digest()[0] % 12 == 0
