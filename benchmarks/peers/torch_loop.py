"""A PyTorch loop, keys projected once."""

import contextlib

import torch
from pairs import batches
from torch import nn
from torch_network import Model
from worker import serve


def build(case):
    torch.manual_seed(1)
    model = Model(case)
    optimizer = torch.optim.Adam(model.parameters())
    lossy = case["policy"] == "mixed_bfloat16"
    found = [[torch.tensor(ids).long() for ids in one] for one in batches(case)]

    def run():
        for source, inputs, labels in found:
            precision = contextlib.nullcontext()
            if lossy:
                precision = torch.autocast("cpu", torch.bfloat16)
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


serve(build)
