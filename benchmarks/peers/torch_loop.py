"""A PyTorch loop, keys projected once."""

import contextlib

import torch
from pairs import batches
from torch import nn
from worker import serve


class Model(nn.Module):
    def __init__(self, case):
        super().__init__()
        depth, units = 2 * case["encoder"], case["units"]
        self.source = nn.Embedding(case["vocabulary"], case["embedding"])
        self.target = nn.Embedding(case["vocabulary"], case["embedding"])
        self.encoder = nn.GRU(
            case["embedding"], case["encoder"], batch_first=True, bidirectional=True
        )
        self.start = nn.Linear(case["encoder"], units)
        self.keys = nn.Linear(depth, case["attention"], bias=False)
        self.query = nn.Linear(units, case["attention"], bias=False)
        self.score = nn.Linear(case["attention"], 1, bias=False)
        self.cell = nn.GRUCell(case["embedding"] + depth, units)
        self.readout = nn.Linear(units + depth, case["readout"])
        self.logits = nn.Linear(case["readout"], case["vocabulary"])

    def forward(self, source, target):
        memory, final = self.encoder(self.source(source))
        state, keys = torch.tanh(self.start(final[1])), self.keys(memory)
        padding = source == 0
        outputs = []
        for vector in self.target(target).unbind(1):
            hidden = torch.tanh(self.query(state)[:, None] + keys)
            score = self.score(hidden).squeeze(-1).masked_fill(padding, -1e9)
            weights = torch.softmax(score, -1)
            context = torch.bmm(weights[:, None], memory).squeeze(1)
            state = self.cell(torch.cat([vector, context], -1), state)
            outputs.append(torch.cat([state, context], -1))
        features = torch.tanh(self.readout(torch.stack(outputs, 1)))
        return self.logits(features)


def build(case):
    torch.manual_seed(1)
    torch.set_num_threads(2)
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
