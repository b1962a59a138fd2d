"""Greedy and beam search beside other programs.

Untrained weights, 30 source tokens, 30 steps: no hypothesis ends early. The
second program is the order of the recipes, with two cells. Then where the time
of a beam goes and, with --run, what stopping early saves on real sentences.
"""

import argparse

from rounds import compare, machine, table
from train import PADDED, QUICK

PROGRAMS = {
    "kattention": ("kattention_search", None),
    "PyTorch loop": ("torch_search", "torch"),
    "TFA decoders": ("tfa_search", "tfa"),
    "naive loop": ("naive_search", None),
}
# A round is long enough to be timed.
SIZES = [(1, 20), (64, 2)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny, kattention only")
    parser.add_argument("--run", help="a trained run folder, English to German")
    parser.add_argument("--data-dir", help="a local copy of Multi30k")
    options = parser.parse_args()
    print(machine("tensorflow", "keras"))
    reference = QUICK if options.quick else PADDED
    sizes = SIZES[:1] if options.quick else SIZES
    for beam in (5,) if options.quick else (1, 5):
        for batch, steps in sizes:
            case = {**reference, "batch": batch, "steps": steps, "beam": beam}
            workers = compare(programs(case, options.quick), options.rounds)
            print(f"\n{'greedy' if beam == 1 else f'beam {beam}'}, batch {batch}")
            table(workers, batch * steps, "sentences/s")
    # TensorFlow only from here: what ran above has processes of its own.
    from search_parts import early_stop, parts

    for batch, _ in sizes:
        case = {**reference, "batch": batch, "steps": 1, "beam": 5}
        parts(case, options.rounds)
    if options.run:
        early_stop(options.run, options.data_dir, options.rounds)


def programs(case, quick):
    """`{label: (program, environment, case)}` of those that take turns."""
    ours = PROGRAMS["kattention"]
    if quick:
        return {"kattention": (*ours, case)}
    chosen = {label: (*program, case) for label, program in PROGRAMS.items()}
    chosen["kattention, between"] = (*ours, {**case, "attend": "between"})
    if case["batch"] > 1 and case["beam"] > 1:
        half = {**case, "policy": "bfloat16"}
        chosen["kattention, end in bfloat16"] = (*ours, half)
    return chosen


if __name__ == "__main__":
    main()
