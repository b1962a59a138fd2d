"""Rules: what the live hypotheses of a search may do next."""

from kattention.search.rules.base import Moment, Rule, SearchSetup
from kattention.search.rules.forbid import Forbid
from kattention.search.rules.min_length import MinLength
from kattention.search.rules.ngrams import NoRepeatNgram
from kattention.search.rules.opened import OpenRules
from kattention.search.rules.prefix import Prefix

__all__ = [
    "Forbid",
    "MinLength",
    "Moment",
    "NoRepeatNgram",
    "OpenRules",
    "Prefix",
    "Rule",
    "SearchSetup",
]
