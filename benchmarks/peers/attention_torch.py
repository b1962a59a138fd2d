"""An attention layer on torch, forwards and backwards."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import torch
from attention_layers import attention
from device import torch_peak
from worker import serve


def build(case):
    layer, query, value = attention(case)
    query.requires_grad_(True)
    value.requires_grad_(True)

    def run():
        total = (layer(query, value, training=True) ** 2).sum()
        gradients = torch.autograd.grad(total, [query, value])
        return gradients[0].sum().item()

    return run


serve(build, torch_peak)
