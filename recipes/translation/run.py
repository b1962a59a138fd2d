"""A run folder: the options of a training, its progress, and its best model.

    run.json        the options, and when the corpus is read an example
    source.model    the tokenizers
    target.model
    training/       the corpus as ids: see `data/encoded.py`
    validation/
    validation.json the pairs to validate on
    model.keras     the best model so far: with the tokenizers, a `Translator`
    history.csv     a row for each round
    events/         the same for TensorBoard, with translations and alignments
    state-N/        everything that training needs to go on after N rounds

Each file and folder is written under another name and then renamed: a kill at
any moment leaves the old one or the new one, never half of it.
"""

import json
import math
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .errors import UsageError

RUN = "run.json"
VALIDATION = "validation.json"
HISTORY = "history.csv"
EVENTS = "events"
OWN = {RUN, VALIDATION, "source.model", "target.model", "model.keras"}
OWN |= {"training", "validation", HISTORY, EVENTS}


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        rounds: Rounds that are done: steps, then a validation.
        steps: Steps that are done.
        seconds: Wall-clock seconds that they took, validation included.
        cpu_seconds: Seconds of all processors.
        best_bleu: The validation BLEU of the best round, -1 before the first.
        best_loss: The validation loss of that round.
        worse: Rounds since then.
        finished: Whether the training has ended.
        history: A dict of numbers for each round.
    """

    rounds: int = 0
    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    best_bleu: float = -1.0
    best_loss: float = math.inf
    worse: int = 0
    finished: bool = False
    history: list[dict] = field(default_factory=list)


def prepare_folder(folder):
    """Makes the folder, and removes what cannot be gone on with.

    That is what was being written when a process was killed, and all of a
    training that did not end a round.
    """
    useless = set() if _states(folder) else OWN
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if _is_aside(path) or path.name in useless:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None


def check_folder(folder):
    """Refuses a folder that holds something else than a run."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"cannot write to {folder}: it is a file")
    if not folder.exists() or (folder / RUN).exists():
        return
    if not all(map(_is_aside, folder.iterdir())):
        raise UsageError(
            f"{folder} holds other files and no run: choose another --output"
        )


def _is_aside(path):
    return path.name.startswith(".writing-")


def write_options(folder, options):
    """Writes `run.json`."""
    aside = Path(folder) / f".writing-{RUN}"
    aside.write_text(json.dumps(options, indent=2) + "\n")
    os.replace(aside, Path(folder) / RUN)


def read_options(folder):
    """Returns what `write_options` wrote, or fails with one line."""
    path = Path(folder) / RUN
    try:
        options = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{folder} is not a run folder: it holds no {RUN}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    if not (isinstance(options, dict) and {"data", "preset"} <= options.keys()):
        raise UsageError(f"{path} is not what train wrote: it lacks data or preset")
    return options


def commit():
    """The commit of the code that runs, `None` outside a repository."""
    command = ["git", "-C", Path(__file__).parent, "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _states(folder):
    """The state folders of a run, the newest last."""
    states = [p for p in Path(folder).glob("state-*") if p.name[6:].isdigit()]
    return sorted(states, key=lambda path: int(path.name[6:]))


def read_progress(folder):
    """Returns `(Progress, path of the model)`, the path `None` at the start."""
    states = _states(folder)
    if not states:
        return Progress(), None
    path = states[-1] / "progress.json"
    try:
        progress = Progress(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}. Choose another --output"
        ) from None
    return progress, states[-1] / "model.keras"


def write_state(folder, model, progress):
    """Writes the model with its optimizer, and the progress, as one."""
    aside = Path(folder) / ".writing-state"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    model.save(aside / "model.keras")
    (aside / "progress.json").write_text(json.dumps(asdict(progress)))
    older = _states(folder)
    os.rename(aside, Path(folder) / f"state-{progress.rounds}")
    for path in older:
        shutil.rmtree(path)
