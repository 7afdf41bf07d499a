"""Deep feature consistent VAE beside a plain one: Hou et al. 2017, "Deep Feature Consistent Variational Autoencoder".

python -m experiments.dfc_vae
    digits (8x8), mean of seeds 0 to 2: 92.4 % of reconstructions classified rightly (plain: 94.0 %), squared error
    of pixels 1.64 (plain: 1.30), feature distance 0.164 (plain: 0.160), at 5.3 nats of KL (plain: 5.6), 40 seconds on
    two cores: at about as many nats nothing is gained on images this small
python -m experiments.dfc_vae --data tfds:mnist --feature-weight 2000 --steps 600 --evaluations 2
    96.8 % classified rightly (plain: 95.0 %), squared error 12.1 (12.4), feature distance 0.024 (0.032), at 28.2 nats
    of KL (28.8), one seed, 2 minutes on two cores; with the digits' weight of 30 the feature VAE's KL is 0 here
python -m experiments.dfc_vae --data photos --features vgg19.npz
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.against import summarise_against
from experiments.common.autoencoders import ACTIVATIONS, Scaled, check_range, check_widths
from experiments.common.keys import fixed_key
from experiments.common.variants import variant
from jaxgen.data.lazy import size
from jaxgen.games.autoencoder import Trainee, autoencoder_game, params_of
from jaxgen.games.variational import variational
from jaxgen.losses.classification import error
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.losses.likelihoods import gaussian
from jaxgen.losses.perceptual import feature_distance
from jaxgen.losses.reconstruction import squared_error
from jaxgen.metrics.batched import over
from jaxgen.models.vae import VAE, Decoder, Encoder, Output
from jaxgen.models.vgg import LAYERS, vgg_features
from jaxgen.nn.conv import ConvTower, DeconvTower
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.run.features import NAMES, feature_network
from jaxgen.viz.pairs import beside

ARMS = ("feature", "pixel")
# A squared error behind a sigmoid has no gradient where it saturates: on MNIST both VAEs stay black.
LINEAR = Output(lambda x, output: gaussian(x, output, 0.0), lambda output: output)
UNITS = {
    "squared error of pixels": "an image",
    "feature distance": "thousandths an image",
    "KL": "nats",
    "classified rightly": "%",
}


@dataclass(frozen=True)
class Config(Common):
    """Options of the deep feature consistent VAE."""

    steps: int = 1500
    """training steps of the whole run"""
    channels: tuple[int, ...] = (32, 64)
    """channels of the encoder's convolutions, each of which halves the image (the decoder has them in reverse)"""
    activation: Literal["relu", "silu", "tanh"] = "relu"
    """activation of every hidden layer"""
    latent: int = 16
    """dimensions of z, of both VAEs"""
    features: str | None = None
    """weights of VGG-16 or VGG-19, .npz or .safetensors (default: a classifier of the data, trained first)"""
    layers: tuple[str, ...] | None = None
    """layers that are compared (default: relu1_1 relu2_1 relu3_1 of VGG; stage1 stage2 stage3 of the classifier)"""
    over: Literal["sum", "mean"] = "mean"
    """how squared differences within a layer are added up"""
    feature_weight: float = 30.0
    """weight of the feature distance beside the KL"""
    pixel_weight: float = 10.5
    """weight of half the squared error of pixels beside the KL, for the plain VAE"""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to zero as a cosine"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_widths(self, "channels", "latent")
        if not self.channels:
            raise ValueError("--channels must name at least one layer, got none")
        check_range(self, "learning_rate", 0)
        for name in ("feature_weight", "pixel_weight"):
            check_range(self, name, 0, above=True)


def features_of(config: Config, data: Scaled) -> tuple[Callable, Callable | None, str]:
    """Return images -> features, images -> logits where there are any, and a word on the network.

    Raises ValueError for a file or layers that cannot be used, or data that no classifier can learn.
    """
    if config.features is not None:
        apply = vgg_features(config.features, config.layers or LAYERS)
        jax.eval_shape(apply, jnp.zeros((1, *data.shape)))  # layers too deep for the images are refused here
        return apply, None, f"VGG with the weights {config.features}"
    layers = config.layers or NAMES[:-1]
    if unknown := [name for name in layers if name not in NAMES]:
        raise ValueError(f"--layers must be of {' '.join(NAMES)} without --features, got {' '.join(unknown)}")
    if "label" not in data.data.train:
        raise ValueError(f"--features must name a file for data without labels to learn features by, as {config.data}")
    network = feature_network(data.data)
    places = [NAMES.index(name) for name in layers]
    return (
        lambda x: tuple(network.apply(x)[place] for place in places),
        network.logits,
        f"a convolutional classifier of the training set (test accuracy {100 * network.accuracy:.1f} %), the one that "
        "also says which class a reconstruction is of",
    )


def model(config: Config, shape: tuple[int, ...]) -> VAE:
    """Return the networks of one VAE of images of this shape."""
    activation = ACTIVATIONS[config.activation]
    there = ConvTower(config.channels, activation, **config.types)
    back = DeconvTower(config.channels[::-1], shape[:2], activation, **config.types)
    encoder, decoder = Encoder(there, config.latent, **config.types), Decoder(back, shape, **config.types)
    return VAE(encoder, decoder, LINEAR, config.latent)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = Scaled(open_data(config))
    if not data.images:
        raise ValueError(f"--data must be images, {config.data} is real-valued")
    if config.layers == ():
        raise ValueError("--layers must name at least one layer, got none")
    vae = model(config, data.shape)
    features, logits, network = features_of(config, data)

    names = [name for name in UNITS if logits is not None or name != "classified rightly"]

    def distance(x, again):
        return feature_distance(features(x), features(again), over=config.over)

    terms = {
        "feature": lambda x, again: config.feature_weight * distance(x, again),
        "pixel": lambda x, again: config.pixel_weight * 0.5 * squared_error(x, again),
    }
    objectives = {name: variational(vae, term) for name, term in terms.items()}

    def game(config):
        tx = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        return autoencoder_game({name: Trainee(vae, objective, tx) for name, objective in objectives.items()})

    @jax.jit
    def losses(params, key, batch):
        x = data.see(batch)
        return {name: one(params_of(name, params), x, key) for name, one in objectives.items()}

    @jax.jit
    def scores(params, key, batch):
        x, found = data.see(batch), {}
        for name in ARMS:
            own = params_of(name, params)
            mean, log_scale = vae.encode(own, x)
            again = vae.expect(own, mean)
            found[title("squared error of pixels", name)] = squared_error(x, again)
            found[title("feature distance", name)] = 1000 * distance(x, again)
            found[title("KL", name)] = gaussian_kl(mean, log_scale)
            if logits is not None:
                found[title("classified rightly", name)] = 100 * (1 - error(batch["label"], logits(again)))
        return found

    def evaluate(state):
        rows = over(partial(losses, state.params), fixed_key(), data.data.validation, batch_size=500)
        means = {f"objective {name}": values.mean() for name, values in rows.items()}
        # The mean of logarithms: both have the same say in which checkpoint is best.
        return {"log_objective": np.mean(np.log(list(means.values()))), **means}

    @jax.jit
    def again(params, x):
        own = {name: params_of(name, params) for name in ARMS}
        return {name: vae.expect(own[name], vae.encode(own[name], x)[0]) for name in ARMS}

    @jax.jit
    def drawn(params, z):
        return {name: vae.expect(params_of(name, params), z) for name in ARMS}

    def pictures(state):
        x = data.some("validation", 24)
        rows = {"data": x, **again(state.params, x)}
        samples = drawn(state.params, jax.random.normal(fixed_key(), (36, config.latent)))
        return {
            name: beside(*map(np.asarray, kinds.values()), labels=list(kinds), columns=12)
            for name, kinds in (("reconstructions", rows), ("samples", samples))
        }

    def finish(state, progress: Progress) -> Result:
        rows = over(partial(scores, state.params), fixed_key(), data.data.test, batch_size=500, progress=progress)
        found = {title(name, arm): rows[title(name, arm)].mean() for name in names for arm in ARMS}
        return Result(
            scores=found,
            units={name: UNITS[name.partition(",")[0]] for name in found},
            better={name: "higher" if name.startswith("classified") else "lower" for name in found if "KL" not in name},
            protocol=f"{data.data.source}. Two VAEs of the same networks, latent size and training: the one's "
            f"reconstruction term is {config.feature_weight:g} times the feature distance (half the squared "
            f"difference, {config.over} of a layer's features, layers added up), the other's {config.pixel_weight:g} "
            f"times half the squared error of pixels in [0, 1]. Features: {network}. Scores of all "
            f"{size(data.data.test)} test images, reconstructed from the posterior's mean; "
            f"baseline: the plain VAE. From the checkpoint with the best validation objectives.",
        )

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="log_objective",
        watch_mode="min",
        variant=variant("dfc_vae", game, config, "learning_rate"),
        summarise=partial(summarise_against, {title(name, ARMS[0]): title(name, ARMS[1]) for name in names}),
    )


def title(score: str, arm: str) -> str:
    """Return the name of a score."""
    return f"{score}, {arm} VAE"


if __name__ == "__main__":
    main("dfc_vae", Config, build, __doc__)
