"""Sampling: sequences drawn from the model, the same ones for the same seed."""

from collections.abc import Sequence

import tensorflow as tf

from kattention.drawing import draw
from kattention.search.penalties import PerToken
from kattention.search.result import Result
from kattention.search.rows import each_row, open_state, positive_each_row
from kattention.search.rules import OpenRules, Rule, SearchSetup
from kattention.search.rules.base import IMPOSSIBLE
from kattention.search.single import search_single
from kattention.types import Nest, StepFunction, Tensor


def sample(
    step: StepFunction,
    state: Nest,
    *,
    seed: int | Tensor,
    num_samples: int = 1,
    temperature: float | Tensor = 1.0,
    top_k: int = 0,
    top_p: float | Tensor = 1.0,
    start: int = 2,
    end: int = 3,
    max_length: int | Tensor = 80,
    length_penalty: float | PerToken = 1.0,
    forbid: Sequence[int] = (),
    rules: Sequence[Rule] = (),
) -> Result:
    """Draws sequences from the model.

    Each token is drawn from

        softmax(logits / temperature)

    over the `top_k` most probable tokens and, of these, the fewest that hold
    a mass of `top_p`. A draw depends on nothing but the seed of its row, its
    number among the samples, and the step: not on the batch or the process.

    Args:
        step, state: As in `beam`, with `K = num_samples`.
        seed: An integer, or integers `(B,)`, one a row. Row `i` of a single
            seed draws as one row with the seed `seed + i * 2**32` does.
        num_samples: Sequences drawn for each row, `K`.
        temperature: Below 1 sharper, above 1 flatter: a number, or floats
            `(B,)`.
        top_k: Draw from this many most probable tokens, and from those as
            probable as the last of them. 0: from all.
        top_p: Draw from the most probable tokens that together have this
            probability, and from those as probable as the last of them: a
            number, or floats `(B,)`.
        start, end, max_length, length_penalty, forbid, rules: As in `beam`.

    Returns:
        A `Result` with `K = num_samples`, in the order drawn. The scores are
        the model's own: temperature, `top_k`, `top_p`, `forbid` and rules do
        not change them.

    Raises:
        ValueError: `state` holds no tensor, a number is out of its range, or
            there are not as many of them as rows in `state`.

    Example:

    >>> table = tf.math.log([[.1, .6, .1, .2], [.1, .2, .1, .6],
    ...                      [.1, .7, .1, .1], [.1, .2, .3, .4]])
    >>> step = lambda tokens, state: (tf.gather(table, tokens), state, None)
    >>> result = sample(step, tf.zeros([1, 1]), seed=1, num_samples=3, top_k=1)
    >>> result.tokens.numpy().tolist()
    [[[1, 3], [1, 3], [1, 3]]]

    Source: Holtzman et al., "The Curious Case of Neural Text Degeneration"
    (2020), section 3.
    """
    check_draw(num_samples, temperature, top_k, top_p)
    state, rows = open_state(state)

    def spread(x):
        return tf.repeat(x, num_samples, axis=0)

    limit = positive_each_row("max_length", max_length, rows)
    steps = tf.reduce_max(tf.concat([limit, [1]], axis=0))
    uniform = _uniform(seed, rows, num_samples, steps)
    truncates = top_k or not (isinstance(top_p, (int, float)) and top_p == 1)
    temperature, top_p = (
        spread(each_row(name, value, rows))[:, None]
        for name, value in (("temperature", temperature), ("top_p", top_p))
    )
    # A server cannot refuse one row of a batch: a temperature that is not above 0
    # draws the most probable token.
    temperature = tf.minimum(tf.where(temperature > 1e-6, temperature, 1e-6), 1e6)

    rules = OpenRules(forbid, rules, SearchSetup(rows, num_samples, end))

    def choose(time, logits, past):
        allowed = rules.allowed(logits, time, past)
        scaled = allowed / temperature
        if truncates:
            scaled = _truncate(scaled, top_k, top_p)
        token = draw(scaled, uniform[:, time])
        scores = tf.gather(tf.nn.log_softmax(logits), token, batch_dims=1)
        possible = tf.gather(allowed, token, batch_dims=1) > IMPOSSIBLE
        scores = tf.where(possible, scores, IMPOSSIBLE)
        return token, scores, rules.add(past, time, token)

    hypotheses, limit = rows * num_samples, spread(limit)
    result = search_single(
        step,
        tf.nest.map_structure(spread, state),
        *(hypotheses, choose, rules.empty_past(hypotheses, limit)),
        *(start, end, limit, length_penalty),
    )

    def regroup(x):
        shape = tf.concat([[rows, num_samples], tf.shape(x)[2:]], axis=0)
        return tf.reshape(x, shape)

    return Result(*(None if x is None else regroup(x) for x in result))


def check_draw(num_samples, temperature, top_k, top_p):
    """Refuses numbers out of their range; tensors pass."""
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    if isinstance(temperature, (int, float)) and not 0 < temperature < float("inf"):
        raise ValueError(
            f"temperature must be above 0 and finite, got {temperature}: greedy() "
            "takes the most probable token"
        )
    if top_k < 0:
        raise ValueError(f"top_k must be at least 0, got {top_k}")
    if isinstance(top_p, (int, float)) and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")


def _uniform(seed, rows, num_samples, steps):
    """Draws all numbers in [0, 1) that a search needs: `(B * K, steps)`."""
    seed = tf.cast(seed, tf.int64)
    alone = seed.shape.rank == 0
    seed = each_row("seed", seed, rows, tf.int64)
    if alone:
        seed += tf.range(tf.cast(rows, tf.int64)) * 2**32
    sample = tf.tile(tf.range(num_samples, dtype=tf.int64), [rows])
    pairs = tf.stack([tf.repeat(seed, num_samples), sample], axis=1)
    drawn = tf.map_fn(
        # If another row needs more steps, this row's first numbers stay the same.
        lambda pair: tf.random.stateless_uniform([steps], pair, alg="philox"),
        tf.pad(pairs, [[0, 1], [0, 0]]),  # it does not map over no rows
        fn_output_signature=tf.TensorSpec([None]),
    )
    return drawn[:-1]


def _truncate(logits, top_k, top_p):
    """Makes all but the most probable tokens impossible."""
    size = logits.shape[-1]
    values, _ = tf.math.top_k(logits, min(top_k or size, size))
    before = tf.cumsum(tf.nn.softmax(values), axis=-1, exclusive=True)
    first = tf.range(tf.shape(values)[1]) == 0
    kept = first | (before < top_p) | (top_p >= 1)
    least = tf.reduce_min(tf.where(kept, values, -IMPOSSIBLE), axis=-1, keepdims=True)
    return tf.where(logits >= least, logits, IMPOSSIBLE)
