"""From pairs of strings to batches of ids, in buckets of like length."""

import math

import numpy as np
import tensorflow as tf

from kattention.seq2seq import END, START

BUCKET_WIDTH = 4


class Batches:
    """Batches of a corpus: `((source, target_in), target_out)`, padded with 0.

    Pairs of like length go together, as many as `batch_tokens` holds of the
    longest. The order is drawn anew for each epoch from the seed and the
    number of the epoch alone, so that training can go on where it stopped.

    Args:
        pairs: `Pairs`; of several references the first counts.
        source_tokenizer: Tokenizer of the sources.
        target_tokenizer: Tokenizer of the targets.
        batch_tokens: Tokens a batch, padding included, of the longer side.
        max_tokens: Pairs with a longer side are left out; `None`: none are.
    """

    def __init__(
        self, pairs, source_tokenizer, target_tokenizer, batch_tokens, max_tokens=None
    ):
        self.source = source_tokenizer.encode(pairs.sources)
        self.target = target_tokenizer.encode(pairs.targets)
        lengths = np.maximum(self.source.row_lengths(), self.target.row_lengths()) + 1
        self.left_out = 0
        if max_tokens is not None:
            short = lengths <= max_tokens
            self.left_out = int((~short).sum())
            self.source = tf.ragged.boolean_mask(self.source, short)
            self.target = tf.ragged.boolean_mask(self.target, short)
            lengths = lengths[short]
        longest = int(lengths.max(initial=1))
        # bucket_by_sequence_length has one bucket more than boundaries.
        self._boundaries = list(range(BUCKET_WIDTH + 1, longest + 1, BUCKET_WIDTH))
        tops = [boundary - 1 for boundary in self._boundaries] + [longest]
        self._sizes = [max(1, batch_tokens // top) for top in tops]
        buckets = np.searchsorted(self._boundaries, lengths, side="right")
        counts = np.bincount(buckets, minlength=len(self._sizes))
        self.pairs = len(lengths)
        self.steps = sum(
            math.ceil(count / size)
            for count, size in zip(counts, self._sizes, strict=True)
        )

    def endless(self, seed, first_epoch=0):
        """All epochs from `first_epoch` on, each in an order of its own."""
        epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max)
        return _untuned(epochs.flat_map(lambda epoch: self._epoch(seed, epoch)))

    def once(self):
        """One pass in a fixed order."""
        known = tf.data.experimental.assert_cardinality(self.steps)
        return _untuned(self._batch(tf.range(self.pairs)).apply(known))

    def _epoch(self, seed, epoch):
        # Not `Dataset.shuffle`, whose order depends on TensorFlow's own seed too.
        order = tf.random.experimental.stateless_shuffle(
            tf.range(self.pairs), seed=tf.stack([tf.cast(seed, epoch.dtype), epoch])
        )
        # Batches come out of the buckets as they fill, short ones first.
        return self._batch(order)

    def _example(self, i):
        source = tf.concat([self.source[i], [END]], axis=0)
        target = tf.concat([[START], self.target[i], [END]], axis=0)
        return (source, target[:-1]), target[1:]

    def _batch(self, order):
        def length(inputs, target):
            return tf.maximum(tf.shape(inputs[0])[0], tf.shape(target)[0])

        examples = tf.data.Dataset.from_tensor_slices(order).map(self._example)
        return examples.bucket_by_sequence_length(
            length,
            self._boundaries,
            self._sizes,
            padded_shapes=(([None], [None]), [None]),
        )


def _untuned(dataset):
    """Prefetches, without tf.data's autotuning.

    There is nothing to tune here, and its thread sleeps for ever longer: the
    end of a training would wait up to a minute for it.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(4).with_options(options)
