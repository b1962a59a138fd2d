"""Rounds of several programs in turn, each in a process that stays.

Machines drift: only programs that take turns, minutes apart at most, can be
compared, and only by the ratio of each round.
"""

import json
import platform
import statistics
import subprocess
from pathlib import Path

from environments import python_of

PEERS = Path(__file__).resolve().parent / "peers"


class Worker:
    """A program of `peers/` that has built a case and waits."""

    def __init__(self, program, environment, case):
        self.seconds, self.peak, self.above = [], 0.0, 0.0
        self.process = subprocess.Popen(
            [python_of(environment), "-W", "ignore", PEERS / f"{program}.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.warm_up = self._ask(case)["warm_up"]

    def round(self):
        answer = self._ask("run")
        self.seconds.append(answer["seconds"])
        self.peak, self.above = answer["peak"], answer["above"]

    def close(self):
        self.process.communicate()

    def _ask(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise RuntimeError(self.process.stderr.read()[-2000:])


def compare(programs, rounds):
    """Runs `{label: (program, environment, case)}` in turn.

    Returns:
        `{label: Worker}` with the seconds of each round; those whose
        environment is not to be had are left out.
    """
    workers = {
        label: Worker(program, environment, case)
        for label, (program, environment, case) in programs.items()
        if python_of(environment)
    }
    for _ in range(rounds):
        for worker in workers.values():
            worker.round()
    for worker in workers.values():
        worker.close()
    return workers


def table(workers, count=None, rate="tokens/s"):
    """Prints medians, and each program's time over the first one's, by pairs.

    Args:
        workers: What `compare` returned.
        count: What a round gets through, if its rate is to be printed.
        rate: The name of that rate.
    """
    reference = next(iter(workers.values()))
    print(f"{'':28}{'median':>10}{'of first':>10}{'range':>14}", end="")
    print(f"{'peak MiB':>10}{'warm-up s':>11}" + f"{rate:>13}" * bool(count))
    for label, worker in workers.items():
        pairs = zip(worker.seconds, reference.seconds, strict=True)
        ratios = [own / first for own, first in pairs]
        median = statistics.median(worker.seconds)
        print(
            f"{label:28}{1000 * median:8.0f}ms{statistics.median(ratios):9.2f}x"
            f"{min(ratios):8.2f}-{max(ratios):.2f}x{worker.peak:10.0f}"
            f"{worker.warm_up:11.1f}" + (f"{count / median:13.1f}" if count else "")
        )


def machine(*packages):
    """One line about where the figures come from."""
    from importlib.metadata import version

    names = [f"{name} {version(name)}" for name in packages]
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
    return ", ".join([model, f"Python {platform.python_version()}", *names])
