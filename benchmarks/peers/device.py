"""The most memory that a program has used, in MiB: of its GPU, or of the process."""

from worker import resident


def jax_peak():
    import jax

    stats = jax.local_devices()[0].memory_stats()  # `None` on a CPU
    return stats["peak_bytes_in_use"] / 2**20 if stats else resident()


def torch_peak():
    import torch

    if not torch.cuda.is_available():
        return resident()
    return torch.cuda.max_memory_allocated() / 2**20
