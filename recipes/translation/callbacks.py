"""What happens in each round of training: validate, keep the best, record."""

import math
import time

import keras
import numpy as np
import sacrebleu
from tqdm import tqdm

from recipes.translation import run
from recipes.translation.errors import UsageError
from recipes.translation.evaluate import translate_all


class Validation(keras.callbacks.Callback):
    """Translates after each round, keeps the best model, and records the state.

    The BLEU is in the logs too, as `val_bleu`.

    Args:
        folder: The run folder.
        translator: The `Translator` whose model is trained.
        pairs: The `Pairs` to translate, greedily.
        budget: The `kattention.training.Budget` of the training.
        progress: The `run.Progress` to go on from.
        patience: Rounds without a better BLEU before training stops.
        average: A `keras.callbacks.SwapEMAWeights`, if the moving average of
            the weights is what to validate and keep.
    """

    def __init__(
        self, folder, translator, pairs, budget, progress, patience, average=None
    ):
        super().__init__()
        self.folder = folder
        self.translator = translator
        self.pairs = pairs
        self.budget = budget
        self.progress = progress
        self.patience = patience
        self._cpu_seconds_before = progress.cpu_seconds - time.process_time()
        self._average = average

    def on_epoch_end(self, epoch, logs=None):
        progress = self.progress
        progress.rounds = epoch + 1
        progress.steps = self.budget.spent_steps
        progress.worse += 1
        loss = logs["val_loss"]
        if self._average:
            self._average.on_test_begin()
        bleu = logs["val_bleu"] = self._bleu()
        if not math.isfinite(loss):
            raise UsageError("the loss is not finite: lower --learning-rate")
        if self._is_better(bleu, loss):
            progress.best_bleu, progress.best_loss = bleu, loss
            progress.worse = 0
            self.translator.save(self.folder)
        if self._average:
            self._average.on_test_end()
        if progress.worse >= self.patience:
            print(f"no better BLEU in {self.patience} rounds: stopping")
            self.model.stop_training = True
        if self.budget.share >= 1:  # validation used up the rest
            self.model.stop_training = True
        progress.finished = self.model.stop_training
        progress.seconds = self.budget.spent_seconds
        progress.cpu_seconds = self._cpu_seconds_before + time.process_time()
        run.write_state(self.folder, self.model, progress)

    def _is_better(self, bleu, loss):
        best = self.progress
        if max(bleu, best.best_bleu) < 1:
            # So low it is mostly chance; the loss still tells rounds apart.
            return loss < best.best_loss
        return bleu > best.best_bleu

    def _bleu(self):
        # Without a penalty a beam of one is greedy search: it ends at an end token.
        hypotheses = translate_all(
            self.translator, self.pairs.sources, beam_width=1, length_penalty=0.0
        )
        return sacrebleu.corpus_bleu(hypotheses, [self.pairs.targets]).score


class Report(keras.callbacks.Callback):
    """Prints a line after each round, and a bar on a terminal while it runs.

    Args:
        budget: The `kattention.training.Budget` of the training.
        steps: Steps of a round.
        epoch_steps: Steps of a pass over the corpus.
    """

    def __init__(self, budget, steps, epoch_steps):
        super().__init__()
        self.budget = budget
        self.steps = steps
        self.epoch_steps = epoch_steps
        self._bar = None

    def on_epoch_begin(self, epoch, logs=None):
        title = f"round {epoch + 1}"
        self._bar = tqdm(
            total=self.steps, desc=title, unit="step", leave=False, disable=None
        )

    def on_train_batch_end(self, batch, logs=None):
        self._bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
        self._bar.update()

    def on_epoch_end(self, epoch, logs=None):
        self._bar.close()
        epochs = self.budget.spent_steps / self.epoch_steps
        print(
            f"round {epoch + 1}, epoch {epochs:.1f}: loss {logs['loss']:.3f}, "
            f"validation loss {logs['val_loss']:.3f}, "
            f"BLEU {logs['val_bleu']:.2f}; "
            f"{self.budget.spent_seconds / 60:.1f} minutes",
            flush=True,
        )


class Reseeding(keras.callbacks.Callback):
    """Starts each round's dropout from the seed and the round's number alone.

    Keras does not save the states of a model's random generators, so without it
    a training that was stopped would go on with other dropout.

    Args:
        seed: The training's seed.
    """

    def __init__(self, seed):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        states = [v for v in self.model.variables if v.path.endswith("generator_state")]
        rng = np.random.default_rng([self.seed, epoch])
        for state in states:
            state.assign(rng.integers(2**31, size=state.shape))
