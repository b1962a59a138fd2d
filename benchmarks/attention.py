"""The layer over whole sequences, beside Keras's additive attention."""

import argparse

from rounds import compare, machine, table

CASE = {"batch": 8, "source": 512, "target": 512, "units": 256, "depth": 256}
QUICK = {**CASE, "batch": 2, "source": 8, "target": 8}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tiny case")
    options = parser.parse_args()
    case = QUICK if options.quick else CASE
    print(machine("tensorflow", "keras"))
    workers = compare(
        {
            layer: ("attention_tensorflow", None, {**case, "layer": layer})
            for layer in ("BahdanauAttention", "keras AdditiveAttention")
        },
        options.rounds,
    )
    shape = "B {batch}, T {target}, S {source}, U {units}".format(**case)
    print(f"\n{shape}, forwards and backwards")
    table(workers)
    for label, worker in workers.items():
        print(f"{label}: {worker.above:.0f} MiB above the process before it")


if __name__ == "__main__":
    main()
