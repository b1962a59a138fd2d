"""What a benchmarked program says to the one that times it: a line of JSON each.

It runs in an environment of its own and needs the standard library only.
"""

import json
import resource
import sys
import time


def resident():
    """Largest resident memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(build, peak=resident):
    """Answers `run` lines until the input ends.

    Args:
        build: Takes the case, a dict, and returns a function without
            arguments that runs one round and returns once it is done.
        peak: Returns the most memory so far, in MiB.
    """
    case = json.loads(sys.stdin.readline())
    before = peak()
    began = time.perf_counter()
    run = build(case)
    run()  # builds graphs, compiles
    _say(warm_up=time.perf_counter() - began)
    for _ in sys.stdin:
        began = time.perf_counter()
        run()
        _say(seconds=time.perf_counter() - began, peak=peak(), above=peak() - before)


def _say(**answer):
    print("answer " + json.dumps(answer), flush=True)
