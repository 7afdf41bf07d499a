"""Hierarchical VAE: a chain (Burda et al. 2016, section 5) or a ladder (Sonderby et al. 2016) of latent layers.

python -m experiments.hierarchical_vae
    digits (8x8): test -log p 22.3 nats (independent pixels: 27.2), 50 seconds on two busy cores
python -m experiments.hierarchical_vae --data tfds:mnist --k 50 --start-from RUN
    MNIST, a ladder of two layers: 83.6 nats; the chain of commands is in RESULTS.md
"""

from dataclasses import dataclass, replace
from typing import Literal

import jax
import optax

from experiments.common.keys import fixed_key
from experiments.common.latent import (
    Latent,
    SampledConfig,
    check_not_negative,
    decoder,
    evaluation,
    likelihood_scorer,
    trunk,
)
from experiments.common.view import View, view
from jaxgen.games.iwae import iwae_game
from jaxgen.games.vae import warm_up
from jaxgen.losses.bounds import importance_weighted
from jaxgen.models.hierarchical import Hierarchy, Rung
from jaxgen.models.vae import Encoder
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment
from jaxgen.run.start import started
from jaxgen.viz.images import tile
from jaxgen.viz.pairs import beside


@dataclass(frozen=True)
class Config(SampledConfig):
    """Options of the hierarchical VAE; --hidden and --latent are of the bottom layer."""

    steps: int = 4000
    """training steps of the whole run"""
    above: tuple[int, ...] = (8,)
    """dimensions of z_2, z_3, ...: one number a layer"""
    above_hidden: tuple[int, ...] = (100, 100)
    """widths of the networks between two layers of latents"""
    inference: Literal["chain", "ladder"] = "ladder"
    """how codes are inferred: each layer from the one below, or top down, mixed with the prior by precision"""
    k: int = 1
    """samples of the training bound"""
    warm_up: int = 500
    """steps over which the weight of log p(z) - log q(z|x) grows to one"""
    start_from: str | None = None
    """folder of a finished run of the same networks to start from"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_not_negative(self, "warm_up")
        if self.k < 1:
            raise ValueError(f"--k must be at least 1, got {self.k}")
        if not self.above:
            raise ValueError("--above must name at least one layer (experiments.vae has a single one), got none")
        for name in ("above", "above_hidden"):
            if any(width < 1 for width in getattr(self, name)):
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")


def model(config: Config, seen: View) -> Hierarchy:
    """Return the networks for this view of the data."""
    latents = (config.latent, *config.above)
    part = Rung if config.inference == "ladder" else Encoder
    trunks = [trunk(config), *(trunk(config, config.above_hidden) for _ in config.above)]
    up = tuple(part(body, size, **config.types) for body, size in zip(trunks, latents, strict=True))
    down = tuple(Encoder(trunk(config, config.above_hidden), size, **config.types) for size in latents[:-1])
    network, output = decoder(config, seen)
    return Hierarchy(up, down, network, output, ladder=config.inference == "ladder")


def latent_of(hierarchy: Hierarchy, k: int) -> Latent:
    """Return the scores' view: the bounds, and the KL of every layer."""

    def bounds(params, batch, key):
        weights = hierarchy.log_weights(params, batch["x"])(key, k)
        layers = hierarchy.kl(params, batch["x"], key)
        bound = {f"bound of {k} samples": importance_weighted(weights)} if k > 1 else {}
        return {"elbo": weights.mean(0), **bound, **{f"KL of z{n + 1}": kl for n, kl in enumerate(layers)}}

    return Latent(lambda params, batch: hierarchy.log_weights(params, batch["x"]), bounds)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    hierarchy = model(config, seen)
    latent = latent_of(hierarchy, config.k)
    evaluate, score = evaluation(latent, seen), likelihood_scorer(config, latent, seen)

    def game(config):
        rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
        own = iwae_game(hierarchy, optax.adam(rate), k=config.k, beta=warm_up(1.0, config.warm_up))
        return started(own, config, same=("activation", "likelihood", "network", "inference"))

    @jax.jit
    def images(params, x):
        layers = [hierarchy.reconstruct(params, x, layer) for layer in range(len(hierarchy.up))]
        return hierarchy.sample(params, fixed_key(), 64), layers

    def pictures(state):
        if len(seen.shape) != 3:
            return {}
        x = seen.some("validation", 24)["x"]
        samples, layers = images(state.params, x)
        names = ("data", *(f"z{layer + 1}" for layer in range(len(layers))))
        return {"samples": tile(samples), "reconstructions": beside(x, *layers, labels=names, columns=8)}

    return Experiment(
        game=game(config),
        data=seen.data,
        prepare=lambda key, batch: {"x": seen.see("train", key, batch)},
        evaluate=lambda state: evaluate(state.params),
        pictures=pictures,
        finish=lambda state, progress: score(state.params, progress),
        watch=f"bound of {config.k} samples" if config.k > 1 else "elbo",
        variant=lambda options: game(replace(config, **options)),
    )


if __name__ == "__main__":
    main("hierarchical_vae", Config, build, __doc__)
