"""What batches of like length save, and what it costs to make them."""

import argparse
import statistics
import time

import numpy as np
import tensorflow as tf
from multi30k import load, our_batches
from rounds import machine

ROW = "{:34}{:>10}{:>12}{:>16}{:>14}{:>14}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data-dir", help="a local copy of Multi30k")
    parser.add_argument("--quick", action="store_true", help="500 pairs, a round")
    options = parser.parse_args()
    pairs, tokenizer = load(options.data_dir, 8000, 500 if options.quick else None)
    if options.quick:
        options.rounds = 1
    ours = our_batches(pairs, tokenizer)
    ways = {
        "buckets, as the recipes": lambda: ours.endless(seed=1).take(ours.steps),
        "shuffled batches of 64": shuffled(pairs, tokenizer),
    }
    seconds = {label: [] for label in ways}
    for _ in range(options.rounds):
        for label, epoch in ways.items():
            began = time.perf_counter()
            for _ in epoch():
                pass
            seconds[label].append(time.perf_counter() - began)
    print(machine("tensorflow"))
    print(f"\nMulti30k En-De, an epoch of {len(pairs)} pairs")
    columns = "batches", "steps/batch", "targets/token", "tokens/s", "of first"
    print(ROW.format("", *columns))
    first = seconds[next(iter(ways))]
    for label, epoch in ways.items():
        lengths, positions, tokens = shapes(epoch())
        paired = [a / b for a, b in zip(seconds[label], first, strict=True)]
        print(
            ROW.format(
                label,
                len(lengths),
                f"{statistics.mean(lengths):.1f}",
                f"{positions / tokens:.2f}",
                f"{tokens / statistics.median(seconds[label]):,.0f}",
                f"{statistics.median(paired):.2f}x",
            )
        )


def shuffled(pairs, tokenizer):
    """What examples on the web do: shuffle, then pad to the longest of 64."""
    source, target = tokenizer.encode(pairs.sources), tokenizer.encode(pairs.targets)
    data = tf.data.Dataset.from_tensor_slices((source, target)).map(
        lambda source, target: (
            (tf.concat([source, [3]], 0), tf.concat([[2], target], 0)),
            tf.concat([target, [3]], 0),
        )
    )
    return lambda: data.shuffle(len(pairs)).padded_batch(64).prefetch(4)


def shapes(epoch):
    """Returns target lengths of the batches, positions of them, and tokens."""
    targets = [target.numpy() for _, target in epoch]
    return (
        [target.shape[1] for target in targets],
        sum(target.size for target in targets),
        sum(int(np.count_nonzero(target)) for target in targets),
    )


if __name__ == "__main__":
    main()
