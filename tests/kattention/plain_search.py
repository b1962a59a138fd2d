"""Searches over a table of logits, written with lists, from the definitions."""

import itertools

import numpy as np

START, END = 2, 3


def log_softmax(logits):
    logits = np.asarray(logits, "float64")
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


def wu(length, alpha):
    return ((5 + length) / 6) ** alpha


def log_probability(scores, tokens):
    return sum(scores[a, b] for a, b in zip([START, *tokens[:-1]], tokens, strict=True))


def all_sequences(logits, max_length, divisor, allowed=lambda tokens: True):
    """Every sequence that is allowed, with its score: best first."""
    scores = log_softmax(logits)
    size = len(scores)
    going_on = [token for token in range(size) if token != END]
    found = []
    for length in range(1, max_length + 1):
        for prefix in itertools.product(going_on, repeat=length - 1):
            for last in range(size) if length == max_length else [END]:
                tokens = [*prefix, last]
                if allowed(tokens):
                    score = log_probability(scores, tokens) / divisor(length)
                    found.append((score, tokens))
    return sorted(found, reverse=True)


def plain_beam(logits, width, max_length, alpha, groups=1, diversity=0.0):
    """The beam search of the documentation, hypothesis by hypothesis."""
    scores, size = log_softmax(logits), width // groups
    live = [[(0.0, [])] for _ in range(groups)]
    finished = [[] for _ in range(groups)]
    for length in range(1, max_length + 1):
        taken = []
        for group in range(groups):
            ranked = [
                (
                    total + scores[tokens[-1] if tokens else START, token],
                    [*tokens, token],
                )
                for total, tokens in live[group]
                for token in range(len(scores))
            ]
            ranked.sort(key=lambda pair: diversity * taken.count(pair[1][-1]) - pair[0])
            ends = [pair for pair in ranked[:size] if pair[1][-1] == END]
            live[group] = [pair for pair in ranked if pair[1][-1] != END][:size]
            if length == max_length:
                ends, live[group] = ends + live[group], []
            taken += [tokens[-1] for _, tokens in ends + live[group]]
            ends = [(total / wu(length, alpha), tokens) for total, tokens in ends]
            finished[group] = sorted(finished[group] + ends, reverse=True)[:size]
            if live[group] and len(finished[group]) == size:
                best = max(live[group])[0]
                hope = max(best / wu(n, alpha) for n in (length + 1, max_length))
                if hope <= finished[group][-1][0]:
                    live[group] = []
    return sorted(itertools.chain(*finished), reverse=True)
