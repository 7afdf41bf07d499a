"""Flows of torch, trained as ours are: the same batches, Adam with the same schedule, the best on validation kept."""

import copy
import math
import time

import numpy as np
import torch

from benchmarks.density.job import Job, Trained

ROWS = 2000  # scored at once


class Network(torch.nn.Sequential):
    """Dense layers with relu between, as nflows asks for: (x [B, n], context) -> [B, m]; context is not read."""

    def __init__(self, inputs: int, outputs: int, hidden: tuple[int, ...]):
        widths = (inputs, *hidden, outputs)
        layers = [torch.nn.Linear(n, m) for n, m in zip(widths[:-1], widths[1:], strict=True)]
        super().__init__(*(part for layer in layers for part in (layer, torch.nn.ReLU())))
        del self[-1]
        self.hidden_features = hidden[-1]  # nflows divides the logits of a spline's bins by its root

    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """x: [B, n]."""
        return super().forward(x)


def parameters(model: torch.nn.Module) -> int:
    """Return the number of trained numbers, those that a mask leaves out among them, as for ours."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def train(model: torch.nn.Module, log_prob, job: Job, version: str) -> Trained:
    """Train on a job. log_prob: x [B, D] -> [B] in nats, by the model."""
    size = job.size
    rows = {part: torch.from_numpy(getattr(job, part)) for part in ("train", "validation", "test")}
    order = torch.from_numpy(job.order).long()
    optimiser = torch.optim.Adam(model.parameters(), size.learning_rate, fused=True)
    cosine = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda t: 0.5 * (1 + math.cos(math.pi * t / size.steps)))

    def step(number: int) -> None:
        loss = -log_prob(rows["train"][order[number]]).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if size.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), size.clip)
        optimiser.step()
        cosine.step()

    def scores(part: str) -> np.ndarray:
        model.eval()
        with torch.no_grad():
            found = torch.cat([log_prob(x) for x in rows[part].split(ROWS)]).numpy()
        model.train()
        return found

    model.train()
    seconds, best = 0.0, (-math.inf, 0, copy.deepcopy(model.state_dict()))
    for first, end in job.stops:
        start = time.perf_counter()
        for number in range(first, end):
            step(number)
        seconds += time.perf_counter() - start
        validation = float(scores("validation").mean())
        if validation > best[0]:
            best = (validation, end, copy.deepcopy(model.state_dict()))
    model.load_state_dict(best[2])
    return Trained(scores("test"), best[0], best[1], parameters(model), seconds, version=version)
