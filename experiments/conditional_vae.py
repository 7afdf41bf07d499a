"""Conditional VAE, p(x|class): Sohn, Lee and Yan 2015, "Learning structured output representation".

python -m experiments.conditional_vae
    digits (8x8): test -log p(x|class) 20.0 nats (independent pixels of each class: 22.5), error of Bayes' rule 7.8 %
    (naive Bayes: 20.7 %), a minute on two busy cores
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.keys import fixed_key
from experiments.common.latent import Latent, SampledConfig, evaluation, likelihood_scorer, model
from experiments.common.view import View, view
from jaxgen.games.vae import vae_game
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.metrics.batched import over
from jaxgen.metrics.likelihood import importance_sampled
from jaxgen.models.conditional import given
from jaxgen.models.vae import VAE
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.viz.images import tile

CLASSIFIED = 50  # importance samples a class of the classifier's log p(x|class)


@dataclass(frozen=True)
class Config(SampledConfig):
    """Options of the conditional VAE."""

    steps: int = 5000
    """training steps of the whole run"""


def latent_of(vae: VAE, classes: int) -> Latent:
    """Return the scores' view of p(x|class)."""

    def here(batch):
        return given(vae, jax.nn.one_hot(batch["label"], classes))

    def bounds(params, batch, key):
        own = here(batch)
        kl = gaussian_kl(*own.encode(params, batch["x"]))
        return {"elbo": own.log_weights(params, batch["x"])(key, 1)[0], "KL": kl}

    return Latent(lambda params, batch: here(batch).log_weights(params, batch["x"]), bounds)


def log_evidence(latent: Latent, seen: View, classes: int, params, key, batch) -> jax.Array:
    """Return log p(x|c) [B, classes] of test examples, by a few importance samples a class."""
    x = seen.see("test", key, batch)

    def one(label):
        weights = latent.log_weights(params, {"x": x, "label": jnp.full(len(x), label)})
        return importance_sampled(weights, key, samples=CLASSIFIED, chunk=CLASSIFIED)

    return jax.lax.map(one, jnp.arange(classes)).T


def by_class(seen: View, classes: int) -> tuple[float, float]:
    """Return what independent dimensions fitted to each class reach: -log p(x|class), and the error of naive Bayes."""
    label, truth = (np.asarray(part["label"]) for part in (seen.data.train, seen.data.test))
    test = np.asarray(seen.some("test", len(truth))["x"])
    train = np.asarray(seen.some("train", len(label))["x"])
    rows = np.stack([seen.trivial(train[label == c])(test) for c in range(classes)], axis=1)
    return -rows[np.arange(len(truth)), truth].mean(), (rows.argmax(1) != truth).mean()


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    if seen.data.classes is None:
        raise ValueError(f"conditional_vae needs a labelled data set, {config.data} has no labels")
    names = seen.data.classes
    vae, classes = model(config, seen), len(names)
    latent = latent_of(vae, classes)
    evaluate, score = evaluation(latent, seen), likelihood_scorer(config, latent, seen)

    def game(config):
        rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
        return vae_game(
            vae, optax.adam(rate), given=lambda vae, batch: given(vae, jax.nn.one_hot(batch["label"], classes))
        )

    @jax.jit
    def draw(params, z):
        """Return every code z [N, D] as every class [N, classes, ...]."""
        wide = jnp.repeat(z, classes, axis=0)
        own = given(vae, jnp.tile(jnp.eye(classes), (len(z), 1)))
        return own.expect(params, wide).reshape(len(z), classes, *seen.shape)

    @jax.jit
    def style(params, x, label):
        return given(vae, jax.nn.one_hot(label, classes)).encode(params, x)[0]

    def pictures(state):
        if len(seen.shape) != 3:
            return {}
        some = seen.some("validation", 8)
        redrawn = draw(state.params, style(state.params, some["x"], some["label"]))
        return {
            "classes": tile(draw(state.params, jax.random.normal(fixed_key(), (8, config.latent)))),
            "styles": tile(jnp.concatenate([some["x"][:, None], redrawn], axis=1)),
        }

    def finish(state, progress: Progress) -> Result:
        result = score(state.params, progress)
        evidence = jax.jit(partial(log_evidence, latent, seen, classes, state.params))
        rows = over(evidence, jax.random.key(5), seen.data.test, batch_size=100, progress=progress)
        error = 100 * (rows.argmax(1) != seen.data.test["label"]).mean()
        trivial, naive = by_class(seen, classes)
        scores = {name.replace("log-likelihood", "log p(x|class)"): value for name, value in result.scores.items()}
        return result._replace(
            scores=scores | {"error of Bayes' rule": error},
            baselines={"negative log p(x|class)": trivial, "error of Bayes' rule": 100 * naive},
            units=dict.fromkeys(scores, "nats") | {"error of Bayes' rule": "%"},
            better={"negative log p(x|class)": "lower", "negative ELBO": "lower", "error of Bayes' rule": "lower"},
            protocol=f"{result.protocol} Here the dimensions are fitted class by class, and the baseline's classifier "
            f"is naive Bayes. Bayes' rule: the class of the largest log p(x|class), k = {CLASSIFIED}, all as likely.",
        )

    return Experiment(
        game=game(config),
        data=seen.data,
        prepare=lambda key, batch: seen.batch("train", key, batch),
        evaluate=lambda state: evaluate(state.params),
        pictures=pictures,
        finish=finish,
        watch="elbo",
        variant=lambda options: game(replace(config, **options)),
    )


if __name__ == "__main__":
    main("conditional_vae", Config, build, __doc__)
