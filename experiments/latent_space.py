"""What a latent space is good for: a plain autoencoder beside a VAE with the same networks, trained side by side.

Kingma and Welling 2014; spherical interpolation: White 2016, "Sampling generative networks".

python -m experiments.latent_space
    digits (8x8): squared distance of samples to the data 1.17 by the VAE, 1.66 by the autoencoder (test images: 1.16),
    a minute on two busy cores
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np
import optax
from sklearn.neighbors import NearestNeighbors

from experiments.common.keys import fixed_key
from experiments.common.latent import LatentConfig, decoder, model, trunk
from experiments.common.view import View, view
from jaxgen.games.autoencoder import Trainee, autoencoder_game, params_of, reconstruct
from jaxgen.games.variational import variational
from jaxgen.metrics.batched import over
from jaxgen.models.autoencoder import Autoencoder, CodeEncoder
from jaxgen.run.cli import main
from jaxgen.run.data import first, open_data
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.viz.images import tile
from jaxgen.viz.latent import interpolate, interpolate_spherically, traverse
from jaxgen.viz.pairs import beside
from jaxgen.viz.scatter import scatter

STRIPS, LONG = 6, 12  # interpolations in a picture, images in each
DRAWN = 2000  # samples that are compared with the training set
MOST = 20_000  # training examples that they are compared with


@dataclass(frozen=True)
class Config(LatentConfig):
    """Options of the comparison."""

    steps: int = 4000
    """training steps of the whole run"""
    latent: int = 2
    """dimensions of the code"""


def scaled(seen: View, part: str) -> np.ndarray:
    """Return images of a part as vectors of intensities in [0, 1]."""
    image = first(getattr(seen.data, part), MOST if part == "train" else DRAWN)["image"]
    return image.reshape(len(image), -1) / np.float32(seen.data.levels - 1)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    if len(seen.shape) != 3:
        raise ValueError(f"latent_space draws images, {config.data} has vectors of shape {seen.shape}")
    vae = model(config, seen)
    network, output = decoder(config, seen)
    plain = Autoencoder(CodeEncoder(trunk(config), config.latent, **config.types), network, output.mean)
    models = {"autoencoder": plain, "vae": vae}

    def encode(name, params, x):
        code = models[name].encode(params_of(name, params), x)
        return code[0] if name == "vae" else code

    @partial(jax.jit, static_argnums=0)
    def draw(name, params, code):
        own = models[name]
        return (own.expect if name == "vae" else lambda p, z: own.mean(own.decode(p, z)))(params_of(name, params), code)

    @partial(jax.jit, static_argnums=(0, 1))
    def codes_of(name, part, params, key, batch):
        return encode(name, params, seen.see(part, key, batch))

    def codes(name, part, params):
        return over(partial(codes_of, name, part, params), fixed_key(), getattr(seen.data, part), batch_size=1000)

    def game(config):
        rate = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        error = lambda x, out: -output.log_likelihood(x, out)  # noqa: E731
        return autoencoder_game(
            {
                "autoencoder": Trainee(plain, reconstruct(plain, error), rate),
                "vae": Trainee(vae, variational(vae, error), rate),
            }
        )

    @partial(jax.jit, static_argnums=0)
    def errors_of(part, params, key, batch):
        x = seen.see(part, key, batch)
        return {
            name: -output.log_likelihood(x, models[name].decode(params_of(name, params), encode(name, params, x)))
            for name in models
        }

    def errors(part, params):
        rows = over(partial(errors_of, part, params), fixed_key(), getattr(seen.data, part), batch_size=1000)
        return {f"reconstruction: {name}": values.mean() for name, values in rows.items()}

    def evaluate(state):
        each = errors("validation", state.params)
        return {**each, "reconstruction: both": sum(each.values())}

    def sample(name, params, count):
        """Draw codes of the Gaussian fitted to the training codes (for the VAE it is near the prior)."""
        train = codes(name, "train", params)
        noise = np.random.default_rng(0).standard_normal((count, config.latent))
        root = np.linalg.cholesky(np.cov(train.T).reshape(config.latent, -1) + 1e-8 * np.eye(config.latent))
        return np.asarray(train.mean(0) + noise @ root.T, np.float32)

    def pictures(state):
        x = seen.some("validation", 16)["x"]
        again = [draw(name, state.params, encode(name, state.params, x)) for name in models]
        return {"reconstructions": beside(x, *again, labels=("data", "AE", "VAE"), columns=8)}

    def last_pictures(params):
        canvases, label = {}, seen.data.test.get("label")
        for name in models:
            found = codes(name, "test", params)
            pairs, centre = max(1, min(STRIPS, len(found) // 2)), found.mean(0)
            away = found - centre[None]  # a plain autoencoder's codes lie anywhere: circles are about their middle
            for kind, between in {"linear": interpolate, "spherical": interpolate_spherically}.items():
                ends = centre + between(away[:pairs], away[-pairs:], LONG).reshape(-1, config.latent)
                canvases[f"{kind}_{name}"] = tile(draw(name, params, ends), columns=LONG)
            swept_latents = np.arange(min(8, config.latent))
            spread = np.linspace(-2, 2, LONG)[None] * found.std(0)[swept_latents, None]
            swept = traverse(centre, swept_latents, centre[swept_latents, None] + spread)
            canvases[f"traversal_{name}"] = tile(draw(name, params, swept.reshape(-1, config.latent)), columns=LONG)
            canvases[f"samples_{name}"] = tile(draw(name, params, sample(name, params, 64)))
            if config.latent == 2:
                names = seen.data.classes if label is not None else None
                canvases[f"codes_{name}"] = scatter(found, label, title=f"codes of the test set: {name}", names=names)
        return canvases

    def finish(state, progress: Progress) -> Result:
        params = state.params
        train, test = (scaled(seen, part) for part in ("train", "test"))
        away = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(train)

        def distance(x):
            return (away.kneighbors(x.reshape(len(x), -1))[0] ** 2).mean()

        scores = {}
        for name in models:
            progress(f"samples of the {name}")
            scores[f"distance of samples: {name}"] = distance(
                np.asarray(draw(name, params, sample(name, params, DRAWN)))
            )
        known = dict.fromkeys(scores, distance(test))
        reconstructions = errors("test", params)
        return Result(
            scores=scores | reconstructions,
            baselines=known,
            units=dict.fromkeys(reconstructions, "nats"),
            better=dict.fromkeys([*scores, *reconstructions], "lower"),
            protocol=f"{seen.protocol()} Samples: {DRAWN} codes of the Gaussian fitted to the training codes, decoded; "
            f"squared distance to the nearest of up to {MOST} training images, intensities in [0, 1]; the baseline is "
            f"that of up to {DRAWN} test images. Reconstruction: -log p(x|code) of the test set, at the mean code.",
            pictures=last_pictures(params),
        )

    return Experiment(
        game=game(config),
        data=seen.data,
        prepare=lambda key, batch: {"x": seen.see("train", key, batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="reconstruction: both",
        watch_mode="min",
        variant=lambda options: game(replace(config, **options)),
    )


if __name__ == "__main__":
    main("latent_space", Config, build, __doc__)
