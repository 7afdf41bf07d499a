"""log p(x) of a VAE by naive Monte Carlo, samples of the prior, beside importance sampling by its encoder.

The comparison that motivates the encoder (Doersch 2016, "Tutorial on variational autoencoders", section 2):
most samples of the prior explain a given x hardly at all.

python -m experiments.monte_carlo_likelihood
    digits (8x8): bias of 1000 samples of the prior -0.35 nats, of 10 samples of the encoder -0.09,
    38 seconds on two cores
"""

import time
from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np
import optax

from experiments.common.latent import LatentConfig, evaluation, model
from experiments.common.pictures import vae_pictures
from experiments.common.view import view
from experiments.vae import latent_of
from jaxgen.games.vae import vae_game
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.viz.bands import bands

WAYS = ("prior", "encoder")


@dataclass(frozen=True)
class Config(LatentConfig):
    """Options of the comparison."""

    steps: int = 4000
    """training steps of the whole run"""
    most: int = 10_000
    """samples of the largest estimate; the others have a tenth, a hundredth, ... of it"""
    repeats: int = 10
    """independent estimates of each size"""
    examples: int = 32
    """test examples whose log p is estimated"""
    samples_chunk: int = 50
    """samples held in memory at once"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        for name in ("most", "examples", "samples_chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")
        if self.repeats < 2:
            raise ValueError(f"--repeats must be at least 2 for a spread, got {self.repeats}")


def sizes(most: int) -> list[int]:
    """Return the numbers of samples: most, and its tenths down to one."""
    return sorted({max(1, most // 10**i) for i in range(len(str(most)))})


def estimates(log_weights: np.ndarray, counts: list[int]) -> np.ndarray:
    """Return log of the mean of the first n weights, for each n of counts: [R, N, B] -> [counts, R, B], nats."""
    running = np.logaddexp.accumulate(log_weights.astype(np.float64), axis=1)
    return np.stack([running[:, count - 1] - np.log(count) for count in counts])


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    vae = model(config, seen)
    evaluate = evaluation(latent_of(vae), seen)

    def game(config):
        rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
        return vae_game(vae, optax.adam(rate))

    @partial(jax.jit, static_argnums=0)
    def draw(way, params, x, key):
        """Return one repeat's weights [most, B], some at a time."""
        weights = vae.prior_log_weights(params, x) if way == "prior" else vae.log_weights(params, x)
        keys = jax.random.split(key, -(-config.most // config.samples_chunk))
        return jax.lax.map(lambda k: weights(k, config.samples_chunk), keys).reshape(-1, len(x))[: config.most]

    def measure(way, params, x, progress):
        """Return the weights [R, N, B], and the microseconds that one sample of one example takes."""
        draw(way, params, x, jax.random.key(0)).block_until_ready()
        rows, start = [], time.perf_counter()
        for repeat in range(config.repeats):
            progress(f"samples of the {way}, {repeat}/{config.repeats}")
            rows.append(np.asarray(draw(way, params, x, jax.random.fold_in(jax.random.key(6), repeat))))
        seconds = time.perf_counter() - start
        return np.stack(rows), 1e6 * seconds / (config.repeats * config.most * len(x))

    def finish(state, progress: Progress) -> Result:
        x = seen.some("test", config.examples)["x"]
        counts = sizes(config.most)
        drawn = {way: measure(way, state.params, x, progress) for way in WAYS}
        reference = estimates(drawn["encoder"][0].reshape(1, -1, len(x)), [config.repeats * config.most])[0, 0]
        found = {way: estimates(weights, counts) for way, (weights, _) in drawn.items()}  # [counts, R, B]
        scores = {f"log p, {config.repeats * config.most} samples of the encoder": reference.mean()}
        units = dict.fromkeys(scores, "nats")
        for way in WAYS:
            for count, rows in zip(counts, found[way], strict=True):
                name = f"{way}, {count} sample{'s' * (count > 1)}"
                scores[f"bias: {name}"] = (rows - reference).mean()
                scores[f"spread: {name}"] = np.sqrt(rows.var(0, ddof=1).mean())
                units |= {f"bias: {name}": "nats", f"spread: {name}": "nats"}
            scores[f"cost: {way}, a sample"] = drawn[way][1]
            units[f"cost: {way}, a sample"] = "microseconds"
        picture = {way: rows.mean(2) for way, rows in found.items()}
        return Result(
            scores=scores,
            units=units,
            protocol=f"{seen.protocol()} {len(x)} test examples, {config.repeats} independent estimates of each size. "
            "Bias: mean estimate minus the reference, the estimate of all samples of the encoder together. Spread: "
            "deviation over estimates of one example, root mean square over examples. Cost: wall time of one sample "
            "for one example, many at once; the encoder's own pass is shared by all of them.",
            pictures={
                "estimates": bands(
                    counts, picture, xlabel="samples", ylabel="estimate of log p, mean over examples [nats]"
                )
            },
        )

    return Experiment(
        game=game(config),
        data=seen.data,
        prepare=lambda key, batch: {"x": seen.see("train", key, batch)},
        evaluate=lambda state: evaluate(state.params),
        pictures=lambda state: vae_pictures(vae, state.params, seen),
        finish=finish,
        watch="elbo",
        variant=lambda options: game(replace(config, **options)),
    )


if __name__ == "__main__":
    main("monte_carlo_likelihood", Config, build, __doc__)
