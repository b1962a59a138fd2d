"""Links between the words of two sentences, as files hold them.

A line holds the links of a pair: `i-j` links source word `i` to target word
`j`. Words are separated by spaces. In gold files `i-j` is a sure link, and
`ipj` a possible one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from ..errors import UsageError
from .files import iterate_lines

NEIGHBOURS = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
_LINK = re.compile(r"(\d+)([-p])(\d+)")


def words(text):
    """The words between spaces as `(start, end)` offsets of characters."""
    return [match.span() for match in re.finditer(r"[^ ]+", text)]


@dataclass(frozen=True)
class Linked:
    """A stream of pairs with the links, a set, that a file has for each."""

    pairs: Iterable
    path: Path

    def __iter__(self):
        lines = zip_longest(self.pairs, iterate_lines(self.path))
        for number, (pair, line) in enumerate(lines, 1):
            if pair is None or line is None:
                short, long = ("pair", "line") if pair is None else ("line", "pair")
                raise UsageError(
                    f"{self.path} must hold a line of links for each pair: there "
                    f"is no {short} for {long} {number}"
                )
            try:
                links, _ = parse_links(line)
                _check_inside(links, *pair)
            except UsageError as error:
                raise UsageError(f"{self.path}, line {number}: {error}") from None
            yield *pair, links


def _check_inside(links, source, target):
    counts = len(words(source)), len(words(target))
    for i, j in sorted(links):
        if i >= counts[0] or j >= counts[1]:
            raise UsageError(
                f"the link {i}-{j} leaves the {counts[0]} and {counts[1]} words of "
                f"{source!r} and {target!r}"
            )


def write_links(links):
    """A line of `{(i, j)}`."""
    return " ".join(f"{i}-{j}" for i, j in sorted(links))


def read_links(path, first=0):
    """Reads a file of links whose words are counted from `first`.

    Returns:
        For each line `(sure, possible)`, sets of `(i, j)` counted from 0; the
        sure links are possible too.
    """
    gold = []
    for number, line in enumerate(iterate_lines(path), 1):
        try:
            gold.append(parse_links(line, first))
        except UsageError as error:
            raise UsageError(f"{path}, line {number}: {error}") from None
    return gold


def parse_links(line, first=0):
    """Returns `(sure, possible)` of a line: see `read_links`."""
    sure, possible = set(), set()
    for entry in line.split():
        link = _LINK.fullmatch(entry)
        if not link or int(link[1]) < first or int(link[3]) < first:
            raise UsageError(
                f"expected links as 3-4 or 3p4, counted from {first}, got {entry!r}"
            )
        pair = int(link[1]) - first, int(link[3]) - first
        possible.add(pair)
        if link[2] == "-":
            sure.add(pair)
    return sure, possible


def symmetrize(forward, backward):
    """Joins the links of two directions: grow-diag-final-and.

    Starts with the links that both directions have. Then adds neighbouring links
    of either direction, direct ones before diagonal ones, as long as they link a
    new word. Finally adds the links of either direction between two words that
    have no link.

    Args:
        forward: `{(i, j)}` of source to target.
        backward: `{(i, j)}` of the other direction, turned round.

    Source: Koehn, Och and Marcu, "Statistical Phrase-Based Translation"
    (2003), section 3; the last step is Moses's.
    """
    links, union = forward & backward, forward | backward

    def linked(i, j):
        return any(i == a for a, _ in links), any(j == b for _, b in links)

    grown = True
    while grown:
        grown = False
        # Word by word of the target; what is added is gone through as well.
        for place in sorted(union, key=lambda link: link[::-1]):
            if place not in links:
                continue
            for down, right in NEIGHBOURS:
                i, j = place[0] + down, place[1] + right
                if (i, j) in union - links and not all(linked(i, j)):
                    links.add((i, j))
                    grown = True
    for direction in (forward, backward):
        for i, j in sorted(direction - links):
            if not any(linked(i, j)):
                links.add((i, j))
    return links
