"""Words that know what they mean, and how they are written."""

import re
from typing import NamedTuple

# A possessive 's, a word with its apostrophe (l', qu'), a word, punctuation.
_WORD = re.compile(r"'s\b|[\w-]+?(?='s\b)|[\w-]+'|[\w-]+|[^\w\s]")


class Word(NamedTuple):
    """A word of a sentence with the parts of the meaning that it expresses.

    Attributes:
        text: As it is written.
        sure: Parts that it expresses for certain.
        maybe: Parts that it may be said to help expressing.
    """

    text: str
    sure: frozenset = frozenset()
    maybe: frozenset = frozenset()


def word(text, *sure, maybe=()):
    """One `Word`."""
    return Word(text, frozenset(sure), frozenset(maybe))


def words(text, *sure):
    """Several words, parted by spaces or `_`, of one meaning."""
    return [word(part, *sure) for part in text.replace("_", " ").split()]


def merge(first, second, text):
    """One word in the place of two, as French `du` for `de le`."""
    return Word(text, first.sure | second.sure, first.maybe | second.maybe)


def contract(sentence, contractions):
    """Makes one word of two in a row that are a key of `contractions`."""
    result = []
    for item in sentence:
        pair = (result[-1].text if result else "", item.text)
        if pair in contractions:
            result[-1] = merge(result[-1], item, contractions[pair])
        else:
            result.append(item)
    return result


def links(source, target):
    """Alignment links `(i, j)` from source word `i` to target word `j`.

    Returns:
        `(sure, possible)`, two sets; the sure links are possible too.
    """
    sure, possible = set(), set()
    for i, a in enumerate(source):
        for j, b in enumerate(target):
            if a.sure & b.sure:
                sure.add((i, j))
            if (a.sure | a.maybe) & (b.sure | b.maybe):
                possible.add((i, j))
    return sure, possible


def capitalize(sentence):
    """The sentence with its first letter in upper case."""
    first, *rest = sentence
    return [first._replace(text=first.text[0].upper() + first.text[1:]), *rest]


def write(sentence, space_before=()):
    """Joins words to text, with a space before the signs in `space_before`."""
    attached, text = {".", ",", "?", "'s"} - set(space_before), ""
    for item in sentence:
        if text and item.text not in attached and not text.endswith("'"):
            text += " "
        text += item.text
    return text


def split_words(text):
    """The words of a text as `(start, end)` offsets of its characters."""
    return [match.span() for match in _WORD.finditer(text)]
