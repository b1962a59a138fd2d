"""What happens in each round of training: validate, keep the best, record."""

import math
import time

import keras
import numpy as np
import sacrebleu

from . import run
from .errors import UsageError
from .evaluate import translate_greedily
from .report import write_history


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
        self.found = []  # the `Translation`s of the latest round

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
            self.model.stop_training = True
        if self.budget.share >= 1:  # validation used up the rest
            self.model.stop_training = True
        progress.finished = self.model.stop_training
        progress.seconds = self.budget.spent_seconds
        progress.cpu_seconds = self._cpu_seconds_before + time.process_time()
        progress.history.append(
            {
                "round": progress.rounds,
                "step": progress.steps,
                "minutes": round(progress.seconds / 60, 3),
                "learning_rate": float(self.model.optimizer.learning_rate),
                **{name: float(value) for name, value in logs.items()},
            }
        )
        run.write_state(self.folder, self.model, progress)
        write_history(self.folder / run.HISTORY, progress.history)

    def _is_better(self, bleu, loss):
        best = self.progress
        if max(bleu, best.best_bleu) < 1:
            # So low it is mostly chance; the loss still tells rounds apart.
            return loss < best.best_loss
        return bleu > best.best_bleu

    def _bleu(self):
        self.found = translate_greedily(self.translator, self.pairs.sources)
        hypotheses = [one.text for one in self.found]
        # Targets may all be too short for n-grams of four words.
        metric = sacrebleu.BLEU(effective_order=True)
        return metric.corpus_score(hypotheses, [self.pairs.targets]).score


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
