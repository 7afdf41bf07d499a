"""Flows of torch, trained as ours are: the same batches, Adam with the same schedule, the best on validation kept."""

import copy
import itertools
import math
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.density.job import Job, Size, Trained
from benchmarks.peers.torch_ways import parameters

ROWS = 2000  # scored at once
LogProb = Callable[[torch.nn.Module, torch.Tensor], torch.Tensor]
"""(model, x [B, D]) -> log p(x) [B] in nats."""


class Network(torch.nn.Sequential):
    """Dense layers with relu between, as nflows asks for: (x [B, n], context) -> [B, m]; context is not read."""

    def __init__(self, inputs: int, outputs: int, hidden: tuple[int, ...]):
        widths = (inputs, *hidden, outputs)
        layers = [torch.nn.Linear(n, m) for n, m in itertools.pairwise(widths)]
        super().__init__(*(part for layer in layers for part in (layer, torch.nn.ReLU())))
        del self[-1]
        self.hidden_features = hidden[-1]  # nflows divides the logits of a spline's bins by its root

    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """x: [B, n]."""
        return super().forward(x)


def train(model: torch.nn.Module, log_prob: LogProb, job: Job, version: str) -> Trained:
    """Train on a job."""
    rows = {part: torch.from_numpy(getattr(job, part)) for part in ("train", "validation", "test")}
    order = torch.from_numpy(job.order).long()

    def scores(part: str) -> np.ndarray:
        model.eval()
        with torch.no_grad():
            found = torch.cat([log_prob(model, x) for x in rows[part].split(ROWS)]).numpy()
        model.train()
        return found

    start = time.perf_counter()
    stepper(copy.deepcopy(model), log_prob, job.size)(rows["train"][order[0]])  # torch loads parts of itself here
    first_seconds = time.perf_counter() - start
    step = stepper(model, log_prob, job.size)
    seconds, best = 0.0, (-math.inf, 0, copy.deepcopy(model.state_dict()))
    for first, end in job.stops:
        start = time.perf_counter()
        for number in range(first, end):
            step(rows["train"][order[number]])
        seconds += time.perf_counter() - start
        validation = float(scores("validation").mean())
        if validation > best[0]:
            best = (validation, end, copy.deepcopy(model.state_dict()))
    model.load_state_dict(best[2])
    return Trained(scores("test"), best[0], best[1], parameters(model), seconds, first_seconds, version)


def stepper(model: torch.nn.Module, log_prob: LogProb, size: Size) -> Callable[[torch.Tensor], None]:
    """Return a function that takes one update by a batch [B, D]."""
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), size.learning_rate, fused=True)
    cosine = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda t: 0.5 * (1 + math.cos(math.pi * t / size.steps)))

    def step(x: torch.Tensor) -> None:
        loss = -log_prob(model, x).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if size.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), size.clip)
        optimiser.step()
        cosine.step()

    return step
