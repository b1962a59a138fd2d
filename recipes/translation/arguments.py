"""The command line of the recipe."""

import argparse
from dataclasses import fields
from pathlib import Path

from kattention.search import PerToken
from kattention.serving import BeamOptions

from .options import (
    PRESETS,
    CorpusOptions,
    Preset,
    TrainOptions,
    natural,
    positive_float,
    positive_int,
)


class _Parser(argparse.ArgumentParser):
    """Answers wrong use with one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def build_parser(program):
    parser = _Parser(
        prog=program,
        description="Trains, evaluates, uses and exports translation models.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_translate(commands)
    _add_score(commands)
    _add_align(commands)
    _add_back_translate(commands)
    _add_export(commands)
    return parser


def _add_train(commands):
    command = commands.add_parser(
        "train",
        help="train a model, or go on with one that was stopped",
        description="Trains a model into a run folder. Given the same --output "
        "again, it goes on where it was stopped. The corpus decides the preset: "
        "'tiny' for the toy corpora, 'small' for Multi30k, 'base' for Tatoeba; for "
        "your own text its size does.",
    )
    _add_fields(command, TrainOptions)
    group = command.add_argument_group("model and training")
    for choice in fields(Preset):
        own = {name: getattr(preset, choice.name) for name, preset in PRESETS.items()}
        values = ", ".join(f"{name} {value}" for name, value in own.items())
        _add_field(group, choice, f"{choice.metadata['help']} ({values})", default=None)


def _add_fields(command, options):
    """Adds an option for each field of a dataclass."""
    for choice in fields(options):
        if choice.metadata:
            text, default = choice.metadata["help"], choice.default
            if default is not None:
                text += f" (default: {default})"
            _add_field(command, choice, text, default)


def _add_field(command, choice, text, default):
    kind = choice.metadata["kind"]
    if kind is bool:
        how = {"action": argparse.BooleanOptionalAction}
    elif isinstance(kind, tuple):
        how = {"choices": kind}
    else:
        how = {"type": kind, "metavar": choice.metadata["metavar"]}
    flag = f"--{choice.name.replace('_', '-')}"
    command.add_argument(flag, help=text, default=default, **how)


def train_options(options):
    """The `TrainOptions` given on the command line."""
    given = vars(options)
    changes = {
        choice.name: given[choice.name]
        for choice in fields(Preset)
        if given[choice.name] is not None
    }
    return TrainOptions(**_of(TrainOptions, given), changes=changes)


def corpus_options(options):
    """The `CorpusOptions` given on the command line."""
    return CorpusOptions(**_of(CorpusOptions, vars(options)))


def _of(kind, given):
    return {c.name: given[c.name] for c in fields(kind) if c.metadata}


def _add_evaluate(commands):
    command = commands.add_parser(
        "evaluate",
        help="score a run on a corpus",
        description="Prints sacreBLEU (13a, cased), chrF and TER with bounds and "
        "signatures, scores by source length, and the worst and best sentences.",
    )
    _add_run(command)
    _add_fields(command, CorpusOptions)
    command.add_argument(
        "--tokenized-references",
        type=Path,
        metavar="FILE",
        help="lower-cased, tokenised references: adds the BLEU that is published "
        "for them",
    )
    command.add_argument(
        "--language", help="the target's, for these; named corpora know theirs"
    )
    command.add_argument("--json", action="store_true", help="print JSON instead")
    _add_search(command)


def _add_translate(commands):
    command = commands.add_parser(
        "translate",
        help="translate sentences",
        description="Translates its arguments, or standard input line by line.",
    )
    _add_run(command)
    command.add_argument(
        "sentence", nargs="*", help="what to translate; standard input if none is given"
    )
    command.add_argument(
        "--plot",
        type=Path,
        metavar="PNG",
        help="draw the alignment of the first sentence into this file",
    )
    command.add_argument(
        "--prefix", metavar="TEXT", help="what the translations must begin with"
    )
    command.add_argument(
        "--copy",
        action="append",
        default=[],
        metavar="MARK",
        help="replace this, for example '<name>' or '<unk>', by the source word that "
        "it read most; may be given several times",
    )
    several = command.add_mutually_exclusive_group()
    several.add_argument(
        "--nbest",
        action="store_true",
        help="print all that the search found: line number, score (log-probability "
        "over the length penalty), translation",
    )
    several.add_argument(
        "--samples",
        type=positive_int,
        metavar="N",
        help="draw this many translations instead, printed in the same way; of the "
        "search options only --max-length and --max-ratio apply",
    )
    drawn = command.add_argument_group("samples")
    drawn.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="the same draws the same (default: 1)",
    )
    drawn.add_argument(
        "--temperature",
        type=positive_float,
        metavar="X",
        help="below 1 closer to the best, above 1 more varied (default: 1)",
    )
    drawn.add_argument(
        "--top-k",
        type=positive_int,
        metavar="N",
        help="draw from the N most probable tokens (default: all)",
    )
    drawn.add_argument(
        "--top-p",
        type=positive_float,
        metavar="SHARE",
        help="draw from the most probable tokens that together have this "
        "probability (default: 1)",
    )
    _add_search(command)


def _add_score(commands):
    command = commands.add_parser(
        "score",
        help="say how probable given translations are",
        description="Prints the log-probability, the source and the target of each "
        "pair, with tabs between; the perplexity goes to standard error.",
    )
    _add_run(command)
    _add_fields(command, CorpusOptions)


def _add_align(commands):
    command = commands.add_parser(
        "align",
        help="say which word is the translation of which",
        description="Prints the links between the words of given pairs, a line each, "
        "in Pharaoh's format: 3-4 is the source's fourth word and the target's "
        "fifth. Words are separated by spaces.",
    )
    _add_run(command)
    _add_fields(command, CorpusOptions)
    command.add_argument(
        "--reverse",
        type=Path,
        metavar="RUN",
        help="a run of the other direction: the links of both are joined "
        "(grow-diag-final-and)",
    )
    command.add_argument(
        "--gold",
        type=Path,
        metavar="FILE",
        help="links made by people, 3-4 sure or 3p4 possible: prints the alignment "
        "error rate to standard error",
    )
    command.add_argument(
        "--gold-first",
        type=int,
        choices=(0, 1),
        help="the number of the first word there, 0 if not given",
    )


def _add_back_translate(commands):
    command = commands.add_parser(
        "back-translate",
        help="make pairs from text in the target language alone",
        description="Translates a file with a run of the other direction and writes "
        "pairs of the translation and the line, to be trained on with real ones.",
    )
    _add_run(command)
    command.add_argument("text", type=Path, metavar="FILE", help="a sentence a line")
    command.add_argument(
        "output", type=Path, metavar="TSV", help="where the pairs are written"
    )
    command.add_argument(
        "--tag",
        default="<BT>",
        help="what each written source begins with (default: <BT>)",
    )
    _add_search(command)


def _add_export(commands):
    command = commands.add_parser(
        "export",
        help="write a SavedModel for TensorFlow Serving",
        description="Writes the next version of a SavedModel and translates a "
        "sentence with it in a fresh process.",
    )
    _add_run(command)
    command.add_argument(
        "path",
        type=Path,
        help="a folder: the export is its next version, 1, 2, ...",
    )
    _add_search(command)


def _add_run(command):
    command.add_argument("folder", type=Path, metavar="RUN", help="the run folder")
    command.add_argument(
        "--ensemble",
        action="append",
        default=[],
        type=Path,
        metavar="RUN",
        help="a further run, of the same tokenizers, whose probabilities are "
        "averaged with the first one's; may be given several times",
    )


def _add_search(command):
    search = command.add_argument_group("search")

    def add(name, kind, metavar, text):
        default = getattr(BeamOptions(), name)
        text += f" (default: {'no limit' if default is None else default})"
        flag = f"--{name.replace('_', '-')}"
        search.add_argument(
            flag, type=kind, default=default, metavar=metavar, help=text
        )

    add("beam_width", positive_int, "K", "hypotheses kept at each step")
    add(
        "length_penalty",
        float,
        "ALPHA",
        "divide scores by ((5 + length) / 6) ** ALPHA",
    )
    search.add_argument(
        "--per-token",
        action="store_true",
        help="divide scores by length ** ALPHA instead",
    )
    add("coverage_penalty", float, "BETA", "penalty for source words that are not read")
    add(
        "min_length",
        positive_int,
        "TOKENS",
        "least tokens of a translation, the end token included",
    )
    add("max_length", positive_int, "TOKENS", "most tokens of a translation")
    add(
        "max_ratio",
        float,
        "X",
        "most tokens for each token of the source, and 10 more",
    )
    add(
        "no_repeat_ngram",
        natural,
        "N",
        "never produce the same N tokens twice; 0: they may repeat",
    )
    add(
        "groups",
        positive_int,
        "N",
        "divide the beam into groups that avoid the tokens of earlier groups",
    )
    add("diversity", float, "X", "penalty for choosing the tokens of an earlier group")


def search_options(options):
    """The fields of `BeamOptions`, as given on the command line."""
    chosen = vars(options)
    names = {field.name for field in fields(BeamOptions)}
    search = {name: chosen[name] for name in names & chosen.keys()}
    if options.per_token:
        search["length_penalty"] = PerToken(options.length_penalty)
    return search


def describe_search(search):
    """Says how wide the beam is, its length penalty, and what else is unusual."""
    told, usual = BeamOptions(**search), BeamOptions()
    always = ("beam_width", "length_penalty")
    return ", ".join(
        f"{field.name.replace('_', ' ')} {getattr(told, field.name)}"
        for field in fields(BeamOptions)
        if field.name in always
        or getattr(told, field.name) != getattr(usual, field.name)
    )
