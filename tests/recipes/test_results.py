import shlex
from dataclasses import asdict, fields, replace

from recipes.translation import results
from recipes.translation.arguments import build_parser
from recipes.translation.options import PRESETS, Preset


def record(seed, bleu, **more):
    scores = {"BLEU": bleu, "chrF2": 60.0, "lower-cased, tokenised BLEU": bleu + 1}
    return {
        "data": "multi30k-en-de",
        "split": "test_2016_flickr",
        "models": 1,
        "attention": "bahdanau",
        "commit": "abc",
        "command": f"train --data multi30k-en-de --seed {seed}",
        "seeds": [seed],
        "weights": 4_000_000,
        "minutes": 20.0,
        "cpu_minutes": 40.0,
        "scores": scores,
        "signatures": ["nrefs:1"],
    } | more


def test_a_table_has_the_mean_and_range_of_seeds_beside_what_was_published():
    both = {"models": 3, "seeds": [1, 2, 3], "command": "train + train + train"}
    rows = [record(1, 38.0), record(2, 40.0), record(1, 41.0, **both)]
    rows.append(record(1, 20.0, attention="none", command="train --attention none"))
    told = "train --data multi30k-en-de --units 9 --seed 1"
    rows.append(record(1, 10.0, command=told))
    page = results.render(rows)
    [one] = [line for line in page.splitlines() if "1; 2" in line]
    assert "**39.00** (38.00 to 40.00)" in one
    assert "**40.00** (39.00 to 41.00) | 39.00 (nmtpytorch" in one
    assert "| 10.00 | 60.00 | 11.00 |" in page
    [three] = [line for line in page.splitlines() if "1, 2, 3" in line]
    assert "| 41.00 | 60.00 | 42.00 | 40.7 (LIUM" in three
    [without] = [line for line in page.splitlines() if "without attention" in line]
    assert without.endswith("| 21.00 |  |")
    assert "`train --data multi30k-en-de --seed 2` | abc" in page


def test_the_command_of_a_run_makes_the_same_run():
    changed = replace(
        PRESETS["small"], units=98, shared_vocabulary=False, word_dropout=0.1
    )
    recorded = {
        "data": "multi30k-en-de",
        "seed": 5,
        "attention": "none",
        "minutes": 3.5,
        "limit": None,
        "preset": asdict(changed),
    }
    command = shlex.split(results._command(recorded))
    told = vars(build_parser("translation").parse_args([*command, "--output", "x"]))
    for name in ("data", "seed", "attention", "minutes", "limit"):
        assert told[name] == recorded[name]
    overrides = {f.name: told[f.name] for f in fields(Preset)}
    overrides = {name: value for name, value in overrides.items() if value is not None}
    assert overrides == {"units": 98, "shared_vocabulary": False, "word_dropout": 0.1}
    assert replace(PRESETS["small"], **overrides) == changed
