"""What each command of the command line does."""

import json
import math
import sys
from dataclasses import asdict

import keras
from tqdm import tqdm

import kattention

from . import align, backtranslate, evaluate, run, toy, train
from .arguments import (
    build_parser,
    corpus_options,
    describe_search,
    search_options,
    train_options,
)
from .data import corpora, files, pharaoh, preparation
from .errors import UsageError
from .word_links import toy_error_rates


def run_command(arguments, program):
    """Runs one command; returns its exit code."""
    parser = build_parser(program)
    options = parser.parse_args(arguments)
    options.program = program
    try:
        if keras.backend.backend() != "tensorflow":
            raise UsageError(
                "the recipes need KERAS_BACKEND=tensorflow, got "
                f"{keras.backend.backend()}"
            )
        COMMANDS[options.command](options)
    except BrokenPipeError:
        raise
    except (UsageError, ValueError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(f"{parser.prog} {options.command}: {reason}", file=sys.stderr)
        return 2
    return 0


def _train(options):
    told = train_options(options)
    try:
        train.train(told)
    except KeyboardInterrupt:
        print(
            "\nstopped: the same command goes on from the last round that is complete",
            file=sys.stderr,
        )
        sys.exit(130)
    print(f"the run is in {told.output}. What to do with it:")
    judged = f" --data {told.data}" if told.data else ""
    for command in (
        f"evaluate {told.output}{judged}",
        f'translate {told.output} "..." --plot alignment.png',
        f"export {told.output} exported/{told.output.name}",
    ):
        print(f"  {options.program} {command}")


def _evaluate(options):
    pairs, name, corpus, split = _pairs_to_judge(options)
    tokenized = language = None
    if options.tokenized_references:
        language = options.language or (corpus and corpus.target)
        if not language:
            raise UsageError("--tokenized-references of own pairs wants --language")
        tokenized = list(files.iterate_lines(options.tokenized_references))
    elif options.language:
        raise UsageError("--language goes with --tokenized-references")
    translator = _load(options)
    hypotheses = evaluate.translate_all(
        translator, pairs.sources, **search_options(options)
    )
    scores = evaluate.score(hypotheses, pairs, tokenized, language)
    rates = None
    if corpus is not None and corpus.family == "toy":
        examples = toy.examples(corpus.target, split)
        rates = dict(
            zip(
                ("model", "diagonal"),
                toy_error_rates(translator, examples),
                strict=True,
            )
        )
    if options.json:
        print(json.dumps({"data": name, **asdict(scores), "error_rates": rates}))
    else:
        print(f"{name}; {describe_search(search_options(options))}")
        evaluate.report(scores, hypotheses, pairs, "synthetic" if rates else "")
        if rates:
            _print_rates(**rates)


def _print_rates(model, diagonal):
    rate = "none, there is no attention" if model is None else f"{model:.3f}"
    print(
        f"synthetic: alignment error rate {rate} (0 is best; a diagonal has "
        f"{diagonal:.3f})"
    )


def _pairs_to_judge(options):
    """Returns `(pairs, their name, corpus, split)`; own files are of no corpus."""
    corpus_options(options)  # checks them
    if options.pairs or options.source:
        own = preparation.own_files(options.pairs, options.source, options.target)
        pairs = files.load_pairs(own, own.paths[0])
        return pairs, "own pairs", None, None
    recorded = run.read_options(options.folder)
    if not (options.data or recorded["data"]):
        pairs = preparation.load_validation(options.folder)
        return pairs, "the run's own validation pairs", None, None
    corpus, split = corpora.find(options.data or recorded["data"])
    split = split or "test"
    corpus.check_split(split)
    # Before anything is downloaded.
    print(corpus.notice, file=sys.stderr)
    pairs = corpus.load(split, options.data_dir or recorded["data_dir"])
    return pairs, f"{corpus.name}:{split}", corpus, split


def _load(options):
    return kattention.Translator.load(options.folder, *options.ensemble)


# What only --samples reads.
DRAWN = ("seed", "temperature", "top_k", "top_p")


def _translate(options):
    if options.samples and (options.prefix or options.copy):
        raise UsageError("--samples goes without --prefix and --copy")
    drawn = [name for name in DRAWN if getattr(options, name) is not None]
    if drawn and not options.samples:
        raise UsageError(f"--{drawn[0].replace('_', '-')} goes with --samples")
    translator = _load(options)
    lines = options.sentence or _read_standard_input()
    progress = tqdm(lines, "translating", unit="line", disable=_hidden())
    several, plotted = options.samples or options.nbest, False
    for number, line in enumerate(map(str.strip, progress)):
        if not line:  # the model would make something up
            if not several:
                print(flush=True)
            continue
        found = _hypotheses(translator, line, number, options)
        if options.plot and not plotted:
            _plot(found[0], options.plot)
            plotted = True
        if several:
            for one in found:
                print(f"{number + 1}\t{one.score:.4f}\t{one.text}", flush=True)
        else:
            print(found[0].text, flush=True)


def _hidden():
    """Whether a bar is hidden: lines that go to a terminal are the progress."""
    return True if sys.stdout.isatty() else None


def _hypotheses(translator, line, number, options):
    if options.samples:
        [found] = translator.sample(
            [line],
            # As if all lines were drawn at once.
            (1 if options.seed is None else options.seed) + number * 2**32,
            num_samples=options.samples,
            temperature=options.temperature or 1.0,
            top_k=options.top_k or 0,
            top_p=options.top_p or 1.0,
            max_length=options.max_length,
            max_ratio=options.max_ratio,
        )
        return found
    prefixes = None if options.prefix is None else [options.prefix]
    [found] = translator.nbest(
        [line], prefixes, options.copy, **search_options(options)
    )
    return found


def _score(options):
    pairs, name, _, _ = _pairs_to_judge(options)
    print(name, file=sys.stderr)
    translator = _load(options)
    given = [
        (source, target)
        for source, own in zip(pairs.sources, pairs.references, strict=True)
        for target in own
    ]
    total, tokens = 0.0, 0
    firsts = range(0, len(given), 64)
    for first in tqdm(firsts, "scoring", unit="batch", disable=_hidden()):
        part = given[first : first + 64]
        found = translator.score(*zip(*part, strict=True))
        for (source, target), one in zip(part, found, strict=True):
            print(f"{one.score:.4f}\t{source}\t{target}")
            total, tokens = total + one.score, tokens + len(one.target_tokens)
    perplexity = math.exp(-total / max(tokens, 1))
    print(f"perplexity {perplexity:.2f} over {tokens} target tokens", file=sys.stderr)


def _align(options):
    gold = None
    if options.gold:
        gold = pharaoh.read_links(options.gold, options.gold_first or 0)
    elif options.gold_first is not None:
        raise UsageError("--gold-first goes with --gold")
    if options.pairs or options.source:
        corpus_options(options)  # checks them
        # A line for each pair, those that lack a side included.
        own = preparation.own_files(options.pairs, options.source, options.target)
        pairs = files.read_pairs(own)
    else:
        pairs, name, _, _ = _pairs_to_judge(options)
        print(name, file=sys.stderr)
    reverse = options.reverse and kattention.Translator.load(options.reverse)
    align.report(_load(options), pairs, reverse, gold)


def _back_translate(options):
    count = backtranslate.back_translate(
        _load(options),
        options.text,
        options.output,
        options.tag,
        **search_options(options),
    )
    print(f"wrote {count} pairs to {options.output}")


def _read_standard_input():
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise UsageError(f"standard input, line {number}: not UTF-8") from None


def _plot(found, path):
    if found.alignment is None:
        raise UsageError("a model without attention has no alignment to plot")
    axes = kattention.plotting.plot_alignment(
        found.source_tokens, found.target_tokens, found.alignment
    )
    try:
        axes.figure.savefig(path, dpi=150)
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror}") from None
    print(f"drew what the first translation read: {path}", file=sys.stderr)


def _export(options):
    with tqdm(total=2, desc="loading the model", disable=None) as progress:
        translator = _load(options)
        example = run.read_options(options.folder).get("example", "")
        progress.update()
        progress.set_description("writing and checking the export")
        path = translator.export(options.path, example, **search_options(options))
        progress.update()
    print(f"exported to {path}, which was loaded and has translated {example!r}")


COMMANDS = {
    "train": _train,
    "evaluate": _evaluate,
    "translate": _translate,
    "score": _score,
    "align": _align,
    "back-translate": _back_translate,
    "export": _export,
}
