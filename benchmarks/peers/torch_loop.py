"""A PyTorch loop, keys projected once."""

import contextlib

import torch
from device import torch_peak
from pairs import batches
from torch import nn
from torch_network import Model
from worker import serve


def build(case):
    torch.manual_seed(1)
    device = case.get("device", "cpu")
    model = Model(case).to(device)
    optimizer = torch.optim.Adam(model.parameters())
    lossy = case["policy"] == "mixed_bfloat16"
    # JAX takes TF32 products unless it is told not to.
    torch.backends.cuda.matmul.allow_tf32 = True
    found = batches(case)

    def run():
        for batch in found:
            source, inputs, labels = (
                torch.tensor(ids, dtype=torch.long, device=device) for ids in batch
            )
            precision = contextlib.nullcontext()
            if lossy:
                precision = torch.autocast(device, torch.bfloat16)
            with precision:
                logits = model(source, inputs)
                loss = nn.functional.cross_entropy(
                    logits.flatten(0, 1), labels.flatten(), ignore_index=0
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    return run


serve(build, torch_peak)
