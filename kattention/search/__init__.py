"""Search for the best sequence under a step function, in the TensorFlow graph.

A step function is anything that is called as

    logits, state, alignment = step(tokens, state)

with tokens `(N,)`, logits `(N, V)`, a nested `state` of `N` rows and an
alignment `(N, S)` or `None`. `N` is always `B * K`, row-major over the batch
and its `K` hypotheses. The search knows nothing else of the model.
"""

from kattention.search.beam import beam
from kattention.search.greedy import greedy
from kattention.search.result import Result

__all__ = ["Result", "beam", "greedy"]
