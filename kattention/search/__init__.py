"""Search for sequences under a step function, in the TensorFlow graph.

A step function is anything that is called as

    logits, state, alignment = step(tokens, state)

with tokens `(N,)`, logits `(N, V)`, a nested `state` of `N` rows and an
alignment `(N, S)` or `None`. `N` is always `B * K`, row-major over the batch
and its `K` hypotheses. The search knows nothing else of the model.

`beam` searches for the best sequences, `greedy` takes the best token at each
step, `sample` draws one, and `force` follows a given sequence. Rules, such as
`MinLength`, say what a search must not produce.
"""

from kattention.search.beam import beam
from kattention.search.force import force
from kattention.search.greedy import greedy
from kattention.search.penalties import PerToken
from kattention.search.result import Result
from kattention.search.rules import Forbid, MinLength, NoRepeatNgram, Prefix, Rule
from kattention.search.sample import sample

__all__ = [
    "Forbid",
    "MinLength",
    "NoRepeatNgram",
    "PerToken",
    "Prefix",
    "Result",
    "Rule",
    "beam",
    "force",
    "greedy",
    "sample",
]


def __dir__():
    return __all__
