"""Where the time of a beam search goes, and what stopping early saves."""

import itertools
import os
import sys
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.append(str(Path(__file__).resolve().parent / "peers"))

import numpy as np
import tensorflow as tf
from kattention_network import network
from pairs import batches

import kattention
from kattention.search.candidates import candidates
from kattention.search.rules import OpenRules
from recipes.translation.data import corpora

# Every part is a graph of its own, and is meant to be.
tf.get_logger().setLevel("ERROR")


def parts(case, rounds):
    """Prints what a search of `case["target"]` steps spends on each part."""
    model, width = network(case, packed=False), case["beam"]
    [(source, _, _)] = batches(case)
    source = tf.constant(source)
    memory, state = model.encode(source)
    rows = len(source) * width
    output = tf.random.normal([rows, 1, case["readout"]])
    logits = tf.random.normal([rows, case["vocabulary"]])
    query = tf.random.normal([rows, case["units"]])
    vectors = tf.random.normal([rows, case["embedding"]])
    cell = model.decoder.cell
    states = [tf.repeat(part, width, axis=0) for part in state]

    def given(_, state):
        return logits + state[:, :1], state, None

    whole, floor = "whole search", "all products of the steps"
    around = "search around a given step"
    timed = {
        whole: (lambda x: _translate_ids(model, x, case), source, 1),
        "encoder": (lambda x: model.encode(x)[0]["key"], source, 1),
        "vocabulary projection": (model.logits, output, case["target"]),
        "softmax and top-k": (
            lambda x: candidates(x, width + 1, OpenRules((), (), None))[0],
            logits,
            case["target"],
        ),
        "attention": (
            lambda x: cell.attention.attend(x, memory)[0],
            tf.reshape(query, [len(source), width, -1]),
            case["target"],
        ),
        "decoder step with attention": (
            lambda x: cell.step(x, states, memory)[0],
            vectors,
            case["target"],
        ),
        floor: (_products(case, rows), vectors, case["target"]),
        around: (lambda x: _search(given, x, case), vectors[::width], 1),
    }
    graphs = {name: _repeated(*what) for name, what in timed.items()}
    seconds = {name: [] for name in graphs}
    for graph in graphs.values():
        graph()
    for _, (name, graph) in itertools.product(range(rounds), graphs.items()):
        began = time.perf_counter()
        graph()
        seconds[name].append(time.perf_counter() - began)
    print(f"\nbeam {width}, batch {case['batch']}: {case['target']} steps")
    total = median(seconds[whole])
    for name, own in seconds.items():
        print(f"{name:30}{1000 * median(own):8.0f}ms{median(own) / total:8.0%}")
    overlapping = whole, "attention", floor, around
    inside = [name for name in seconds if name not in overlapping]
    rest = total - sum(median(seconds[name]) for name in inside)
    print(f"{'readout, bookkeeping, trace':30}{1000 * rest:8.0f}ms{rest / total:8.0%}")


def _translate_ids(model, source, case):
    memory, state = model.encode(source)
    return _search(lambda *given: model.step(*given, memory), state, case)


def _search(step, state, case):
    return kattention.search.beam(
        step,
        state,
        end=-1,  # none ends early
        beam_width=case["beam"],
        max_length=case["target"],
    ).scores


def _products(case, rows):
    """Only the matrix products of a step, each weight read anew at every step."""
    depth, units = 2 * case["encoder"], case["units"]
    shapes = [
        (units, case["attention"]),
        (case["embedding"] + depth, 3 * units),
        (units, 3 * units),
        (units + depth, case["readout"]),
        (case["readout"], case["vocabulary"]),
    ]
    kernels = [tf.random.normal(shape) for shape in shapes]
    inputs = [tf.random.normal([rows, inner]) for inner, _ in shapes]

    def run(x):
        moved = [tensor + x[0, 0] for tensor in inputs]
        products = [tf.matmul(i, k) for i, k in zip(moved, kernels, strict=True)]
        return tf.add_n([product[0, 0] for product in products])

    return run


def _repeated(function, argument, times):
    """Calls a function so many times in one graph."""

    @tf.function
    def run(x):
        def body(i, seen):
            # Its input changes, so that no call is spared.
            moved = x + tf.cast(0 * seen, x.dtype)
            first = tf.reshape(function(moved), [-1])[0]
            return i + 1, tf.cast(first, tf.float32)

        return tf.while_loop(lambda i, _: i < times, body, (0, 0.0))

    return lambda: run(argument)[1].numpy()


def early_stop(folder, data_dir, rounds, count=256):
    """Prints what the exact early stop saves on real sentences in their order."""
    corpus, split = corpora.find("multi30k-en-de:val")
    texts = corpus.load(split, data_dir).sources[:count]
    translator = kattention.Translator.load(folder)
    tokens = [len(one.source_tokens) for one in translator.translate(texts)]
    # Where no end token is allowed before it, every search runs to its limit.
    ways = {"exact stop": {}, "never before the limit": {"min_length": 10_000}}
    seconds = {name: [] for name in ways}
    for options in ways.values():
        _translate(translator, texts, options)
    for _, (name, options) in itertools.product(range(rounds), ways.items()):
        began = time.perf_counter()
        _translate(translator, texts, options)
        seconds[name].append(time.perf_counter() - began)
    pairs = zip(*seconds.values(), strict=True)
    gain = median(late / early for early, late in pairs)
    print(
        f"\n{count} sentences of {min(tokens)} to {max(tokens)} tokens, batches of 64"
    )
    for name, own in seconds.items():
        print(
            f"{name:30}{1000 * median(own):8.0f}ms{count / median(own):8.1f} a second"
        )
    print(f"stopping early is {gain:.2f} times as fast")


def _translate(translator, texts, options):
    # In the order of the file: short and long ones side by side.
    for first in np.arange(0, len(texts), 64):
        translator.translate(texts[first : first + 64], **options)
