"""Training, from a corpus to a run folder."""

import shutil
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

import keras

import kattention
from kattention.text import SubwordTokenizer
from kattention.training import Budget, TokenAccuracy, TokenCrossentropy
from recipes.translation import corpora, files, run
from recipes.translation.allocator import keep_freed_memory
from recipes.translation.errors import UsageError
from recipes.translation.model import build_model
from recipes.translation.pipeline import Batches
from recipes.translation.presets import PRESETS


def train(options):
    """Trains, or goes on with, the run that `options` describe.

    Args:
        options: A dict of the command line's options. What decides the result
            is recorded in the run folder and must be the same to go on.

    Returns:
        The `Translator` with the best model.
    """
    folder = Path(options["output"])
    preset = PRESETS[_preset_name(options)]
    recorded = _check_folder(folder, options, preset)
    progress, state = run.read_progress(folder)
    if progress.finished:
        print(f"{folder} is finished after {progress.epoch} epochs: nothing to do")
        return kattention.Translator.load(folder)
    keep_freed_memory()
    keras.utils.set_random_seed(options["seed"])
    training, validation = load_pairs(recorded)
    # An export of this run is tried on the example.
    _make_folder(folder, {**recorded, "example": validation.sources[0]})
    source, target = _tokenizers(folder, training, preset)
    batches = Batches(training, source, target, preset.batch_tokens, preset.max_tokens)
    if batches.left_out:
        print(
            f"left out {batches.left_out} training pairs of over "
            f"{preset.max_tokens} tokens"
        )
    if not batches.pairs:
        raise UsageError(f"no training pair has at most {preset.max_tokens} tokens")
    if state is None:
        model = build_model(
            preset,
            source.vocabulary_size,
            target.vocabulary_size,
            options["attention"],
        )
        model.compile(
            keras.optimizers.Adam(preset.learning_rate, global_clipnorm=1.0),
            TokenCrossentropy(preset.label_smoothing),
            metrics=[TokenAccuracy()],
            # Slower and unsteady for loops of changing length on a CPU.
            jit_compile=False,
        )
    else:
        print(f"going on with {folder} after epoch {progress.epoch}")
        model = keras.models.load_model(state)
    print(
        f"{len(training)} training and {len(validation)} validation pairs, "
        f"{source.vocabulary_size} and {target.vocabulary_size} subwords, "
        f"{model.count_params():,} weights"
    )
    translator = kattention.Translator(model, source, target)
    _fit(translator, batches, validation, preset, options, progress, folder)
    return kattention.Translator.load(folder)


def _fit(translator, batches, validation, preset, options, progress, folder):
    epochs = options["epochs"] or preset.epochs
    spent = (progress.steps, progress.seconds)
    if options["minutes"]:
        epochs = 1_000_000  # the budget stops it
        budget = Budget(preset.learning_rate, minutes=options["minutes"], spent=spent)
    else:
        steps = epochs * batches.steps
        budget = Budget(preset.learning_rate, steps=steps, spent=spent)
    recorder = run.Recorder(folder, translator, budget, progress, preset.patience)
    translator.model.fit(
        batches.endless(options["seed"], progress.epoch),
        steps_per_epoch=batches.steps,
        initial_epoch=progress.epoch,
        epochs=epochs,
        validation_data=Batches(
            validation,
            translator.source_tokenizer,
            translator.target_tokenizer,
            preset.batch_tokens,
        ).once(),
        callbacks=[budget, recorder],
        shuffle=False,  # the batches are
        verbose=1 if sys.stdout.isatty() else 2,
    )


def _preset_name(options):
    return "tiny" if (options["data"] or "").startswith("toy-") else "small"


def _check_folder(folder, options, preset):
    """Returns the options to record; they must be those of an existing run."""
    recorded = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in options.items()
        if name != "output"
    }
    recorded["preset"] = asdict(preset)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"cannot write to {folder}: it is a file")
    if not (folder / run.RUN).exists():
        if folder.exists() and any(not _is_aside(path) for path in folder.iterdir()):
            raise UsageError(
                f"{folder} holds other files and no run: choose another --output"
            )
        return recorded
    before = run.read_options(folder)
    # The same corpus may have moved.
    changed = [
        name
        for name in recorded
        if name != "data_dir" and before.get(name) != recorded[name]
    ]
    if changed:
        raise UsageError(
            f"{folder} was trained with other options ("
            + ", ".join(
                f"{name}: {before.get(name)!r}, now {recorded[name]!r}"
                for name in changed
            )
            + "): choose another --output"
        )
    return recorded


def _is_aside(path):
    """Whether a file was being written when a process was killed."""
    return path.name.startswith(".writing-")


def _make_folder(folder, recorded):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in filter(_is_aside, folder.iterdir()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        run.write_options(folder, recorded)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None


def load_pairs(recorded):
    """Returns the training and the validation `Pairs` of a run's options."""
    if recorded["data"]:
        corpus, split = corpora.find(recorded["data"])
        if split:
            raise UsageError(
                f"train takes a corpus without a split, got {recorded['data']}"
            )
        print(corpus.notice)
        training = corpus.load("train", recorded["data_dir"])
        validation = corpus.load("valid", recorded["data_dir"])
    else:
        training = own_pairs(recorded["pairs"], recorded["source"], recorded["target"])
        if recorded["valid_source"]:
            validation = files.read_parallel(
                recorded["valid_source"], recorded["valid_target"]
            )
        else:
            training, validation = files.hold_out(training)
    limit = recorded["limit"]
    if limit and limit < len(training):
        # Corpora come sorted, so not simply the first.
        order = sorted(range(len(training)), key=lambda i: _rank(training, i))
        training = training.select(sorted(order[:limit]))
    return training, validation


def _rank(pairs, i):
    return files.bucket(f"{pairs.sources[i]}\t{pairs.references[i][0]}", 2**64)


def own_pairs(pairs, source, target):
    """Reads the user's own files: one of pairs, or two in parallel."""
    return files.read_tsv(pairs) if pairs else files.read_parallel(source, target)


def _tokenizers(folder, training, preset):
    """Loads the run's tokenizers, or learns them from the training text."""
    paths = folder / "source.model", folder / "target.model"
    if not all(path.exists() for path in paths):
        texts = [training.sources, training.targets]
        if preset.shared_vocabulary:
            texts = [training.sources + training.targets]
        learnt = [_learn(lines, preset.vocabulary_size) for lines in texts]
        for path, tokenizer in zip(paths, (learnt[0], learnt[-1]), strict=True):
            aside = path.with_name(f".writing-{path.name}")
            tokenizer.save(aside)
            aside.replace(path)
    source, target = map(SubwordTokenizer.load, paths)
    return source, source if preset.shared_vocabulary else target


def _learn(lines, size):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tokenizer = SubwordTokenizer.train(lines, size)
    for warning in caught:
        print(warning.message)
    return tokenizer
