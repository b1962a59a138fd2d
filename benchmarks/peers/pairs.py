"""The batches of a case and its products, for programs of any framework."""

import numpy as np


def batches(case):
    """Returns a list of `(source, target_in, target_out)`, padded with 0."""
    if "file" not in case:
        return _random(case)
    stored = np.load(case["file"])
    sources = _split(stored["source"], stored["source_lengths"])
    targets = _split(stored["target"], stored["target_lengths"])
    groups = np.split(stored["order"], np.cumsum(stored["sizes"])[:-1])
    return [
        _pad_batch([sources[i] for i in group], [targets[i] for i in group])
        for group in groups
    ]


def products(case):
    """Returns (times, rows, inner, outer) of each product of a forward pass."""
    batch, source, target = (case[name] for name in ("batch", "source", "target"))
    embedding, encoder, units = (case[n] for n in ("embedding", "encoder", "units"))
    attention, readout, words = (
        case[n] for n in ("attention", "readout", "vocabulary")
    )
    depth, rows = 2 * encoder, batch * target
    return [
        (2, batch * source, embedding, 3 * encoder),
        (2 * source, batch, encoder, 3 * encoder),
        (1, batch * source, depth, attention),
        (1, rows, embedding, 3 * units),
        (target, batch, units, attention + 3 * units),
        (target, batch, depth, 3 * units),
        (1, rows, units + depth, readout),
        (1, rows, readout, words),
    ]


def _random(case):
    random = np.random.default_rng(1)

    def ids(length):
        shape = (case["batch"], length)
        return random.integers(4, case["vocabulary"], shape).astype("int32")

    source = ids(case["source"])
    target = ids(case["target"] + 1)
    return [(source, target[:, :-1], target[:, 1:])] * case["steps"]


def _split(flat, lengths):
    return np.split(flat, np.cumsum(lengths)[:-1])


def _pad_batch(sources, targets):
    source, target = _pad(sources), _pad(targets)
    # The end token ends the outputs, and is no input.
    inputs = np.where(target == 3, 0, target)
    return source, inputs[:, :-1], target[:, 1:]


def _pad(rows):
    longest = max(len(row) for row in rows)
    return np.stack([np.pad(row, (0, longest - len(row))) for row in rows])
