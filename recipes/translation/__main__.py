"""The command line: `python -m recipes.translation --help`."""

import argparse
import os
import sys
from pathlib import Path

# TensorFlow reads it once, on import: no notes about instructions and GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from tqdm import tqdm

import kattention
from recipes.translation import corpora, evaluate, run, toy, train
from recipes.translation.alignment import toy_error_rates
from recipes.translation.errors import UsageError


class _Parser(argparse.ArgumentParser):
    """Answers wrong use with one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments=None):
    """Runs one command; returns its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        if keras.backend.backend() != "tensorflow":
            raise UsageError(
                "the recipes need KERAS_BACKEND=tensorflow, got "
                f"{keras.backend.backend()}"
            )
        options.run(options)
    except (UsageError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(f"{parser.prog} {options.command}: {reason}", file=sys.stderr)
        return 2
    return 0


def build_parser():
    parser = _Parser(prog="python -m recipes.translation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_translate(commands)
    _add_export(commands)
    return parser


def _add_train(commands):
    command = commands.add_parser(
        "train",
        help="train a model, or go on with one that was stopped",
        description="Trains a model into a run folder. Told the same --output "
        "again, it goes on where it was stopped. The corpus picks the preset: "
        "toy corpora 'tiny', all others 'small'.",
    )
    _add_corpus(command, required=True)
    command.add_argument("--valid-source", type=Path, metavar="FILE")
    command.add_argument("--valid-target", type=Path, metavar="FILE")
    command.add_argument(
        "--output", type=Path, required=True, metavar="RUN", help="the run folder"
    )
    budget = command.add_mutually_exclusive_group()
    budget.add_argument("--epochs", type=_positive(int), help="passes over the corpus")
    budget.add_argument(
        "--minutes",
        type=_positive(float),
        help="wall-clock budget, which drives the learning rate too",
    )
    command.add_argument(
        "--limit", type=_positive(int), help="train on so many pairs only"
    )
    command.add_argument(
        "--attention",
        choices=("bahdanau", "none"),
        default="bahdanau",
        help="'none': the control, with the encoder's final state as context",
    )
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=_train)


def _add_corpus(command, required=False):
    corpus = command.add_mutually_exclusive_group(required=required)
    corpus.add_argument(
        "--data",
        metavar="NAME",
        help=f"a named corpus: {', '.join(sorted(corpora.CORPORA))}",
    )
    corpus.add_argument(
        "--pairs", type=Path, metavar="TSV", help="lines of source, a tab and target"
    )
    corpus.add_argument(
        "--source", type=Path, metavar="FILE", help="a sentence a line; with --target"
    )
    command.add_argument("--target", type=Path, metavar="FILE")
    command.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="a folder that holds the named corpus, instead of a download",
    )


def _add_evaluate(commands):
    command = commands.add_parser(
        "evaluate",
        help="score a run on a corpus",
        description="Prints sacreBLEU (13a, cased), chrF, their signatures and "
        "examples.",
    )
    _add_run(command)
    _add_corpus(command)
    _add_search(command)
    command.set_defaults(run=_evaluate)


def _add_translate(commands):
    command = commands.add_parser(
        "translate",
        help="translate sentences",
        description="Translates its arguments, or standard input line by line.",
    )
    _add_run(command)
    command.add_argument("sentence", nargs="*")
    command.add_argument(
        "--plot",
        type=Path,
        metavar="PNG",
        help="draw the alignment of the first sentence",
    )
    _add_search(command)
    command.set_defaults(run=_translate)


def _add_export(commands):
    command = commands.add_parser(
        "export",
        help="write a SavedModel for TensorFlow Serving",
        description="Writes the next version of a SavedModel and translates a "
        "sentence with it in a fresh process.",
    )
    _add_run(command)
    command.add_argument("path", type=Path, help="the model's folder, of versions")
    _add_search(command)
    command.set_defaults(run=_export)


def _add_run(command):
    command.add_argument("folder", type=Path, metavar="RUN", help="the run folder")


def _add_search(command):
    command.add_argument("--beam-width", type=_positive(int), default=5)
    command.add_argument("--length-penalty", type=float, default=1.0)


def _positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise ValueError(text)
        return value

    parse.__name__ = f"positive {kind.__name__}"
    return parse


def _check_corpus(options):
    if options.pairs or options.data:
        if options.target:
            raise UsageError("--target goes with --source")
    elif bool(options.source) != bool(options.target):
        raise UsageError("--source and --target go together")


def _train(options):
    _check_corpus(options)
    if bool(options.valid_source) != bool(options.valid_target):
        raise UsageError("--valid-source and --valid-target go together")
    if options.valid_source and options.data:
        raise UsageError("--valid-source goes with --pairs or --source, not --data")
    chosen = {
        name: value
        for name, value in vars(options).items()
        if name not in ("command", "run")
    }
    train.train(chosen)
    print(f"the run is in {options.output}")


def _evaluate(options):
    _check_corpus(options)
    recorded, corpus = run.read_options(options.folder), None
    if options.pairs or options.source:
        pairs = train.own_pairs(options.pairs, options.source, options.target)
    elif options.data or recorded["data"]:
        corpus, split = corpora.find(options.data or recorded["data"])
        split = split or "test"
        print(f"{corpus.notice}\n{corpus.name}:{split}")
        pairs = corpus.load(split, options.data_dir or recorded["data_dir"])
    else:
        _, pairs = train.load_pairs(recorded)
        print("the run's own validation pairs")
    translator = kattention.Translator.load(options.folder)
    synthetic = corpus is not None and corpus.family == "toy"
    scores = evaluate.evaluate(
        translator, pairs, options.beam_width, options.length_penalty
    )
    evaluate.report(scores, pairs, "synthetic" if synthetic else "")
    if synthetic:
        examples = toy.examples(corpus.target, split)
        model, diagonal = toy_error_rates(translator, examples)
        rate = "none, there is no attention" if model is None else f"{model:.3f}"
        print(f"\nsynthetic: alignment error rate {rate} (diagonal {diagonal:.3f})")


def _translate(options):
    translator = kattention.Translator.load(options.folder)
    lines = options.sentence or _read_standard_input()
    # Where the translations go to a terminal, they are the progress.
    hidden = True if sys.stdout.isatty() else None
    progress = tqdm(lines, "translating", unit="line", disable=hidden)
    for number, line in enumerate(progress):
        [found] = translator.translate(
            [line], options.beam_width, options.length_penalty
        )
        print(found.text, flush=True)
        if options.plot and number == 0:
            _plot(found, options.plot)


def _read_standard_input():
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise UsageError(f"standard input, line {number}: not UTF-8") from None


def _plot(found, path):
    if found.alignment is None:
        raise UsageError("a model without attention has no alignment to plot")
    figure = kattention.plotting.plot_alignment(
        found.source_tokens, found.target_tokens, found.alignment
    )
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror}") from None


def _export(options):
    example = run.read_options(options.folder)["example"]
    with tqdm(total=3, desc="loading the model", disable=None) as progress:
        translator = kattention.Translator.load(options.folder)
        progress.update()
        progress.set_description("writing")
        path = translator.export(
            options.path, options.beam_width, options.length_penalty, example
        )
        progress.update()
        progress.set_description("translating from what was written")
        text, score = kattention.serving.check(path, example)
        progress.update()
    print(f"{example} -> {text} ({score:.3f})\nexported to {path}")


if __name__ == "__main__":
    sys.exit(main())
