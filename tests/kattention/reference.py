"""Attention and decoders in float64 NumPy, written from the papers' equations."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    exponents = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def attend(query, key, value, query_kernel, key_kernel, vector, bias=0.0):
    """`e_ij = v . tanh(W s_i + U h_j + b)`, one row at a time."""
    weights = np.zeros((*query.shape[:2], value.shape[1]))
    for b in range(query.shape[0]):
        for i in range(query.shape[1]):
            for j in range(value.shape[1]):
                hidden = query[b, i] @ query_kernel + key[b, j] @ key_kernel + bias
                weights[b, i, j] = vector @ np.tanh(hidden)
    weights = softmax(weights)
    return np.einsum("bts,bsd->btd", weights, value), weights


def gru(x, h, kernel, recurrent, bias):
    """Keras's default GRU: the reset gate after the product, two biases."""
    units = h.shape[-1]
    inner = x @ kernel + bias[0]
    outer = h @ recurrent + bias[1]
    z = sigmoid(inner[:, :units] + outer[:, :units])
    r = sigmoid(inner[:, units : 2 * units] + outer[:, units : 2 * units])
    new = np.tanh(inner[:, 2 * units :] + r * outer[:, 2 * units :])
    return z * h + (1 - z) * new


def decode(attend_order, inputs, memory, state, attention, cells):
    """Runs a decoder of GRU cells over a sequence, `attention` and `cells` weights."""
    outputs, alignments = [], []

    def look(query):
        context, weights = attend(query[:, None], memory, memory, *attention)
        alignments.append(weights[:, 0])
        return context[:, 0]

    vector = np.zeros((inputs.shape[0], memory.shape[-1]))
    for t in range(inputs.shape[1]):
        x = inputs[:, t]
        if attend_order == "before":
            context = look(state)
            state = gru(np.concatenate([x, context], -1), state, *cells[0])
        elif attend_order == "between":
            between = gru(x, state, *cells[0])
            context = look(between)
            state = gru(context, between, *cells[1])
        else:
            state = gru(np.concatenate([x, vector], -1), state, *cells[0])
            context = vector = look(state)
        outputs.append(np.concatenate([state, context], -1))
    return np.stack(outputs, 1), np.stack(alignments, 1)
