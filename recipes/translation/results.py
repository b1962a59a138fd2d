"""Writes docs/results.md: what runs reached, beside what was published.

    python -m recipes.translation.results runs/m30k-1 runs/m30k-2
    python -m recipes.translation.results --ensemble runs/m30k-1 runs/m30k-2

Each run is evaluated on the test set of its corpus; the record goes to
docs/results.jsonl, in the place of an older one of the same command, and the
table is written from all records.
"""

import argparse
import json
import re
import shlex
import statistics
from dataclasses import fields
from pathlib import Path

import kattention

from . import evaluate, run
from .align import align_pairs
from .data import corpora, pharaoh
from .data.files import iterate_lines, load_pairs
from .errors import UsageError
from .options import PRESETS, Preset
from .word_links import diagonal_links, error_rate

RECORDS = Path("docs/results.jsonl")
TABLE = Path("docs/results.md")
SPLITS = {"multi30k": "test_2016_flickr", "tatoeba": "test", "toy": "test"}
# Lower-cased, tokenised BLEU of one model and of an ensemble.
PUBLISHED = {
    ("multi30k-en-de", False): "39.00 (nmtpytorch, conditional GRU, beam 12)",
    ("multi30k-en-de", True): "40.7 (LIUM-CVC at WMT17, 5 models)",
    ("multi30k-en-fr", False): "59.02 (nmtpytorch, conditional GRU, beam 12)",
}
HEAD = """# What the recipes reach

How well the recipes' models translate text that they have not seen, beside what was
published. Every model was trained on two CPU cores and on nothing but the corpus; its
settings were chosen on `val`, never on the test set. All translate with a beam of 5.

- **BLEU 13a** and **chrF2** are sacreBLEU's, of text as people write it: cased, with
  punctuation in place. Compare these with other recent results.
- **lc-tok** is BLEU of lower-cased, tokenised text, as the published rows were computed
  (`evaluate --tokenized-references`). Compare it with the published rows only.
- **Minutes** are wall-clock and CPU minutes of the training, validation included. Some
  runs shared the two cores with another one, which made them longer.
- Where a row has several seeds, it has their mean, and from the lowest to the highest.
"""
COMMANDS = """## Commands

Each is a run of `kattention translation`. An ensemble is the runs of its seeds,
evaluated with `--ensemble`.
"""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN")
    parser.add_argument("--ensemble", action="store_true", help="the runs as one")
    parser.add_argument(
        "--hansards",
        type=Path,
        metavar="FOLDER",
        help="holds hansards.en-fr.txt and .gold: adds the alignment error rate",
    )
    options = parser.parse_args()
    groups = [options.runs] if options.ensemble else [[one] for one in options.runs]
    records = {}
    if RECORDS.exists():
        records = {r["command"]: r for r in map(json.loads, RECORDS.open())}
    for folders in filter(None, groups):
        found = measure(folders, options.hansards)
        print(json.dumps(found, indent=2))
        # Another measurement may have left this one out.
        old = records.get(found["command"], {})
        records[found["command"]] = {
            **{name: old[name] for name in ("error_rates",) if name in old},
            **found,
        }
        _write(records)
    _write(records)


def _write(records):
    ordered = sorted(records.values(), key=lambda r: (r["data"], r["command"]))
    lines = "".join(f"{json.dumps(record)}\n" for record in ordered)
    for path, text in ((RECORDS, lines), (TABLE, render(ordered))):
        aside = path.with_name(f".writing-{path.name}")
        aside.write_text(text)
        aside.replace(path)


def measure(folders, hansards=None):
    """The record of one run, or of several as an ensemble."""
    recorded = [run.read_options(folder) for folder in folders]
    progress = [run.read_progress(folder)[0] for folder in folders]
    for folder, options, stands in zip(folders, recorded, progress, strict=True):
        if not (options["data"] and stands.finished):
            raise UsageError(f"{folder} must be a finished run of a named corpus")
    corpus, _ = corpora.find(recorded[0]["data"])
    translator = kattention.Translator.load(*folders)
    pairs = corpus.load(SPLITS[corpus.family], recorded[0]["data_dir"])
    hypotheses = evaluate.translate_all(translator, pairs.sources)
    references = None
    if corpus.family == "multi30k":
        references = evaluate.lower_and_tokenize(pairs.targets, corpus.target)
    scores = evaluate.score(hypotheses, pairs, references, corpus.target)
    found = {
        "data": corpus.name,
        "split": SPLITS[corpus.family],
        "models": len(folders),
        "attention": recorded[0]["attention"],
        "commit": recorded[0].get("commit"),
        "command": " + ".join(map(_command, recorded)),
        "seeds": [one["seed"] for one in recorded],
        "weights": translator.model.count_params(),
        "minutes": sum(one.seconds for one in progress) / 60,
        "cpu_minutes": sum(one.cpu_seconds for one in progress) / 60,
        "valid_bleu_greedy": [one.best_bleu for one in progress],
        "scores": {metric["name"]: metric["score"] for metric in scores.metrics},
        "signatures": [metric["signature"] for metric in scores.metrics],
    }
    if hansards and corpus.name == "tatoeba-en-fr":
        found["error_rates"] = _error_rates(translator, hansards)
    return found


def _error_rates(translator, folder):
    lines = iterate_lines(folder / "hansards.en-fr.txt")
    sides = (tuple(map(str.strip, line.split("|||"))) for line in lines)
    pairs = load_pairs(sides, folder)
    gold = pharaoh.read_links(folder / "hansards.en-fr.gold", first=1)
    diagonal = [diagonal_links(len(s.split()), len(t.split())) for s, t in pairs]
    return {
        "model": error_rate(align_pairs(translator, pairs), gold),
        "diagonal": error_rate(diagonal, gold),
    }


def _command(recorded):
    """The `train` command of a run, without its folder."""
    corpus, _ = corpora.find(recorded["data"])
    usual = PRESETS[corpus.preset]
    words = ["train", "--data", recorded["data"], "--seed", recorded["seed"]]
    if recorded["attention"] != "bahdanau":
        words += ["--attention", recorded["attention"]]
    for name in ("minutes", "limit"):
        if recorded[name] is not None:
            words += [f"--{name}", recorded[name]]
    for field in fields(Preset):
        value = recorded["preset"][field.name]
        flag = field.name.replace("_", "-")
        if value == getattr(usual, field.name):
            continue
        words += [f"--{'no-' * (value is False)}{flag}"]
        words += [] if isinstance(value, bool) else [value]
    return shlex.join(map(str, words))


def render(records):
    """The page, from records."""
    groups = {}
    for record in records:
        # What the command says, but for its seeds.
        told = re.sub(r"--seed \d+", "", record["command"])
        key = record["data"], record["models"], record["attention"], told
        groups.setdefault(key, []).append(record)
    columns = (
        "corpus, test set",
        "models",
        "weights",
        "seeds",
        "minutes, CPU minutes",
        "BLEU 13a",
        "chrF2",
        "lc-tok",
        "published lc-tok",
    )
    lines = [HEAD, _row(columns), _row(["---"] * len(columns))]
    for (data, models, attention, _), group in groups.items():
        kind = "one" if models == 1 else f"{models}"
        if attention == "none":
            kind += ", without attention"
        lines.append(
            _row(
                [
                    f"{data}, {group[0]['split']}",
                    kind,
                    f"{group[0]['weights'] / 1e6:.1f} M",
                    "; ".join(", ".join(map(str, r["seeds"])) for r in group),
                    f"{_mean(group, 'minutes'):.0f}, {_mean(group, 'cpu_minutes'):.0f}",
                    _spread(group, "BLEU"),
                    _spread(group, "chrF2"),
                    _spread(group, "lower-cased, tokenised BLEU"),
                    PUBLISHED.get((data, models > 1), "")
                    if attention == "bahdanau"
                    else "",
                ]
            )
        )
    lines.append("")
    for record in records:
        if "error_rates" in record:
            model, diagonal = record["error_rates"].values()
            lines += [
                f"Alignment error rate of `{record['command']}` on the Hansards' 447 "
                f"pairs, forced decoding: {model:.3f}, of a diagonal {diagonal:.3f}.",
                "",
            ]
    lines += [COMMANDS, _row(["command", "commit"]), _row(["---"] * 2)]
    lines += [
        _row([f"`{record['command']}`", f"{record['commit'] or 'unknown'}"])
        for record in records
        if record["models"] == 1
    ]
    signatures = dict.fromkeys(s for record in records for s in record["signatures"])
    lines += ["", "## Signatures", "", *(f"- `{one}`" for one in signatures)]
    return "\n".join(lines) + "\n"


def _row(cells):
    return f"| {' | '.join(cells)} |"


def _mean(group, name):
    return statistics.mean(record[name] for record in group)


def _spread(group, metric):
    scores = [r["scores"][metric] for r in group if metric in r["scores"]]
    if not scores:
        return ""
    mean = f"{statistics.mean(scores):.2f}"
    if len(scores) == 1:
        return mean
    return f"**{mean}** ({min(scores):.2f} to {max(scores):.2f})"


if __name__ == "__main__":
    main()
