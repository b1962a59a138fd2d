"""What preparing and reading a corpus larger than memory takes of it.

Writes a file of made-up pairs, prepares it as the recipe does (subwords, held
out pairs, ids in files, filter), reads batches from it, and prints the peak of
the process's own memory, without the pages of files that it has mapped.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

# The recipes are run from the repository's root and are not installed.
sys.path.append(str(Path(__file__).resolve().parent.parent))

ROW = "{:>12}{:>12}{:>14}{:>14}{:>14}{:>14}"
WORDS = 20_000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[500_000, 5_000_000])
    parser.add_argument("--quick", action="store_true", help="2,000 pairs")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    columns = "pairs", "file MB", "import MB", "prepare MB", "all MB", "pairs/s"
    print(ROW.format(*columns))
    for pairs in [2000] if options.quick else options.pairs:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pairs.tsv.gz"
            size = write(path, pairs)
            command = [sys.executable, __file__, "--measure", path]
            measured = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        *peaks, seconds = map(float, measured.stdout.split()[-4:])
        numbers = [f"{number:,.0f}" for number in (pairs, size, *peaks)]
        print(ROW.format(*numbers, f"{pairs / seconds:,.0f}"), flush=True)


def write(path, pairs):
    """Writes pairs of 5 to 24 made-up words; returns the megabytes of text."""
    rng = np.random.default_rng(1)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(
        ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(WORDS)]
    )
    size = 0
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        for _ in range(pairs):
            # As in real text, few words are frequent and many are rare.
            places = (WORDS * rng.random(2 * rng.integers(5, 25)) ** 4).astype(int)
            chosen = words[places]
            half = len(chosen) // 2
            line = f"{' '.join(chosen[:half])}\t{' '.join(chosen[half:])}\n"
            size += file.write(line)
    return size / 1e6


def measure(path):
    """Prints peaks of own memory until each stage, then seconds."""
    from recipes.translation.data import filtering, preparation, splitting
    from recipes.translation.data.batches import Batches
    from recipes.translation.data.encoded import encode
    from recipes.translation.data.files import PairFiles
    from recipes.translation.options import PRESETS

    preset = PRESETS["small"]
    peak = Peak()
    peak.start()
    time.sleep(1)
    peaks = [peak.megabytes]
    began = time.perf_counter()
    training, _ = splitting.hold_out(PairFiles((path,)))
    tokenizers = preparation.learn_tokenizers(training, preset)
    encoded = encode(path.parent / "training", training, *tokenizers)
    chosen = filtering.select(encoded, preset.max_tokens, preset.max_ratio).chosen
    seconds = time.perf_counter() - began
    peaks.append(peak.megabytes)
    batches = Batches(encoded, preset.batch_tokens, chosen)
    for _ in batches.endless(seed=1, first_step=batches.steps // 2).take(500):
        pass
    peaks.append(peak.megabytes)
    print(*peaks, seconds)


class Peak(threading.Thread):
    """Looks at the process's own memory ten times a second.

    The kernel keeps a peak of its own, but that counts mapped files too.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.megabytes = 0.0

    def run(self):
        while True:
            status = Path("/proc/self/status").read_text()
            fields = dict(line.split(":", 1) for line in status.splitlines())
            own = int(fields["RssAnon"].split()[0]) / 1024
            self.megabytes = max(self.megabytes, own)
            time.sleep(0.1)


if __name__ == "__main__":
    main()
