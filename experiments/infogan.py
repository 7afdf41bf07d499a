"""InfoGAN: Chen et al. 2016, "InfoGAN: interpretable representation learning by information maximizing GANs".

python -m experiments.infogan
    digits (8x8), without labels: 85 % of test images in a category of their class, FID 9.9 (that of training
    images: 9.8), 55 seconds on two cores
python -m experiments.infogan --data tfds:mnist --information-from real --information 0.3 --batch-size 128 --width 16
        --steps 6000
    MNIST, categories learned from real images, five seeds: 98.4 to 98.6 %, 95 to 98 % of what is generated in the
    category asked, FID 6 to 9 (training images 2.0), 26 to 43 minutes each on half of two busy cores
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import jax
import numpy as np
import optax

from experiments.common.autoencoders import check_range
from experiments.common.gan_config import ImageGANConfig
from experiments.common.gan_scores import scores_of
from experiments.common.gans import game_of, networks, warn
from experiments.common.keys import fixed_key
from experiments.common.mirror import mirrored
from experiments.common.plain import drawer, generating, open_plain, to_pixels
from jaxgen.data.augment import affine
from jaxgen.data.lazy import size
from jaxgen.games.clustering import Clustering, beside
from jaxgen.games.infogan import READER, Reader, coded, codes_of, information
from jaxgen.metrics.batched import over
from jaxgen.metrics.matching import matched_accuracy
from jaxgen.models.clusterer import Clusterer
from jaxgen.run.cli import main
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.viz.images import tile

AT_THE_END = " With --information-from real it is the last one instead."


@dataclass(frozen=True)
class Config(ImageGANConfig):
    """Options of InfoGAN."""

    steps: int = 4000
    """training steps of the whole run, one of the generator each"""
    discriminator_norm: Literal["none", "batch", "spectral"] = "batch"
    """normalisation of the discriminator; spectral is of its weights"""
    generator_rate: float = 1e-3
    """step size of the generator"""
    discriminator_rate: float = 2e-4
    """step size of the discriminator"""
    latent: int = 62
    """dimensions of the noise, beside the codes"""
    categories: int = 10
    """values of the categorical code"""
    continuous: int = 2
    """continuous codes, uniform in [-1, 1]"""
    information: float = 1.0
    """weight of the categorical code's bound, in both losses"""
    smoothness: float = 0.1
    """weight of the continuous codes' bound, in both losses"""

    information_from: Literal["generated", "real"] = "generated"
    """whose images q(c|x) of the categories learns from: the generated, whose codes are known, or the real, which it
    clusters (Hu et al. 2017, "IMSAT") and whose categories the generator follows in the last quarter of the run, whose
    end is scored"""
    attempts: int = 4
    """independent clusterings, of which the one with the most information is read; for --information-from real"""
    reader_hidden: tuple[int, ...] = (400, 400)
    """widths of the layers that cluster"""
    reader_rate: float = 2e-3
    """step size of the clustering"""
    distortion: float = 0.4
    """how strongly images are turned, scaled, sheared and shifted for it; 1 means by up to 17 degrees, 16 % in size,
    0.3 of shear and 9 % of the side"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_range(self, "categories", 2)
        check_range(self, "attempts", 1)
        for name in ("continuous", "information", "smoothness", "reader_rate", "distortion"):
            check_range(self, name, 0)
        if not self.reader_hidden or min(self.reader_hidden) < 1:
            raise ValueError(f"--reader-hidden must be one width at least, each at least 1, got {self.reader_hidden}")
        if self.replay:
            raise ValueError(f"--replay must be 0 for InfoGAN: what is replayed has lost its codes, got {self.replay}")
        if self.pack > 1:
            raise ValueError(f"--pack must be 1 for InfoGAN, whose codes are read off single examples, got {self.pack}")


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = open_plain(config)
    clustering = clustering_of(config, data.images)
    codes = config.continuous if clustering else config.categories + config.continuous
    gan = networks(config, data.shape, prior=coded(config.latent, config.categories, config.continuous))
    reader = Reader(max(codes, 1), **config.types)
    both = generating(gan)
    draw = drawer(gan, with_=both)
    scores = scores_of(data, draw, config.features, config.samples)

    warn(config)

    def game(config):
        terms = information(
            reader,
            config.categories,
            config.continuous,
            weight=config.information,
            smooth=config.smoothness,
            clustering=clustering,
        )
        heads = {READER: reader} if codes else {}
        game = game_of(config, gan, size(data.data.train), heads=heads, terms=terms)
        return beside(game, clustering, optax.adam(config.reader_rate)) if clustering else game

    def category(params, extra, x):
        """Return the category [B] that q(c|x) sees in x."""
        if clustering:
            return clustering.logits(params, extra, x).argmax(-1)
        features = gan.judge(params, extra, x).features
        return reader.apply({"params": params[READER]}, features)[:, : config.categories].argmax(-1)

    read = jax.jit(lambda params, extra, key, batch: category(params, extra, data.see(batch)))

    def accuracy(state, part):
        """Return how often a category, matched to the class it most often is in training, names the right class."""
        if "label" not in data.data.train:
            return {}
        see = partial(read, state.params, state.extra)
        train = data.rows("train", 5000)
        test = getattr(data.data, part)
        found = [over(see, fixed_key(), rows, batch_size=500) for rows in (train, test)]
        truth = over(lambda _, batch: batch["label"], fixed_key(), test, batch_size=500)
        return {"accuracy of categories": 100 * matched_accuracy(found[0], train["label"], found[1], truth)}

    @jax.jit
    def as_asked(params, extra, key, batch):
        """Return whether q(c|x) reads off each of what is generated the category that it was generated with, [B]."""
        z = gan.prior(key, len(batch["index"]))
        asked = codes_of(z, config.categories, config.continuous)[0].argmax(-1)
        return category(params, extra, gan.generate(params, extra, z)) == asked

    def followed(state):
        """Return how often q(c|x) reads off what is generated the category that it was generated with."""
        index = {"index": np.arange(2000, dtype=np.int32)}
        found = over(partial(as_asked, *both(state)), fixed_key(), index, batch_size=500)
        return {"generated in the category asked": 100 * float(found.mean())}

    def evaluate(state):
        found = scores.evaluate(state) | {
            name.replace(" ", "_"): value for name, value in accuracy(state, "validation").items()
        }
        if clustering:  # an earlier generator may draw better, and follow no category yet
            found["fid_at_the_end"] = found[scores.watch] if state.step >= config.steps else np.nan
        return found

    def pictures(state):
        if not data.images:
            return {}
        params, extra = both(state)
        make = jax.jit(lambda z: gan.generate(params, extra, z))
        return {
            name: tile(to_pixels(make(z.reshape(-1, z.shape[-1])).reshape(*z.shape[:2], *data.shape)))
            for name, z in sweeps(gan.prior(fixed_key(), 8), config.categories, config.continuous).items()
        }

    def finish(state, progress: Progress) -> Result:
        result = scores.finish(state, progress)
        found = accuracy(state, "test") | followed(state)
        return result._replace(
            scores=found | dict(result.scores),
            units=dict.fromkeys(found, "%") | dict(result.units),
            better=dict.fromkeys(found, "higher") | dict(result.better),
            protocol=f"{result.protocol}{AT_THE_END if clustering else ''} Accuracy of categories: the category that "
            "q(c|x) reads in a test example stands for the class it most often is among 5000 training examples; labels "
            "serve nothing else. Generated in the category asked: 2000 samples, as q(c|x) reads them.",
        )

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(mirrored(config.flip, key, batch))},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="fid_at_the_end" if clustering else scores.watch,
        watch_mode=scores.mode,
        variant=lambda options: game(replace(config, **options)),
    )


def clustering_of(config: Config, images: bool) -> Clustering | None:
    """Return the clustering of these options, or None. Raises ValueError for data that cannot be distorted."""
    if config.information_from == "generated":
        return None
    if not images:
        raise ValueError(f"--information-from real distorts images, the examples of {config.data} are none")
    strength = config.distortion
    augment = partial(affine, rotate=0.3 * strength, scale=0.15 * strength, shear=0.3 * strength, shift=0.09 * strength)
    clusterer = Clusterer(config.categories, config.reader_hidden, **config.types)
    return Clustering(clusterer, augment, config.steps * 3 // 4, config.attempts)


def sweeps(z: jax.Array, categories: int, continuous: int) -> dict[str, np.ndarray]:
    """Return {name: z [rows, columns, D]}: every category for each noise, and each continuous code from -2 to 2."""
    z = np.asarray(z)
    first = z.shape[1] - categories - continuous
    grid = np.repeat(z[:, None], categories, axis=1)
    grid[:, :, first : first + categories] = np.eye(categories)[None]
    named = {"categories": grid}
    for number in range(continuous):
        rows = np.repeat(grid[0][:, None], 10, axis=1)
        rows[:, :, first + categories :] = 0
        rows[:, :, first + categories + number] = np.linspace(-2, 2, 10)[None]
        named[f"code {number + 1}"] = rows
    return named


if __name__ == "__main__":
    main("infogan", Config, build, __doc__)
