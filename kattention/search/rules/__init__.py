"""Rules: what the live hypotheses of a search may do next."""

from kattention.search.rules.base import Moment, Rule, Search
from kattention.search.rules.forbid import Forbid
from kattention.search.rules.min_length import MinLength
from kattention.search.rules.ngrams import NoRepeatNgram
from kattention.search.rules.prefix import Prefix

__all__ = [
    "Forbid",
    "MinLength",
    "Moment",
    "NoRepeatNgram",
    "Prefix",
    "Rule",
    "Search",
]
