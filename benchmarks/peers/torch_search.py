"""A PyTorch loop that searches."""

import torch
from pairs import batches
from torch_network import Model
from worker import serve

END = -1  # none ends early


@torch.inference_mode()
def translate(model, source, steps, width):
    rows = len(source)
    memory, keys, state = model.encode(source)
    # Each hypothesis with a memory of its own.
    memory, keys, state = (
        part.repeat_interleave(width, 0) for part in (memory, keys, state)
    )
    padding = (source == 0).repeat_interleave(width, 0)
    tokens = torch.full((rows * width, 1), 2)
    scores = torch.tensor([0.0] + [-1e9] * (width - 1)).repeat(rows, 1)
    first = torch.arange(rows)[:, None] * width
    ended = torch.zeros(rows * width, dtype=torch.bool)
    for _ in range(steps):
        vector = model.target(tokens[:, -1])
        state, context = model.step(vector, state, memory, keys, padding)
        features = torch.tanh(model.readout(torch.cat([state, context], -1)))
        logits = model.logits(features)
        if width == 1:
            tokens = torch.cat([tokens, logits.argmax(-1, keepdim=True)], 1)
        else:
            every = torch.log_softmax(logits, -1).view(rows, width, -1)
            words = every.shape[-1]
            scores, index = (scores[..., None] + every).view(rows, -1).topk(width)
            row = (first + index // words).flatten()
            state, ended = state[row], ended[row]
            tokens = torch.cat([tokens[row], (index % words).view(-1, 1)], 1)
        ended |= tokens[:, -1] == END
        if ended.all():
            break
    return tokens


def build(case):
    torch.manual_seed(1)
    model = Model(case)
    sources = [torch.tensor(source).long() for source, _, _ in batches(case)]
    return lambda: [
        translate(model, source, case["target"], case["beam"]) for source in sources
    ]


serve(build)
