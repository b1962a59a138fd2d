"""From pairs of strings to batches of ids, in buckets of like length."""

import numpy as np
import tensorflow as tf

from kattention.seq2seq import END, START

BUCKET_WIDTH = 4


class Batches:
    """Batches of a corpus: `((source, target_in), target_out)`, padded with 0.

    Pairs of like length go together, as many as `batch_tokens` holds of the
    longest that their bucket takes. The order is drawn anew for each epoch
    from the seed and the number of the epoch alone, so that training can go on
    where it stopped.

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
        source = source_tokenizer.encode(pairs.sources)
        target = target_tokenizer.encode(pairs.targets)
        lengths = np.maximum(source.row_lengths(), target.row_lengths()) + 1
        chosen = np.arange(len(lengths))
        if max_tokens is not None:
            chosen = chosen[lengths <= max_tokens]
        self.left_out = len(lengths) - len(chosen)
        self.pairs = len(chosen)
        source, target = tf.gather(source, chosen), tf.gather(target, chosen)
        start, end = tf.fill([self.pairs, 1], START), tf.fill([self.pairs, 1], END)
        self._source = tf.concat([source, end], axis=1)
        self._inputs = tf.concat([start, target], axis=1)
        self._outputs = tf.concat([target, end], axis=1)
        buckets = (lengths[chosen] - 1) // BUCKET_WIDTH
        tops = BUCKET_WIDTH * np.arange(1, buckets.max(initial=0) + 2)
        sizes = np.maximum(1, batch_tokens // tops)
        counts = np.bincount(buckets, minlength=len(tops))
        self.steps = int(np.ceil(counts / sizes).sum())
        self._buckets, self._sizes = tf.constant(buckets), tf.constant(sizes)

    def endless(self, seed, first_epoch=0):
        """All epochs from `first_epoch` on, each in an order of its own."""
        epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max)
        return _untuned(epochs.flat_map(lambda epoch: self._epoch(seed, epoch)))

    def once(self):
        """One pass in a fixed order."""
        known = tf.data.experimental.assert_cardinality(self.steps)
        order = tf.range(self.pairs, dtype="int64")
        return _untuned(self._batch(order).apply(known))

    def _epoch(self, seed, epoch):
        # Not `Dataset.shuffle`, whose order depends on TensorFlow's own seed too.
        order = tf.random.experimental.stateless_shuffle(
            tf.range(self.pairs, dtype="int64"),
            seed=tf.stack([tf.cast(seed, "int64"), epoch]),
        )
        # Batches come out of the buckets as they fill, short ones first.
        return self._batch(order)

    def _batch(self, order):
        buckets, sizes = self._buckets, self._sizes
        return (
            tf.data.Dataset.from_tensor_slices(order)
            .group_by_window(
                key_func=lambda row: buckets[row],
                reduce_func=lambda bucket, rows: rows.batch(sizes[bucket]),
                window_size_func=lambda bucket: sizes[bucket],
            )
            .map(self._rows)
        )

    def _rows(self, rows):
        source, inputs, outputs = (
            tf.gather(ids, rows).to_tensor()
            for ids in (self._source, self._inputs, self._outputs)
        )
        return (source, inputs), outputs


def _untuned(dataset):
    """Prefetches, without tf.data's autotuning.

    There is nothing to tune here, and its thread sleeps for ever longer: the
    end of a training would wait up to a minute for it.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(4).with_options(options)
