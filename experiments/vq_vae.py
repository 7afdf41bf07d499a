"""Vector-quantised autoencoder: van den Oord et al. 2017, "Neural Discrete Representation Learning".

python -m experiments.vq_vae
    digits (8x8), 16 bits each: -log p at most 26.1 nats (independent pixels: 27.2); squared error 4.8 (K-means of
    patches, as many bits: 6.0), 70 seconds on two cores
python -m experiments.vq_vae --data tfds:mnist --codes 32 --steps 3000
    dynamically binarised MNIST, 245 bits each: -log p at most 173.0 nats (independent pixels: 205.8), of which 38.2 for
    the pixels; squared error 11.5 (K-means of patches: 20.6), 4 minutes on two cores
"""

import math
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.autoencoders import ACTIVATIONS
from experiments.common.keys import fixed_key
from experiments.common.latent import OutputConfig, check_not_negative, with_output
from experiments.common.view import View, view
from jaxgen.data.lazy import size
from jaxgen.games.vq_vae import codes_of, vq_vae_game
from jaxgen.losses.quantisation import perplexity
from jaxgen.losses.reconstruction import squared_error
from jaxgen.metrics.batched import over
from jaxgen.metrics.patches import patch_quantiser
from jaxgen.models import categorical
from jaxgen.models.vq_vae import VQVAE, GridDecoder, GridEncoder
from jaxgen.nn.quantise import counts, nearest
from jaxgen.run.cli import main
from jaxgen.run.data import first, open_data
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.run.plan import batch_size
from jaxgen.viz.bars import bars
from jaxgen.viz.images import tile
from jaxgen.viz.pairs import beside

FITTED = 2000  # training examples that the prior of the codes is fitted to while training


@dataclass(frozen=True)
class Config(OutputConfig):
    """Options of the vector-quantised autoencoder."""

    steps: int = 4000
    """training steps of the whole run"""
    codes: int = 16
    """vectors in the code book"""
    dimension: int = 16
    """length of each of them"""
    commitment: float = 0.25
    """weight of the encoder's squared distance to its codes"""
    codebook: Literal["means", "loss"] = "means"
    """how codes follow their vectors: as running means, or down the gradient of their squared distance"""
    decay: float = 0.99
    """of the running means"""
    restart: float = 0.02
    """share of an equal number of vectors below which a code starts anew (running means only; 0: never)"""
    channels: tuple[int, ...] = (16, 32)
    """channels of the layers, each of which halves the image"""
    blocks: int = 2
    """residual blocks on either side of the codes"""
    activation: Literal["tanh", "relu", "silu"] = "relu"
    """activation of every hidden layer"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        if self.codes < 2:
            raise ValueError(f"--codes must be at least 2, got {self.codes}")
        if not self.channels:
            raise ValueError("--channels must name at least one layer, got none")
        for name in ("dimension", "channels"):
            if min(np.ravel(getattr(self, name))) < 1:
                raise ValueError(f"--{name} must be at least 1, got {getattr(self, name)}")
        for name in ("decay", "restart"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"--{name} must be in [0, 1), got {getattr(self, name)}")
        check_not_negative(self, "commitment", "blocks")


def model(config: Config, seen: View) -> VQVAE:
    """Return the networks for this view of the data. Raises ValueError for data that are no images."""
    if len(seen.shape) != 3:
        raise ValueError(f"vq_vae needs images, {config.data} has vectors of shape {seen.shape}")
    shared = {"blocks": config.blocks, "activation": ACTIVATIONS[config.activation], **config.types}
    encoder = GridEncoder(config.channels, config.dimension, **shared)
    decoder = GridDecoder(config.channels[::-1], seen.shape, **shared)
    return VQVAE(encoder, *with_output(config, decoder, seen))


def places(config: Config, seen: View) -> int:
    """Return how many codes an image has."""
    return math.prod(-(-side // 2 ** len(config.channels)) for side in seen.shape[:2])


def warn_of_size(config: Config, seen: View) -> None:
    """Say on stderr where the code book is larger than what it stands for; the run goes on."""
    examples = size(seen.data.train)
    for count, where in [
        (batch_size(config, examples, 1), "a batch"),
        (examples, "the training set"),
    ]:
        if (vectors := count * places(config, seen)) < config.codes:
            print(f"warning: --codes {config.codes} is more than the {vectors} vectors of {where}", file=sys.stderr)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    net = model(config, seen)
    warn_of_size(config, seen)
    data = seen.data

    def game(config):
        decay = config.decay if config.codebook == "means" else None
        rate = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        return vq_vae_game(net, rate, codes=config.codes, weight=config.commitment, decay=decay, restart=config.restart)

    @partial(jax.jit, static_argnums=0)
    def rows(part, params, codes, key, batch):
        x = seen.see(part, key, batch)
        index = nearest(net.encode(params, x), codes)
        error = squared_error(x, net.expect(params, codes[index]))
        return {"codes": index, "log_likelihood": net.log_likelihood(params, x, codes[index]), "error": error}

    @jax.jit
    def expect(params, codes, index):
        return net.expect(params, codes[index])

    @jax.jit
    def spread(index):
        return perplexity(counts(index, config.codes))

    fit = jax.jit(partial(categorical.fit, size=config.codes))
    shown = seen.some("validation", 32)["x"]

    def measure(part, state, examples):
        return over(partial(rows, part, state.params, codes_of(state)), fixed_key(), examples, batch_size=1000)

    def prior(state, examples):
        """Return the codes' distribution in these training examples."""
        return fit(measure("train", state, examples)["codes"])

    def scores(state, part, prior):
        measured = measure(part, state, getattr(data, part))
        log_p = measured["log_likelihood"]
        uniform = -math.log(config.codes) * places(config, seen)
        return {
            "log_likelihood": log_p.mean(),
            "perplexity": spread(measured["codes"]),
            "uniform": (log_p + uniform).mean(),
            "bound": (log_p + prior.log_prob(measured["codes"])).mean(),
            "error": measured["error"].mean(),
        }

    def few(state):
        some = {name: rows for name, rows in first(data.train, FITTED).items() if name != "index"}
        return prior(state, some)

    def drawn(state):
        codes, used = codes_of(state), measure("validation", state, data.validation)["codes"]
        sampled = few(state).sample(fixed_key(), (64, *used.shape[1:]))
        again = expect(state.params, codes, used[: len(shown)])
        return {
            "samples_of_independent_codes": tile(expect(state.params, codes, sampled)),
            "reconstructions": beside(shown, again, labels=("data", "model"), columns=8),
            "usage": usage(used, config.codes),
        }

    def finish(state, progress: Progress) -> Result:
        progress("fitting the prior")
        found = scores(state, "test", prior(state, data.train))
        progress("fitting the baseline")
        baseline = seen.baseline()
        named = {
            "negative log-likelihood bound, independent codes": -found["bound"],
            "negative log-likelihood bound, uniform codes": -found["uniform"],
            "reconstruction": -found["log_likelihood"],
            "perplexity": found["perplexity"],
            "squared error": found["error"],
        }
        bounds = [name for name in named if "bound" in name]
        return Result(
            scores=named,
            baselines={**dict.fromkeys(bounds, baseline), "squared error": patch_error(config, seen)},
            units=dict.fromkeys((*bounds, "reconstruction"), "nats"),
            better=dict.fromkeys((*bounds, "reconstruction", "squared error"), "lower"),
            protocol=protocol(config, seen),
        )

    return Experiment(
        game=game(config),
        data=data,
        prepare=lambda key, batch: {"x": seen.see("train", key, batch)},
        evaluate=lambda state: scores(state, "validation", few(state)),
        pictures=drawn,
        finish=finish,
        watch="bound",
        variant=lambda options: game(replace(config, **options)),
    )


def patch_error(config: Config, seen: View) -> float:
    """Return the squared error of test images made of K-means' patches, in as many bits as the codes have."""
    train = np.asarray(seen.some("train", 20_000)["x"])
    quantise = patch_quantiser(train, side=2 ** len(config.channels), codes=config.codes)
    see = jax.jit(partial(seen.see, "test"))

    def error(key, batch):
        x = np.asarray(see(key, batch))
        return squared_error(jnp.asarray(x), jnp.asarray(quantise(x)))

    return over(error, fixed_key(), seen.data.test, batch_size=1000).mean()


def usage(index: np.ndarray, size: int) -> np.ndarray:
    """Return a picture of how often each code is used, the most used first."""
    share = np.sort(np.bincount(index.ravel(), minlength=size) / index.size)[::-1]
    used = f"{np.count_nonzero(share)} of {size} codes used in the validation set"
    return bars({used: share}, xlabel="codes, the most used first", ylabel="share", line=1 / size)


def protocol(config: Config, seen: View) -> str:
    """Say how the final scores were made."""
    count = places(config, seen)
    side = 2 ** len(config.channels)
    return (
        f"{seen.protocol()} The bound of -log p is -log p(x | codes) - log p(codes), by the one grid of codes that the "
        f"encoder gives: {count} an image, of {config.codes}, at most {count * math.log2(config.codes):.0f} bits. "
        f"log p(codes) is uniform, or a categorical distribution a place, all independent, fitted in closed form to "
        f"the codes of the training set. From the checkpoint with the best validation bound. Baselines: independent "
        f"pixels, fitted to up to 20,000 training examples; {side} x {side} patches by K-means with as many codes."
    )


if __name__ == "__main__":
    main("vq_vae", Config, build, __doc__)
