"""The experiment of a generator and a discriminator without conditions."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.gan_config import GANConfig
from experiments.common.gan_scores import scores_of
from experiments.common.gans import game_of, networks, warn
from experiments.common.image_scores import ImageScores
from experiments.common.keys import fixed_key
from experiments.common.mirror import mirrored
from experiments.common.plain import Plain, drawer, generating, open_plain, to_pixels
from jaxgen.data.lazy import size
from jaxgen.metrics.path_length import PathLength, path_length
from jaxgen.models.gan import GAN
from jaxgen.run.experiment import Experiment
from jaxgen.viz.images import tile
from jaxgen.viz.latent import interpolate, interpolate_spherically
from jaxgen.viz.pairs import beside
from jaxgen.viz.scatter import scatter

Array = jax.Array
PATHS = 1000  # of the perceptual path length
Make = Callable[[Array], Array]  # z [B, D] -> x [B, ...]


def build(config: GANConfig) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = open_plain(config)
    gan = networks(config, data.shape)
    both = generating(gan)
    draw = drawer(gan, with_=both)
    scores = scores_of(data, draw, config.features, config.samples)

    warn(config)

    def game(config):
        return game_of(config, gan, size(data.data.train))

    def finish(state, progress):
        result = scores.finish(state, progress)
        if not data.images:
            return result
        params, extra = both(state)
        make = jax.jit(lambda z: gan.generate(params, extra, z))
        pictures = strips(gan, make)
        if isinstance(scores, ImageScores) and not scores.space.inception:  # it sees bytes, which hide small steps
            progress("path length")
            length = speed(gan, make, scores)
            result = result._replace(
                scores={**result.scores, "path length": length.mean},
                better={**result.better, "path length": "lower"},
                protocol=f"{result.protocol} Path length: of {length.samples} great circles in the same features.",
            )
            if scores.space.classifies:
                pictures["arithmetic"] = arithmetic(gan, make, scores.space.network.logits)
        return result._replace(pictures=pictures)

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(mirrored(config.flip, key, batch))},
        evaluate=scores.evaluate,
        pictures=lambda state: {"samples": samples(data, draw(state, fixed_key(), 64 if data.images else 2000))},
        finish=finish,
        watch=scores.watch,
        watch_mode=scores.mode,
        variant=lambda options: game(replace(config, **options)),
    )


def samples(data: Plain, x: np.ndarray) -> np.ndarray:
    """Return a picture of generated examples: images side by side, or points over those of the data."""
    if data.images:
        return tile(to_pixels(x))
    if data.shape != (2,):
        return tile(np.zeros((1, 1, 1, 1)))
    real = data.some("validation", len(x))
    label = np.repeat([0, 1], [len(real), len(x)])
    return scatter(np.concatenate([real, x]), label, names=("data", "samples"), title="samples")


def strips(gan: GAN, make: Make) -> dict[str, np.ndarray]:
    """Return lines between samples: straight ones, and along great circles."""
    ends, rows = np.asarray(gan.prior(fixed_key(), 10)), {}
    for name, path in (("straight lines", interpolate), ("great circles", interpolate_spherically)):
        z = path(ends[:5], ends[5:], 12).reshape(60, -1)
        rows[name] = to_pixels(make(jnp.asarray(z)))
    return {"interpolation": beside(*rows.values(), labels=list(rows), columns=12)}


def speed(gan: GAN, make: Make, scores: ImageScores) -> PathLength:
    """Return the perceptual path length."""
    keys = jax.random.split(jax.random.key(3), 3)
    t = np.asarray(jax.random.uniform(keys[2], (PATHS,)))
    ends = (np.asarray(gan.prior(key, PATHS)) for key in keys[:2])
    features = scores.space.features.apply
    return path_length(
        lambda z: (make(jnp.asarray(z, jnp.float32)) + 1) / 2, features, *ends, t, path="slerp", epsilon=1e-2
    )


def arithmetic(gan: GAN, make: Make, logits: Callable[[Array], Array]) -> np.ndarray:
    """Return rows of sums of concepts: the mean code of three samples a class, a - b + c (Radford et al. 2016, 6.3.2).

    Each row: the images of the mean codes of a, b and c, and that of the sum. The samples are those that the
    classifier is surest of.
    """
    z = np.asarray(gan.prior(jax.random.key(4), 1000))
    sure = np.asarray(jax.nn.log_softmax(jax.jit(logits)(jnp.asarray(to_pixels(make(jnp.asarray(z)))))))
    means = np.stack([z[np.argsort(-sure[:, label])[:3]].mean(0) for label in range(sure.shape[1])])
    rows = []
    for first in range(min(8, len(means))):
        a, b, c = (means[(first + step) % len(means)] for step in (0, 1, 2))
        rows.append(np.stack([a, b, c, a - b + c]))
    images = to_pixels(make(jnp.asarray(np.concatenate(rows))))
    return tile(images.reshape(len(rows), 4, *images.shape[1:]))
