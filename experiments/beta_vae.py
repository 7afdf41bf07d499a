r"""Beta-VAE: Higgins et al. 2017, "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework".

With --capacity, the KL is held at a capacity that grows (Burgess et al. 2018, "Understanding disentangling in
beta-VAE"). A VAE with beta = 1 trains beside it, as the baseline of every score.

python -m experiments.beta_vae
    digits (8x8), for which no factors are known: KL 2.0 nats (beta = 1: 5.6), negative ELBO 23.9 nats (22.7), a minute
    on two cores
python -m experiments.beta_vae --data shapes --likelihood bernoulli --beta 4 --hidden 400 400 --activation relu \
        --steps 6000 --batch-size 64
    sprites: factor score 0.64 (beta = 1: 0.59), mutual information gap 0.08 (0.09), KL 10.1 nats (17.0)
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.latent import LatentConfig, check_not_negative, model
from experiments.common.pictures import vae_pictures
from experiments.common.view import View, view
from jaxgen.games.side_by_side import own, side_by_side
from jaxgen.games.vae import grow, vae_game
from jaxgen.losses.bounds import capacity_bound, elbo
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.metrics.batched import over
from jaxgen.metrics.disentanglement import factor_score, mutual_information_gap
from jaxgen.models.vae import VAE
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.viz.bars import bars
from jaxgen.viz.images import tile
from jaxgen.viz.latent import traverse

NAMES = ("beta", "plain")
SWEEP = np.linspace(-3, 3, 11, dtype=np.float32)
ROWS = 10  # latents that are shown, those with the largest KL first


@dataclass(frozen=True)
class Config(LatentConfig):
    """Options of the beta-VAE."""

    latent: int = 10
    """dimensions of z"""
    beta: float = 2.0
    """weight of the KL"""
    capacity: float | None = None
    """nats that the KL is held at, instead of weighing it with beta"""
    capacity_steps: int | None = None
    """steps over which the capacity grows from 0 (default: half of all steps)"""
    gamma: float = 100.0
    """weight of the KL's distance to the capacity"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_not_negative(self, "beta", "gamma")
        check_not_negative(self, *(name for name in ("capacity", "capacity_steps") if getattr(self, name) is not None))
        if self.capacity is None and self.capacity_steps is not None:
            raise ValueError(f"--capacity-steps needs --capacity, got {self.capacity_steps} without one")


def bounds(vae: VAE, params: Any, x: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
    """Return the reconstruction's log-likelihood [B], the KL [B] and [B, latent], nats, and the codes [B, latent]."""
    z, mean, log_scale = vae.draw(params, x, key)
    each = jax.vmap(gaussian_kl, (1, 1), 1)(mean[:, :, None], log_scale[:, :, None])
    log_likelihood = vae.output.log_likelihood(x, vae.decode(params, z))
    return {"log_likelihood": log_likelihood, "kl": each.sum(-1), "each": each, "codes": mean}


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    vae, data = model(config, seen), seen.data
    factor = None if data.factors is None else data.test["factor"]
    if factor is not None:
        factor_score(np.zeros((len(factor), 1)), factor, seed=0)  # refuses now what could not be scored at the end

    def game(config):
        adam = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        weight, capacity = config.beta, None
        if config.capacity is not None:
            steps = config.steps // 2 if config.capacity_steps is None else config.capacity_steps
            weight, capacity = config.gamma, grow(config.capacity, steps)
        first = vae_game(vae, adam, beta=lambda step: jnp.float32(1.0) * weight, capacity=capacity)
        return side_by_side({"beta": first, "plain": vae_game(vae, adam)})

    def objective(rows):
        if config.capacity is None:
            return elbo(rows["log_likelihood"], rows["kl"], beta=config.beta)
        return capacity_bound(rows["log_likelihood"], rows["kl"], gamma=config.gamma, capacity=config.capacity)

    @partial(jax.jit, static_argnums=0)
    def measured(part, params, key, batch):
        rows = bounds(vae, params, seen.see(part, key, batch), key)
        return {**rows, "objective": objective(rows)}

    def measure(part, params):
        return over(partial(measured, part, params), jax.random.key(1), getattr(data, part), batch_size=1000)

    def evaluate(state):
        rows = {name: measure("validation", own(name, state.params)) for name in NAMES}
        kinds = {"elbo": lambda r: r["log_likelihood"] - r["kl"], "KL": lambda r: r["kl"]}
        found = {f"{name} {kind}": of(rows[name]).mean() for name in NAMES for kind, of in kinds.items()}
        return {**found, "objective": rows["beta"]["objective"].mean()}

    def pictures(state):
        each = {name: vae_pictures(vae, own(name, state.params), seen) for name in NAMES}
        return {f"{kind}_{name}": canvas for name, canvases in each.items() for kind, canvas in canvases.items()}

    def finish(state, progress: Progress) -> Result:
        progress("scoring")
        rows = {name: measure("test", own(name, state.params)) for name in NAMES}
        found = {name: scores(rows[name], factor) for name in NAMES}
        nats = ("negative ELBO", "KL", "reconstruction")
        return Result(
            scores=found["beta"],
            baselines=found["plain"],
            units=dict.fromkeys(nats, "nats"),
            better={"negative ELBO": "lower", **{name: "higher" for name in found["beta"] if name not in nats}},
            protocol=protocol(config, seen),
            pictures=last_pictures(vae, state.params, rows, config, seen),
        )

    return Experiment(
        game=game(config),
        data=data,
        prepare=lambda key, batch: {"x": seen.see("train", key, batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="objective",
        variant=lambda options: game(replace(config, **options)),
    )


def scores(rows: dict[str, np.ndarray], factor: np.ndarray | None) -> dict[str, float]:
    """Return the scores of one model of the test set; how disentangled it is where the factors are known."""
    found = {
        "negative ELBO": (rows["kl"] - rows["log_likelihood"]).mean(),
        "KL": rows["kl"].mean(),
        "reconstruction": -rows["log_likelihood"].mean(),
    }
    if factor is None:
        return found
    known = {"factor score": factor_score(rows["codes"], factor, seed=0)}
    if rows["codes"].shape[1] > 1:
        known["mutual information gap"] = mutual_information_gap(rows["codes"], factor)
    return known | found


def setting(config: Config) -> str:
    """Return what the first of the two models is called."""
    return f"beta = {config.beta:g}" if config.capacity is None else f"capacity {config.capacity:g} nats"


def last_pictures(
    vae: VAE, params: Any, rows: dict[str, dict[str, np.ndarray]], config: Config, seen: View
) -> dict[str, np.ndarray]:
    """Return the KL of each latent, and what an image becomes when one latent after the other is swept."""
    each = {name: rows[name]["each"].mean(0) for name in NAMES}
    kl = {setting(config): np.sort(each["beta"])[::-1], "the baseline, beta = 1": np.sort(each["plain"])[::-1]}
    canvases = {"kl_of_latents": bars(kl, xlabel="latents, the largest first", ylabel="KL, nats")}
    if len(seen.shape) != 3:
        return canvases
    for name in NAMES:
        order = np.argsort(-each[name])[:ROWS]
        swept = traverse(rows[name]["codes"][0], order, SWEEP)
        images = vae.expect(own(name, params), jnp.asarray(swept).reshape(-1, vae.latent))
        canvases[f"traversals_{name}"] = tile(np.asarray(images).reshape(*swept.shape[:2], *seen.shape))
    return canvases


def protocol(config: Config, seen: View) -> str:
    """Say how the final scores were made."""
    told = (
        f"{seen.protocol()} Scores: {setting(config)}; baselines: beta = 1, the same network trained beside it on the "
        f"same batches. Mean over the test set, one draw of z an example, from the checkpoint with the best validation "
        f"objective of the former."
    )
    if seen.data.factors is None:
        return told
    return (
        f"{told} Mutual information gap with 20 bins and factor score (800 votes of groups of 64) of the posterior "
        f"means of all {len(seen.data.test['factor'])} test examples against {', '.join(seen.data.factors)}."
    )


if __name__ == "__main__":
    main("beta_vae", Config, build, __doc__)
