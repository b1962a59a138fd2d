"""Additive attention as people write it in PyTorch, forwards and backwards."""

import torch
from device import torch_peak
from torch import nn
from worker import serve


def build(case):
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    units, depth = case["units"], case["depth"]
    project_query = nn.Linear(depth, units, bias=False, device=device)
    project_key = nn.Linear(depth, units, bias=False, device=device)
    score = nn.Linear(units, 1, bias=False, device=device)
    query, value = (
        torch.randn(case["batch"], case[length], depth, device=device)
        for length in ("target", "source")
    )
    query.requires_grad_(True)
    value.requires_grad_(True)

    def run():
        pairs = project_query(query)[:, :, None] + project_key(value)[:, None]
        scores = score(torch.tanh(pairs)).squeeze(-1)
        context = nn.functional.softmax(scores, -1) @ value
        gradients = torch.autograd.grad((context**2).sum(), [query, value])
        return gradients[0].sum().item()

    return run


serve(build, torch_peak)
