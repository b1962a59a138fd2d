"""From ids to batches, in buckets of like length."""

import numpy as np
import tensorflow as tf

from kattention.ids import END, START

from .encoded import LINK_BASE

BUCKET_WIDTH = 4


class Batches:
    """Batches of a corpus: `((source, target_in), target_out)`, padded with 0.

    Pairs of similar length form a bucket. A batch holds as many pairs of a
    bucket as fit into `batch_tokens` at the bucket's greatest length. The order
    of pairs and batches depends only on the seed and the number of the epoch,
    so training can go on where it stopped.

    Args:
        encoded: `EncodedPairs`.
        batch_tokens: Tokens a batch, padding included, of the longer side.
        chosen: The indices of the pairs to take; `None`: all.
        guided: Whether the labels are `(target_out, links)`, with links
            `(B, T, S)`, 1 where tokens are linked.
    """

    def __init__(self, encoded, batch_tokens, chosen=None, guided=False):
        self._encoded = encoded
        self._guided = guided
        self._rows = np.arange(len(encoded)) if chosen is None else chosen
        longer = np.maximum(encoded.source.lengths, encoded.target.lengths)
        self._buckets = longer[self._rows] // BUCKET_WIDTH  # one more with the end
        tops = BUCKET_WIDTH * np.arange(1, self._buckets.max(initial=0) + 2)
        self._sizes = np.maximum(1, batch_tokens // tops)
        counts = np.bincount(self._buckets, minlength=len(tops))
        self.steps = int(np.ceil(counts / self._sizes).sum())
        # Of the targets, with their end tokens.
        self.tokens = int((encoded.target.lengths[self._rows] + 1).sum())
        # The order of the latest epoch, drawn again when another one begins.
        self._drawn = self._spans = None

    def __len__(self):
        return len(self._rows)

    def endless(self, seed, first_step=0):
        """All epochs, without the first steps; each in an order of its own."""
        steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
        return self._dataset(steps, seed)

    def once(self):
        """One pass in a fixed order."""
        return self._dataset(tf.data.Dataset.range(self.steps), seed=0)

    def _dataset(self, steps, seed):
        """Prefetches, without tf.data's autotuning.

        There is nothing to tune here, and the end of a training would wait up
        to a minute for the autotuning thread.
        """
        # Not `from_generator`, which changes the settings of the C allocator.
        kinds = ["int32"] * 3 + ["float32"] * self._guided
        ranks = [2, 2, 2, 3]

        def load(step):
            parts = tf.numpy_function(
                lambda step: self._load(seed, step), [step], kinds
            )
            for part, rank in zip(parts, ranks, strict=False):
                part.set_shape([None] * rank)
            source, inputs, *aims = parts
            return (source, inputs), tuple(aims) if self._guided else aims[0]

        options = tf.data.Options()
        options.autotune.enabled = False
        return steps.map(load).prefetch(4).with_options(options)

    def _load(self, seed, step):
        epoch, place = divmod(int(step), self.steps)
        if self._drawn != (seed, epoch):
            self._drawn, self._spans = (seed, epoch), self._draw(seed, epoch)
        ordered, spans = self._spans
        return self._batch(self._rows[ordered[slice(*spans[place])]])

    def _draw(self, seed, epoch):
        """Returns `(the pairs bucket by bucket, where each batch lies in them)`."""
        rng = np.random.default_rng([seed, epoch])
        shuffled = rng.permutation(len(self._rows))
        ordered = shuffled[np.argsort(self._buckets[shuffled], kind="stable")]
        ends = np.cumsum(np.bincount(self._buckets, minlength=len(self._sizes)))
        starts = np.concatenate([[0], ends[:-1]])
        spans = [
            (first, min(first + size, end))
            for start, end, size in zip(starts, ends, self._sizes, strict=True)
            for first in range(start, end, size)
        ]
        return ordered, rng.permutation(spans)

    def _batch(self, rows):
        source = self._encoded.source.padded(rows)
        target = self._encoded.target.padded(rows)
        starts = np.full((len(rows), 1), START, "int32")
        inputs = np.concatenate([starts, target], axis=1)
        source, outputs = _ended(source), _ended(target)
        if not self._guided:
            return source, inputs, outputs
        links = np.zeros((*outputs.shape, source.shape[1]), "float32")
        padded = self._encoded.links.padded(rows)
        counts = self._encoded.links.lengths[rows][:, None]
        row, place = np.nonzero(np.arange(padded.shape[1]) < counts)
        target_token, source_token = np.divmod(padded[row, place], LINK_BASE)
        links[row, target_token, source_token] = 1
        return source, inputs, outputs, links


def _ended(ids):
    """Ids `(rows, longest + 1)`, with the end token after the last of each row."""
    ended = np.pad(ids, ((0, 0), (0, 1)))
    ended[np.arange(len(ids)), (ids != 0).sum(axis=1)] = END
    return ended
