"""A run folder: what a training was told, where it stands, and its best model.

    run.json        the options and an example, once the corpus could be read
    source.model    the tokenizers
    target.model
    model.keras     the best model so far: with the tokenizers, a `Translator`
    state-N/        everything that training needs to go on after N epochs

Each file and folder is written aside and renamed: a kill at any moment leaves
the one before or the one after, never half of one.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from recipes.translation.errors import UsageError

RUN = "run.json"


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        epoch: Epochs that are done.
        steps: Steps that are done.
        seconds: Wall-clock seconds that they took, validation included.
        best_loss: The lowest validation loss, infinity before the first.
        worse: Epochs since then.
        finished: Whether the training has ended.
    """

    epoch: int = 0
    steps: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    worse: int = 0
    finished: bool = False


def write_options(folder, options):
    """Writes `run.json`."""
    aside = Path(folder) / f".writing-{RUN}"
    aside.write_text(json.dumps(options, indent=2) + "\n")
    os.replace(aside, Path(folder) / RUN)


def read_options(folder):
    """Returns what `write_options` wrote, or fails with one line."""
    path = Path(folder) / RUN
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{folder} is not a run folder: it holds no {RUN}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def _states(folder):
    """The state folders of a run, the newest last."""
    states = [p for p in Path(folder).glob("state-*") if p.name[6:].isdigit()]
    return sorted(states, key=lambda path: int(path.name[6:]))


def read_progress(folder):
    """Returns `(Progress, path of the model)`, the path `None` at the start."""
    states = _states(folder)
    if not states:
        return Progress(), None
    progress = json.loads((states[-1] / "progress.json").read_text())
    return Progress(**progress), states[-1] / "model.keras"


def write_state(folder, model, progress):
    """Writes the model with its optimizer, and the progress, as one."""
    aside = Path(folder) / ".writing-state"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    model.save(aside / "model.keras")
    (aside / "progress.json").write_text(json.dumps(asdict(progress)))
    older = _states(folder)
    number = int(older[-1].name[6:]) + 1 if older else 1
    os.rename(aside, Path(folder) / f"state-{number}")
    for path in older:
        shutil.rmtree(path)


class Recorder(keras.callbacks.Callback):
    """Keeps the best model and the state, and stops when nothing improves.

    Args:
        folder: The run folder.
        translator: The `Translator` whose model is trained.
        budget: The `kattention.training.Budget` of the training.
        progress: The `Progress` to go on from.
        patience: Epochs without a better validation loss before stopping.
    """

    def __init__(self, folder, translator, budget, progress, patience):
        super().__init__()
        self.folder = folder
        self.translator = translator
        self.budget = budget
        self.progress = progress
        self.patience = patience

    def on_epoch_end(self, epoch, logs=None):
        progress = self.progress
        progress.epoch = epoch + 1
        progress.steps = self.budget.spent_steps
        progress.seconds = self.budget.spent_seconds
        progress.worse += 1
        if logs["val_loss"] < progress.best_loss:
            progress.best_loss = logs["val_loss"]
            progress.worse = 0
            self.translator.save(self.folder)
        if progress.worse >= self.patience:
            print(f"no better validation loss for {self.patience} epochs: stopping")
            self.model.stop_training = True
        progress.finished = self.model.stop_training
        write_state(self.folder, self.model, progress)
