"""The experiment of a generator and a discriminator without conditions."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.gan_scores import scores_of
from experiments.common.gans import GANConfig, game_of, networks
from experiments.common.plain import Plain, drawer, generated_by, to_pixels
from jaxgen.game import TrainState
from jaxgen.models.gan import GAN
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment
from jaxgen.viz.images import tile
from jaxgen.viz.latent import interpolate, interpolate_spherically
from jaxgen.viz.pairs import beside
from jaxgen.viz.scatter import scatter

KEY = jax.random.key(0)
BATCH = 128  # examples a step where --batch-size does not say


def build(config: GANConfig) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = Plain(open_data(config))
    gan = networks(config, data.shape)
    draw = drawer(gan)
    scores = scores_of(data, draw, config.features)

    def game(config):
        return game_of(config, gan, config.batch_size or BATCH)

    def finish(state, progress):
        result = scores.finish(state, config.samples, progress)
        return result._replace(pictures=last_pictures(gan, state) if data.images else {})

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(batch)},
        evaluate=scores.evaluate,
        pictures=lambda state: {"samples": samples(data, draw(state, KEY, 64 if data.images else 2000))},
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


def last_pictures(gan: GAN, state: TrainState) -> dict[str, np.ndarray]:
    """Return lines between samples: straight ones, and along great circles."""
    ends = np.asarray(gan.prior(KEY, 10))
    make = jax.jit(lambda z: gan.generate(generated_by(state), state.extra, z))
    strips = {}
    for name, path in (("straight lines", interpolate), ("great circles", interpolate_spherically)):
        z = path(ends[:5], ends[5:], 12).reshape(60, -1)
        strips[name] = to_pixels(make(jnp.asarray(z)))
    return {"interpolation": beside(*strips.values(), labels=list(strips), columns=12)}
