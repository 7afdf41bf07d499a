"""Importance weighted autoencoder: Burda, Grosse and Salakhutdinov 2016; gradient of Tucker et al. 2019.

python -m experiments.iwae
    digits (8x8), k = 5
python -m experiments.iwae --data tfds:mnist --k 50 --gradient doubly --start-from RUN
    MNIST, from a finished run's networks: test -log p 84.7 nats with k = 50, 85.0 with k = 5; the whole chain of
    commands and its hours are in RESULTS.md
"""

from dataclasses import dataclass, replace
from typing import Literal

import optax

from experiments.common.latent import Latent, SampledConfig, evaluation, likelihood_scorer, model
from experiments.common.pictures import code_pictures, vae_pictures
from experiments.common.view import view
from jaxgen.games.iwae import doubly, iwae_game, plain
from jaxgen.losses.bounds import importance_weighted
from jaxgen.models.vae import VAE
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.run.start import started

BOUNDS = {"plain": plain, "doubly": doubly}


@dataclass(frozen=True)
class Config(SampledConfig):
    """Options of the importance weighted autoencoder."""

    steps: int = 4000
    """training steps of the whole run"""
    k: int = 5
    """samples of the training bound"""
    gradient: Literal["plain", "doubly"] = "plain"
    """gradient of the bound, or the doubly reparameterised one, of lower variance"""
    start_from: str | None = None
    """folder of a finished run of the same networks (vae, iwae) to start from"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        if self.k < 1:
            raise ValueError(f"--k must be at least 1, got {self.k}")


def latent_of(vae: VAE, k: int) -> Latent:
    """Return the scores' view: the bound of one sample and that of k."""

    def bounds(params, batch, key):
        weights = vae.log_weights(params, batch["x"])(key, k)
        return {"elbo": weights.mean(0), f"bound of {k} samples": importance_weighted(weights)}

    return Latent(lambda params, batch: vae.log_weights(params, batch["x"]), bounds)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    vae = model(config, seen)
    latent = latent_of(vae, config.k)
    evaluate, score = evaluation(latent, seen), likelihood_scorer(config, latent, seen)

    def game(config):
        rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
        own = iwae_game(vae, optax.adam(rate), k=config.k, bound=BOUNDS[config.gradient])
        return started(own, config, same=("activation", "likelihood", "network"))

    def finish(state, progress: Progress) -> Result:
        return score(state.params, progress)._replace(pictures=code_pictures(vae, state.params, seen))

    return Experiment(
        game=game(config),
        data=seen.data,
        prepare=lambda key, batch: {"x": seen.see("train", key, batch)},
        evaluate=lambda state: evaluate(state.params),
        pictures=lambda state: vae_pictures(vae, state.params, seen),
        finish=finish,
        watch=f"bound of {config.k} samples",
        variant=lambda options: game(replace(config, **options)),
    )


if __name__ == "__main__":
    main("iwae", Config, build, __doc__)
