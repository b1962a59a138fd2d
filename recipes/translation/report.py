"""What a training says while it runs, and what it leaves to look at."""

import csv
import io
import os
import time

import keras
import tensorflow as tf
from tqdm import tqdm

from kattention.plotting import plot_alignment

# Seconds between two lines where there is no terminal for a bar.
EVERY = 60
# Sentences of each round to be looked at.
SHOWN = 3


class Report(keras.callbacks.Callback):
    """Shows a bar on a terminal, or a line a minute, and a line after each round.

    Args:
        budget: The `kattention.training.Budget` of the training.
        steps: Steps of a round.
        epoch_steps: Steps of a pass over the corpus.
        epoch_tokens: Target tokens of a pass, without padding.
    """

    def __init__(self, budget, steps, epoch_steps, epoch_tokens):
        super().__init__()
        self.budget = budget
        self.steps = steps
        self.epoch_steps = epoch_steps
        self._step_tokens = epoch_tokens / epoch_steps
        self._bar = None

    def on_train_begin(self, logs=None):
        print("building the training step, which takes some seconds", flush=True)

    def on_epoch_begin(self, epoch, logs=None):
        self._began = self._printed = time.monotonic()
        self._title = f"round {epoch + 1}"
        self._bar = tqdm(
            total=self.steps,
            desc=self._title,
            leave=False,
            disable=None,
            dynamic_ncols=True,
            bar_format="{bar} {desc}",
        )

    def on_train_batch_end(self, batch, logs=None):
        if self._bar.disable:
            now = time.monotonic()
            if now - self._printed >= EVERY:
                self._printed = now
                status = self._status(batch, logs)
                print(
                    f"{self._title} step {batch + 1} of {self.steps}, {status}",
                    flush=True,
                )
        else:
            status = f"{self._title}, {self._status(batch, logs)}"
            self._bar.set_description_str(status, refresh=False)
            self._bar.update()

    def _status(self, batch, logs):
        seconds = time.monotonic() - self._began
        share, spent = self.budget.share, self.budget.spent_seconds
        left = spent * (1 - share) / max(share, 1e-9) / 60
        return (
            f"loss {logs['loss']:.3f}, "
            f"{(batch + 1) * self._step_tokens / seconds:,.0f} target tokens/s, "
            f"{share:.0%}, {'under 1' if left < 1 else f'{left:.0f}'} min left"
        )

    def on_epoch_end(self, epoch, logs=None):
        self._bar.close()
        epochs = self.budget.spent_steps / self.epoch_steps
        print(
            f"round {epoch + 1}, epoch {epochs:.1f}: loss {logs['loss']:.3f}, "
            f"validation loss {logs['val_loss']:.3f}, "
            f"BLEU {logs['val_bleu']:.2f} (greedy search); "
            f"{self.budget.spent_seconds / 60:.1f} minutes so far",
            flush=True,
        )


def write_history(path, rounds):
    """Writes a row for each round, a dict of numbers, as CSV."""
    aside = path.with_name(f".writing-{path.name}")
    with aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, rounds[0])
        writer.writeheader()
        writer.writerows(rounds)
    os.replace(aside, path)


class Events(keras.callbacks.Callback):
    """Writes what TensorBoard shows: numbers, translations and alignments.

    Args:
        folder: Where the event files are.
        validation: The `Validation` of the training, which runs before it: some
            of its translations are shown.
    """

    def __init__(self, folder, validation):
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(folder))
        self.validation = validation

    def on_epoch_end(self, epoch, logs=None):
        found = self.validation.found[:SHOWN]
        sources = self.validation.pairs.sources[:SHOWN]
        with self._writer.as_default(step=epoch + 1):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
            lines = zip(sources, found, strict=True)
            tf.summary.text(
                "translations", "\n\n".join(f"{a}\n\n**{b.text}**" for a, b in lines)
            )
            for number, one in enumerate(found):
                if one.alignment is not None and one.target_tokens:
                    tf.summary.image(f"alignment {number + 1}", _picture(one)[None])
        self._writer.flush()


def _picture(found):
    """An alignment as an image, `(height, width, 3)`."""
    axes = plot_alignment(found.source_tokens, found.target_tokens, found.alignment)
    with io.BytesIO() as file:
        axes.figure.savefig(file, format="png")
        return tf.io.decode_png(file.getvalue(), channels=3)
