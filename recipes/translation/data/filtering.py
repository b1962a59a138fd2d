"""Which pairs of a corpus are trained on."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Filtered:
    """What a filter chose.

    Attributes:
        chosen: The indices of the pairs that are left.
        left_out: How many were left out for which reason.
    """

    chosen: np.ndarray
    left_out: dict[str, int]

    def __str__(self):
        counts = [f"{n:,} {reason}" for reason, n in self.left_out.items() if n]
        return f"left out: {', '.join(counts) or 'none'}"


def select(encoded, max_tokens, max_ratio):
    """Leaves out pairs that are empty, long, unlike in length or duplicates.

    Each pair counts for the first reason that holds.

    Args:
        encoded: `EncodedPairs`.
        max_tokens: Most tokens of the longer side, its end token included.
        max_ratio: Most tokens of the longer side for each one of the shorter,
            end tokens included.

    Returns:
        `Filtered`.
    """
    sides = np.stack([encoded.source.lengths, encoded.target.lengths])
    shorter, longer = np.sort(sides + 1, axis=0)
    repeated = np.ones(len(encoded), bool)
    repeated[np.unique(encoded.hashes, return_index=True)[1]] = False
    reasons = {
        "with an empty side": sides.min(axis=0) == 0,
        f"of over {max_tokens} tokens": longer > max_tokens,
        f"with a side over {max_ratio:g} times the other": longer > max_ratio * shorter,
        "duplicates": repeated,
    }
    left = np.ones(len(encoded), bool)
    counts = {}
    for reason, holds in reasons.items():
        counts[reason] = int((left & holds).sum())
        left &= ~holds
    return Filtered(np.flatnonzero(left), counts)
