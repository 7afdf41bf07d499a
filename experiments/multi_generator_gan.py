"""Several generators, told apart by the discriminator: Ghosh et al. 2018, "Multi-agent diverse GANs" (MAD-GAN).

python -m experiments.multi_generator_gan
    ring: all 8 modes, 90.6 % of high quality, reverse KL 0.05 nats, 47 seconds on two cores; over ten seeds
    (--seeds 10) 7.7 modes, 91 %, 0.09 nats
"""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from experiments.common.autoencoders import check_range
from experiments.common.gan_config import GANConfig
from experiments.common.gan_scores import scores_of
from experiments.common.gans import ACTIVATIONS, average, head_of, optimisers
from experiments.common.keys import fixed_key
from experiments.common.mirror import mirrored
from experiments.common.plain import Draw, drawer, open_plain, to_pixels
from jaxgen.data.lazy import size
from jaxgen.game import Game
from jaxgen.games.multi_generator import multi_generator_game
from jaxgen.models.gan import GAN, normal
from jaxgen.models.gan_mlp import MLPDiscriminator
from jaxgen.models.multi_generator import MultiGenerator
from jaxgen.run.cli import main
from jaxgen.run.experiment import Experiment
from jaxgen.viz.images import tile
from jaxgen.viz.scatter import scatter

FIXED = (  # options that stay as they are
    "loss",
    "smooth",
    "adversarial",
    "feature_matching",
    "penalty",
    "penalty_weight",
    "penalty_interval",
    "network",
    "init",
    "generator_norm",
    "minibatch",
    "pack",
    "noise",
    "unroll",
    "replay",
    "discriminator_steps",
    "simultaneous",
)


@dataclass(frozen=True)
class Config(GANConfig):
    """Options of the GAN of several generators; its networks are fully connected."""

    generators: int = 8
    """generators, which share all layers but the last two"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_range(self, "generators", 1)
        check_several(self)


def check_several(config: GANConfig) -> None:
    """Raise ValueError for an option that the game of several generators does not have."""
    for name in FIXED:
        if (came := getattr(config, name)) != (only := getattr(GANConfig, name)):
            raise ValueError(f"several generators have --{name.replace('_', '-')} {only} only, got {came}")
    if config.discriminator_norm == "batch":
        raise ValueError("several generators have --discriminator-norm none or spectral only, got batch")


def multi_gan(config: GANConfig, shape: tuple[int, ...], generators: int) -> GAN:
    """Return the networks."""
    act, last = ACTIVATIONS[config.activation], jnp.tanh if len(shape) == 3 else lambda x: x
    widths, types = config.generator_hidden, config.types
    return GAN(
        MultiGenerator(generators, shape, widths[:-1], widths[-1:], act, last, **types),
        MLPDiscriminator(
            config.discriminator_hidden,
            act,
            maxout=config.maxout,
            spectral=config.discriminator_norm == "spectral",
            head=head_of(config, classes=generators + 1),
            **types,
        ),
        normal(config.latent),
    )


def multi_game(config: GANConfig, gan: GAN, examples: int) -> Game:
    """Return the game. examples: in the training set."""
    return multi_generator_game(gan, tx=optimisers(config), ema=average(config, examples))


def one_each(gan: GAN, draw: Draw) -> Draw:
    """Return the draw of the generators in turn."""

    def every(state, key, number, first=0):
        skipped = first % gan.generator.heads
        x = draw(state, key, -(-(skipped + number) // gan.generator.heads))  # [n, heads, ...]
        return x.reshape(-1, *x.shape[2:])[skipped : skipped + number]

    return every


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = open_plain(config)
    gan = multi_gan(config, data.shape, config.generators)
    draw = one_each(gan, drawer(gan))
    scores = scores_of(data, draw, config.features, config.samples)

    def game(config):
        return multi_game(config, gan, size(data.data.train))

    def pictures(state):
        heads = config.generators
        x = draw(state, fixed_key(), 10 * heads if data.images else 2000)
        if data.images:
            return {"samples": tile(np.swapaxes(to_pixels(x).reshape(10, heads, *data.shape), 0, 1))}
        return {"samples": scatter(x, np.arange(len(x)) % heads, title="samples, coloured by generator")}

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(mirrored(config.flip, key, batch))},
        evaluate=scores.evaluate,
        pictures=pictures,
        finish=scores.finish,
        watch=scores.watch,
        watch_mode=scores.mode,
        variant=lambda options: game(replace(config, **options)),
    )


if __name__ == "__main__":
    main("multi_generator_gan", Config, build, __doc__)
