"""Greedy search: the most probable token at every step."""

from collections.abc import Sequence

from kattention.search.candidates import candidates
from kattention.search.penalties import PerToken
from kattention.search.result import Result
from kattention.search.rows import open_state, positive_each_row
from kattention.search.rules import OpenRules, Rule, SearchSetup
from kattention.search.single import search_single
from kattention.types import Nest, StepFunction, Tensor


def greedy(
    step: StepFunction,
    state: Nest,
    *,
    start: int = 2,
    end: int = 3,
    max_length: int | Tensor = 80,
    length_penalty: float | PerToken = 1.0,
    forbid: Sequence[int] = (),
    rules: Sequence[Rule] = (),
) -> Result:
    """Takes the most probable token at every step, until the end token.

    Equals `beam` with one beam and `length_penalty=0`. With a penalty, a beam
    of one may go on past an end token, because a longer sequence could still
    score better; greedy search never does.

    Args:
        step, state, start, end, max_length, length_penalty, forbid, rules: As in
            `beam`, with `K = 1`.

    Returns:
        A `Result` with `K = 1`.

    Raises:
        ValueError: `state` holds no tensor, or `max_length` is below 1.

    Example:

    >>> table = tf.math.log([[.1, .6, .1, .2], [.1, .2, .1, .6],
    ...                      [.1, .7, .1, .1], [.1, .2, .3, .4]])
    >>> step = lambda tokens, state: (tf.gather(table, tokens), state, None)
    >>> greedy(step, tf.zeros([1, 1])).tokens.numpy().tolist()
    [[[1, 3]]]

    Source: Sutskever, Vinyals and Le, "Sequence to Sequence Learning with
    Neural Networks" (2014), section 3.2, with a beam of one.
    """
    state, rows = open_state(state)
    limit = positive_each_row("max_length", max_length, rows)
    rules = OpenRules(forbid, rules, SearchSetup(rows, 1, end))

    def choose(time, logits, past):
        scores, tokens = candidates(logits, 1, rules, time, past)
        token = tokens[:, 0]
        return token, scores[:, 0], rules.add(past, time, token)

    past = rules.empty_past(rows, limit)
    return search_single(
        step, state, rows, choose, past, start, end, limit, length_penalty
    )
