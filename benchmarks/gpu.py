"""The layer and training steps on a GPU, on JAX and on torch.

Everything runs in this Python, which must hold keras, jax and a torch that
sees the GPU. Products are TF32, as JAX has them unless told otherwise.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

import torch
from attention import CASE
from rounds import compare, machine, table
from train import LONG, PADDED

sys.path.append(str(Path(__file__).resolve().parent / "peers"))

from pairs import products

LAYERS = {
    "PyTorch functions": "additive_torch",
    "BahdanauAttention on JAX": "attention_jax",
    "BahdanauAttention on torch": "attention_torch",
    "keras AdditiveAttention on JAX": "attention_jax",
}
STEPS = {
    "PyTorch loop": "torch_loop",
    "kattention on JAX": "kattention_jax",
    "kattention on torch": "kattention_torch",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(torch.cuda.get_device_name(), machine("jax", "torch", "keras"), sep=", ")
    _layers(rounds)
    rate = _product_rate()
    print(f"\none large product: {rate:.0f} TFLOP/s")
    for title, case in (("64 x 30 x 30", PADDED), ("16 x 200 x 200", LONG)):
        _steps(title, {**case, "device": "cuda"}, rounds, rate)


def _layers(rounds):
    programs = {
        label: (program, None, {**CASE, "layer": label.partition(" on ")[0]})
        for label, program in LAYERS.items()
    }
    print("\nB {batch}, T {target}, S {source}, U {units}, both ways".format(**CASE))
    table(compare(programs, rounds))


def _steps(title, case, rounds, rate):
    programs = {label: (program, None, case) for label, program in STEPS.items()}
    workers = compare(programs, rounds)
    print(f"\n{title}: {case['steps']} training steps")
    table(workers)
    # Two products for the gradients of each product.
    work = 6e-12 * sum(times * m * k * n for times, m, k, n in products(case))
    for label, worker in workers.items():
        own = work * case["steps"] / median(worker.seconds)
        print(f"{label}: {own:.2f} TFLOP/s, {own / rate:.1%} of the large product's")


def _product_rate(size=8192, times=10):
    """TFLOP/s of a product that fills the GPU."""
    torch.backends.cuda.matmul.allow_tf32 = True
    left, right = (torch.randn(size, size, device="cuda") for _ in range(2))
    left @ right
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(times):
        left @ right
    torch.cuda.synchronize()
    return 2e-12 * size**3 * times / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
