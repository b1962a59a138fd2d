"""Greedy and beam search beside other programs.

Untrained weights, 30 source tokens, 30 steps: no hypothesis ends early.
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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny, kattention only")
    options = parser.parse_args()
    print(machine("tensorflow", "keras"))
    reference, programs = PADDED, PROGRAMS
    if options.quick:
        reference = QUICK
        programs = {"kattention": PROGRAMS["kattention"]}
    for beam in (1, 5):
        # A round is long enough to be timed.
        for batch, steps in ((1, 20), (64, 2)):
            case = {**reference, "batch": batch, "steps": steps, "beam": beam}
            workers = compare(
                {label: (*program, case) for label, program in programs.items()},
                options.rounds,
            )
            print(f"\n{'greedy' if beam == 1 else f'beam {beam}'}, batch {batch}")
            table(workers, batch * steps, "sentences/s")


if __name__ == "__main__":
    main()
