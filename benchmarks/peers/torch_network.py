"""The network that all peers build, as a PyTorch loop, keys projected once."""

import torch
from torch import nn


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
        memory, keys, state = self.encode(source)
        padding = source == 0
        outputs = []
        for vector in self.target(target).unbind(1):
            state, context = self.step(vector, state, memory, keys, padding)
            outputs.append(torch.cat([state, context], -1))
        features = torch.tanh(self.readout(torch.stack(outputs, 1)))
        return self.logits(features)

    def encode(self, source):
        memory, final = self.encoder(self.source(source))
        return memory, self.keys(memory), torch.tanh(self.start(final[1]))

    def step(self, vector, state, memory, keys, padding):
        hidden = torch.tanh(self.query(state)[:, None] + keys)
        score = self.score(hidden).squeeze(-1).masked_fill(padding, -1e9)
        weights = torch.softmax(score, -1)
        context = torch.bmm(weights[:, None], memory).squeeze(1)
        return self.cell(torch.cat([vector, context], -1), state), context
