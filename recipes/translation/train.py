"""Training, from a corpus to a run folder."""

from dataclasses import asdict, fields
from pathlib import Path

import keras

import kattention
from kattention.training import (
    Budget,
    GuidedAlignment,
    ScheduledSampling,
    TokenCrossentropy,
)

from . import run
from .allocator import keep_freed_memory
from .callbacks import Reseeding, Validation
from .data import filtering, preparation
from .data.batches import Batches
from .data.encoded import open_encoded
from .errors import UsageError
from .model import build_model
from .options import Preset, choose_preset, make_preset
from .report import Events, Report

# Steps after which a training validates and records its state, at the latest.
ROUND = 1000


def train(options):
    """Trains, or goes on with, the run that the options describe.

    Args:
        options: `TrainOptions`. What decides the result is recorded in the run
            folder and must be the same to go on.

    Returns:
        The `Translator` with the best model.

    Example:

        train(TrainOptions(pairs="my.tsv", output="runs/mine", minutes=30))
    """
    folder = Path(options.output)
    run.check_folder(folder)
    progress, state = run.read_progress(folder)
    if state is None:
        recorded = _record(options)
    else:
        recorded = run.read_options(folder)
        _check_same(folder, recorded, options)
    preset = Preset(**recorded["preset"])
    if progress.finished:
        print(f"{folder} is finished, in round {progress.rounds}: nothing to do")
        return kattention.Translator.load(folder)
    keep_freed_memory()
    keras.utils.set_random_seed(options.seed)
    run.prepare_folder(folder)
    if state is None:
        run.write_options(folder, {**recorded, "commit": run.commit()})
        preparation.prepare(folder, recorded, preset)
    tokenizers = preparation.load_tokenizers(folder, preset)
    validation = preparation.load_validation(folder)
    training = _training_batches(folder, preset)
    if state is None:
        trained = _new_model(preset, tokenizers, options.attention)
    else:
        print(f"going on with {folder} after round {progress.rounds}")
        trained = keras.models.load_model(state)
    model = trained.model if isinstance(trained, ScheduledSampling) else trained
    print(
        f"{len(training):,} training and {len(validation):,} validation pairs, "
        f"{tokenizers[0].vocabulary_size:,} and {tokenizers[1].vocabulary_size:,} "
        f"subwords, {model.count_params():,} weights"
    )
    translator = kattention.Translator(model, *tokenizers)
    _fit(trained, translator, training, validation, recorded, progress, folder)
    print(_ending(progress, preset.patience))
    return kattention.Translator.load(folder)


def _ending(progress, patience):
    """Says in a line how a training ended and what it kept."""
    why = f", {patience} rounds without a better one" * (progress.worse >= patience)
    chosen = "the validation loss chose it, as the BLEU is so low"
    return (
        f"ended in round {progress.rounds}, after {progress.seconds / 60:.1f} minutes"
        f"{why}: kept round {progress.rounds - progress.worse}, BLEU "
        f"{progress.best_bleu:.2f} on the validation pairs, greedy search"
        + f" ({chosen})"
        * (progress.best_bleu < 1)
    )


def _training_batches(folder, preset):
    encoded = open_encoded(folder / "training")
    found = filtering.select(encoded, preset.max_tokens, preset.max_ratio)
    print(found)
    if not len(found.chosen):
        raise UsageError(f"no training pair of {len(encoded)} is left")
    guided = preset.guided_alignment > 0
    return Batches(encoded, preset.batch_tokens, found.chosen, guided)


def _new_model(preset, tokenizers, attention):
    sizes = [tokenizer.vocabulary_size for tokenizer in tokenizers]
    trained = build_model(preset, *sizes, attention)
    if preset.scheduled_sampling:
        trained = ScheduledSampling(trained)
    loss, weights = TokenCrossentropy(preset.label_smoothing), None
    if preset.guided_alignment:
        loss, weights = [loss, GuidedAlignment()], [1.0, preset.guided_alignment]
    average = {"use_ema": True, "ema_momentum": preset.ema} if preset.ema else {}
    trained.compile(
        keras.optimizers.Adam(
            preset.learning_rate, global_clipnorm=preset.clip_norm, **average
        ),
        loss=loss,
        loss_weights=weights,
        # Slower and unsteady for loops of changing length on a CPU.
        jit_compile=False,
    )
    # Else the first step makes its variables, and TensorFlow traces it twice.
    trained.optimizer.build(trained.trainable_variables)
    return trained


def _fit(trained, translator, training, validation, recorded, progress, folder):
    preset = Preset(**recorded["preset"])
    spent = (progress.steps, progress.seconds)
    if recorded["minutes"]:
        length = {"minutes": recorded["minutes"]}
    else:
        length = {"steps": preset.epochs * training.steps}
    budget = Budget(preset.learning_rate, preset.warmup, **length, spent=spent)
    average = [keras.callbacks.SwapEMAWeights()] if preset.ema else []
    judge = Validation(
        folder, translator, validation, budget, progress, preset.patience, *average
    )
    steps = min(training.steps, ROUND)
    report = Report(budget, steps, training.steps, training.tokens)
    events = Events(folder / run.EVENTS, judge)
    callbacks = [budget, Reseeding(recorded["seed"]), *average, judge, report, events]
    if preset.scheduled_sampling:
        callbacks.append(_raise_share(trained, budget, preset.scheduled_sampling))
    validation_batches = Batches(
        open_encoded(folder / "validation"),
        preset.batch_tokens,
        guided=preset.guided_alignment > 0,
    )
    trained.fit(
        training.endless(recorded["seed"], progress.steps),
        steps_per_epoch=steps,
        initial_epoch=progress.rounds,
        epochs=1_000_000,  # the budget stops it
        validation_data=validation_batches.once(),
        callbacks=callbacks,
        shuffle=False,  # the batches are
        verbose=0,
    )


def _raise_share(trained, budget, last):
    """Draws more tokens as the budget runs out."""

    def assign(batch, logs=None):
        trained.share.assign(last * budget.share)

    return keras.callbacks.LambdaCallback(on_train_batch_begin=assign)


def _record(options):
    """The options that decide the result, with all choices of the preset."""
    recorded = _as_told(options)
    name = choose_preset(options, lambda: preparation.count_pairs(recorded))
    preset = asdict(make_preset(name, options.changes))
    return {**recorded, "preset_name": name, "preset": preset}


def _as_told(options):
    """The options but for the preset and the folder, as JSON has them."""
    told = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if value is not None and field.metadata.get("kind") is Path:
            value = str(Path(value).resolve())
        told[field.name] = value
    for name in ("output", "changes", "preset"):
        del told[name]
    return told


def _check_same(folder, recorded, options):
    """Refuses to go on with a run that was begun with other options."""
    name = options.preset or recorded["preset_name"]
    told = {**_as_told(options), **asdict(make_preset(name, options.changes))}
    before = {**recorded, **recorded["preset"]}
    # The same corpus may have moved.
    changed = [n for n in told if n != "data_dir" and before.get(n) != told[n]]
    if changed:
        raise UsageError(
            f"{folder} was trained with other options: choose another --output, or "
            "give the same ones. They differ in "
            + ", ".join(f"{n} ({before.get(n)!r}, now {told[n]!r})" for n in changed)
        )
