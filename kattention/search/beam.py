"""Beam search that keeps finished hypotheses and every alignment."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from kattention.search.advance import Ranking, advance
from kattention.search.candidates import candidates
from kattention.search.finished import Finished
from kattention.search.penalties import PerToken, check_length_penalty, coverage_score
from kattention.search.result import Result
from kattention.search.rows import any_rows, check_rows, open_state, positive_each_row
from kattention.search.rules import OpenRules, Rule, SearchSetup
from kattention.search.rules.base import IMPOSSIBLE
from kattention.search.stepper import Stepper, history
from kattention.search.trace import trace
from kattention.types import Nest, StepFunction, Tensor


class _Hypotheses(NamedTuple):
    """What the live hypotheses carry, each part of `B * K` rows.

    `coverage` is what each has read of each source position, `past` what it
    has produced; both are `()` where nothing asks for them.
    """

    state: object
    coverage: tf.Tensor | tuple
    past: tf.Tensor | tuple


def beam(
    step: StepFunction,
    state: Nest,
    *,
    start: int = 2,
    end: int = 3,
    beam_width: int = 5,
    max_length: int | Tensor = 80,
    length_penalty: float | PerToken = 1.0,
    forbid: Sequence[int] = (),
    rules: Sequence[Rule] = (),
    coverage_penalty: float = 0.0,
    source_mask: Tensor | None = None,
    groups: int = 1,
    diversity: float = 0.5,
) -> Result:
    """Searches with K live hypotheses a row, and returns the K best sequences.

    Each step ranks the continuations of the live hypotheses. An end token
    counts when it ranks among the first K; the hypothesis then moves to a list
    of K finished ones and K live ones go on. A row stops when no live
    hypothesis can still beat its K-th finished one. At `max_length` the live
    ones enter the list as they are. The score of a hypothesis is

        sum of log p(token) / ((5 + length) / 6) ** length_penalty
            + coverage_penalty * sum of log(min(read, 1))

    over its tokens, the end token included, and over the source positions,
    where `read` is what all its tokens together have read of a position.

    Args:
        step: `(tokens (N,), state) -> (logits (N, V), state, alignment)`, the
            alignment `(N, S)` or `None`, with `N = B * K`, row-major over the
            batch and its hypotheses.
        state: Nested tensors of `B` rows: the state before the first step.
            They are tiled and gathered here. Keep what does not change between
            steps, such as the memory, in the closure of `step`: untiled.
        start: Id of the token before the first.
        end: Id of the token that ends a sequence.
        beam_width: `K`.
        max_length: Most tokens of a sequence: an integer, or integers `(B,)`.
        length_penalty: Exponent of the score's divisor, 0: the plain sum. Or
            a `PerToken`, which divides by the length itself.
        forbid: Ids that are never produced.
        rules: What else the live hypotheses may not do: `MinLength`,
            `NoRepeatNgram` and `Prefix`, or any `Rule`, applied in order.
        coverage_penalty: Penalty for source positions that are not read. Live
            hypotheses are ranked without it.
        source_mask: Booleans `(B, S)`: the positions to be read, with
            `coverage_penalty`.
        groups: Number of groups of `K / groups` hypotheses. Each group searches
            on its own and avoids the tokens of earlier groups.
        diversity: Penalty, in log-probability, for a token that hypotheses of
            earlier groups take in the same step, once for each of them. It
            affects the choice, not the scores; two groups may still find the
            same sequence.

    Returns:
        A `Result`.

    Raises:
        ValueError: `state` holds no tensor, a number is out of its range,
            there are not as many rows as in `state`, or coverage is asked for
            without a mask or an alignment.

    Example:

    >>> table = tf.math.log([[.1, .6, .1, .2], [.1, .2, .1, .6],
    ...                      [.1, .7, .1, .1], [.1, .2, .3, .4]])
    >>> step = lambda tokens, state: (tf.gather(table, tokens), state, None)
    >>> result = beam(step, tf.zeros([1, 1]), beam_width=2, max_length=3)
    >>> result.tokens.numpy().tolist()
    [[[1, 3, 0], [1, 1, 3]]]

    Source: Wu et al., "Google's Neural Machine Translation System" (2016),
    section 7; groups: Vijayakumar et al., "Diverse Beam Search" (2016),
    section 4.
    """
    _check(beam_width, groups)
    _check_penalties(length_penalty, coverage_penalty, source_mask, diversity)
    state, rows = open_state(state)

    if coverage_penalty:
        source_mask = tf.cast(source_mask, tf.bool)
        check_rows("source_mask", source_mask, rows)

    def spread(x):
        return tf.repeat(x, beam_width, axis=0)

    limit = positive_each_row("max_length", max_length, rows)
    ranking = Ranking(end, limit, length_penalty, groups, diversity)
    rules = OpenRules(forbid, rules, SearchSetup(rows, beam_width, end))
    step = Stepper(step)
    carried = _Hypotheses(
        tf.nest.map_structure(spread, state),
        spread(tf.zeros_like(source_mask, tf.float32)) if coverage_penalty else (),
        rules.empty_past(rows * beam_width, limit),
    )
    firsts = tf.range(rows)[:, None] * beam_width
    # All K may continue one hypothesis, which may also end. With groups, the
    # penalty may rule out K more candidates.
    count = beam_width // groups + 1 + (beam_width if groups > 1 else 0)

    def body(time, token, carried, live, finished, written):
        logits, state, alignment = step(token, carried.state)
        carried, coverage = carried._replace(state=state), None
        if coverage_penalty:
            _check_aligned(step.aligned)
            carried = carried._replace(coverage=carried.coverage + alignment)
            read = _by_row(carried.coverage, beam_width)
            coverage = coverage_penalty * coverage_score(read, source_mask)
        found = candidates(logits, count, rules, time, carried.past)
        scores, tokens = (_by_row(part, beam_width) for part in found)
        new, finished = advance(scores, tokens, coverage, time, live, finished, ranking)
        stored = (new.token, new.token_score, new.parent, alignment)
        parts = zip(written, stored, strict=True)
        written = tuple(array.write(time, part) for array, part in parts)
        chosen = tf.reshape(firsts + new.parent, [-1])
        carried = tf.nest.map_structure(lambda x: tf.gather(x, chosen), carried)
        token = tf.reshape(new.token, [-1])
        carried = carried._replace(past=rules.add(carried.past, time, token))
        return time + 1, token, carried, new.score, finished, written

    finished, written = _loop(body, start, carried, rows, beam_width, groups)
    if groups > 1:
        finished = finished.best(beam_width)
    stacks = (array.stack() for array in written)
    tokens, token_scores, alignments = trace(finished, *stacks)
    return Result(
        tokens,
        finished.length,
        finished.score,
        token_scores,
        alignments if step.aligned else None,
    )


def _by_row(tensor, beam_width):
    """`(B * K, X)` as `(B, K, X)`."""
    depth = tensor.shape[1] or tf.shape(tensor)[1]
    return tf.reshape(tensor, [-1, beam_width, depth])


def _loop(body, start, carried, rows, beam_width, groups):
    """Runs steps while a hypothesis lives; returns the finished and the history."""
    pair = tf.TensorShape([None, beam_width])
    anything = tf.TensorShape(None)
    *_, finished, written = tf.while_loop(
        # A batch of no rows makes one step too: nothing could be stacked else.
        lambda time, token, carried, live, *_: (
            (time == 0) | tf.reduce_any(live > IMPOSSIBLE)
        ),
        body,
        (
            tf.constant(0),
            tf.fill([rows * beam_width], start),
            carried,
            _first_live(rows, beam_width, groups),
            Finished.none(rows, beam_width),
            (
                history(tf.int32, None, beam_width),
                history(tf.float32, None, beam_width),
                history(tf.int32, None, beam_width),
                history(tf.float32, None, None),
            ),
        ),
        shape_invariants=(
            *(tf.TensorShape([]), tf.TensorShape([None]), any_rows(carried), pair),
            *(Finished(*[pair] * 5), (anything,) * 4),
        ),
    )
    return finished, written


def _first_live(rows, beam_width, groups):
    """All hypotheses of a group begin alike, so only one is live at first."""
    width = beam_width // groups
    return tf.tile([[0.0] + [IMPOSSIBLE] * (width - 1)], [rows, groups])


def _check(beam_width, groups):
    if beam_width < 1:
        raise ValueError(f"beam_width must be at least 1, got {beam_width}")
    if groups < 1 or beam_width % groups:
        raise ValueError(
            f"groups must divide the beam_width {beam_width}, got {groups}"
        )


def _check_penalties(length_penalty, coverage_penalty, source_mask, diversity):
    check_length_penalty(length_penalty)
    if not 0 <= coverage_penalty < float("inf"):
        raise ValueError(
            f"coverage_penalty must be at least 0 and finite, got {coverage_penalty}"
        )
    if coverage_penalty and source_mask is None:
        raise ValueError("coverage_penalty needs source_mask, got None")
    if not 0 <= diversity < float("inf"):
        raise ValueError(f"diversity must be at least 0 and finite, got {diversity}")


def _check_aligned(aligned):
    if not aligned:
        raise ValueError(
            "coverage_penalty needs a step that returns an alignment, got None"
        )
