"""Training steps beside other programs: `python benchmarks/train.py --help`.

Every program trains the same network: biGRU encoder, GRU decoder with additive
attention, readout, logits, Adam. They take turns in one run.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from rounds import compare, machine, table

REFERENCE = {
    "embedding": 256,
    "encoder": 256,
    "units": 512,
    "attention": 256,
    "readout": 512,
    "vocabulary": 8000,
    "policy": "float32",
}
PADDED = {**REFERENCE, "batch": 64, "source": 30, "target": 30, "steps": 6}
LONG = {**REFERENCE, "batch": 16, "source": 200, "target": 200, "steps": 2}
# What a batch of the recipes looks like on Multi30k.
RECIPE = {"batch": 75, "source": 20, "target": 20, "steps": 10, "vocabulary": 8000}
QUICK = {**PADDED, "batch": 4, "source": 8, "target": 8, "vocabulary": 100}
CASES = ["padded", "long", "bfloat16", "recipe", "mechanisms", "growth", "multi30k"]
CASES += ["all"]
PROGRAMS = {
    "kattention": ("kattention_model", None),
    "PyTorch loop": ("torch_loop", "torch"),
    "TFA AttentionWrapper": ("tfa_wrapper", "tfa"),
    "naive Keras cell": ("naive_keras", None),
}
JAX = {"kattention on JAX": ("kattention_jax", "jax")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "case",
        choices=CASES,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="one tiny case, kattention only"
    )
    parser.add_argument("--data-dir", help="a local copy of Multi30k")
    options = parser.parse_args()
    print(machine("tensorflow", "keras"))
    if options.quick:
        _side_by_side("quick", QUICK, ["kattention"], options.rounds)
        return
    every = list(PROGRAMS)
    if options.case in ("padded", "all"):
        everything = [*every, *JAX, "floor"]
        _side_by_side("padded, 64 x 30 x 30", PADDED, everything, options.rounds)
    if options.case in ("long", "all"):
        _side_by_side("long, 16 x 200 x 200", LONG, every, options.rounds)
    if options.case in ("bfloat16", "all"):
        case = {**PADDED, "policy": "mixed_bfloat16"}
        _side_by_side("padded, bfloat16", case, every[:2], options.rounds)
    if options.case in ("recipe", "all"):
        _recipe(options.rounds)
    if options.case in ("mechanisms", "all"):
        _mechanisms(options.rounds)
    if options.case in ("growth", "all"):
        _growth(options.rounds)
    if options.case in ("multi30k", "all"):
        _multi30k(options)


def _side_by_side(title, case, labels, rounds):
    programs = {**PROGRAMS, **JAX, "floor": ("products", None)}
    workers = compare({label: (*programs[label], case) for label in labels}, rounds)
    print(f"\n{title}: {case['steps']} training steps, {case['policy']}")
    table(workers)


def _recipe(rounds):
    """The recipe's own model, with its logits in either precision."""
    cases = {
        "small": {**RECIPE, "bfloat16": False},
        "small --bfloat16": {**RECIPE, "bfloat16": True},
    }
    workers = compare(
        {label: ("kattention_recipe", None, case) for label, case in cases.items()},
        rounds,
    )
    print(f"\nthe recipe's model, 75 x 20 x 20: {RECIPE['steps']} training steps")
    table(workers)


def _mechanisms(rounds):
    """Each mechanism in the compiled loop and in the plain one."""
    for mechanism, attend in (
        ("bahdanau", "between"),
        ("luong", "after"),
        ("location", "before"),
    ):
        case = {**PADDED, "mechanism": mechanism, "attend": attend}
        cases = {"compiled": case, "plain": {**case, "fast": False}}
        program = PROGRAMS["kattention"]
        workers = compare({n: (*program, c) for n, c in cases.items()}, rounds)
        print(f"\n{mechanism}, attend={attend!r}, 64 x 30 x 30: {case['steps']} steps")
        table(workers)


def _growth(rounds):
    """One step at growing lengths, held against `a + b * L + c * L ** 2`."""
    lengths = np.array([50, 100, 200, 400, 800])
    case = {**REFERENCE, "batch": 4, "steps": 1}
    cases = {
        f"{length} x {length}": {**case, "source": int(length), "target": int(length)}
        for length in lengths
    }
    programs = {label: (*PROGRAMS["kattention"], case) for label, case in cases.items()}
    workers = compare(programs, rounds)
    print("\ngrowth, batch 4")
    table(workers)
    for name, unit, found in (
        ("step", "ms", [1000 * median(w.seconds) for w in workers.values()]),
        ("memory above the process", "MiB", [w.above for w in workers.values()]),
    ):
        # Of the least relative error: the long cases would rule otherwise.
        powers = lengths[:, None] ** np.arange(3) / np.array(found)[:, None]
        fit, *_ = np.linalg.lstsq(powers, np.ones(len(lengths)), rcond=None)
        error = np.abs(powers @ fit - 1).max()
        print(
            f"{name}: {fit[0]:.0f} + {fit[1]:.3f} L + {fit[2]:.6f} L^2 {unit}, "
            f"at most {error:.0%} off"
        )


def _multi30k(options):
    """Real sentences: everyone's own batches, then everyone on ours."""
    # Only this case needs the recipes.
    from multi30k import write_batches

    with tempfile.TemporaryDirectory() as folder:
        tokens, own, ours = write_batches(
            Path(folder), options.data_dir, REFERENCE["vocabulary"]
        )
        case = {**REFERENCE, "file": str(ours)}
        labels = list(PROGRAMS)
        for title, file in (
            ("peers in shuffled batches of 64", own),
            ("all in our buckets", ours),
        ):
            cases = {label: {**case, "file": str(file)} for label in labels}
            cases["kattention"] = case
            workers = compare(
                {label: (*PROGRAMS[label], cases[label]) for label in labels},
                options.rounds,
            )
            print(f"\nMulti30k En-De, {title}: {tokens} real target tokens a round")
            table(workers, tokens)


if __name__ == "__main__":
    main()
