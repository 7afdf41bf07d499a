"""Few labels: a denoising autoencoder of all images, then a classifier of few (Vincent et al. 2010, Erhan et al. 2010).

python -m experiments.semi_supervised
    digits (8x8), five seeds: test error 22.8 % of 20 labels (from scratch: 25.6 %), 10.1 % of 100 (10.5 %), 20 seconds
    on two cores
python -m experiments.semi_supervised --data tfds:mnist --labels 100 1000 --steps 20000 --hidden 500 --code 64
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.against import summarise_against
from experiments.common.autoencoders import OUTPUTS, Scaled, check_range, check_widths
from experiments.common.keys import fixed_key
from experiments.common.variants import variant
from jaxgen.data import corrupt
from jaxgen.data.lazy import size, take_rows
from jaxgen.data.subset import balanced_subset, check_balanced
from jaxgen.games.autoencoder import Trainee, autoencoder_game, params_of, reconstruct
from jaxgen.games.classifier import classifier_game
from jaxgen.losses.classification import error
from jaxgen.metrics.batched import over
from jaxgen.models.autoencoder import mlp_autoencoder
from jaxgen.models.classifier import Classifier, Head
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.run.train import train_function
from jaxgen.viz.pairs import beside

NAME = "autoencoder"  # of the one player
ARMS = ("pretrained", "from scratch")
STANDARDISED = 5000  # training examples, at most, whose codes are given zero mean and unit variance


@dataclass(frozen=True)
class Config(Common):
    """Options of semi-supervised learning."""

    steps: int = 2000
    """training steps of the autoencoder"""
    seeds: int = 5
    """how many seeds to train at once; each has its own labelled examples"""
    labels: tuple[int, ...] = (20, 100)
    """numbers of labelled examples, as many of each class"""
    hidden: tuple[int, ...] = (256,)
    """widths of the encoder's layers (the decoder has them in reverse)"""
    code: int = 32
    """dimensions of the code, which a linear head classifies"""
    noise: float = 0.5
    """standard deviation of the normal noise on everything the encoder sees in training"""
    learning_rate: float = 1e-3
    """Adam's step size at the start, for the autoencoder; all step sizes decay to zero as a cosine"""
    fine_steps: int = 300
    """training steps of each classifier"""
    fine_rates: tuple[float, ...] = (1e-3, 3e-3)
    """Adam's step sizes to try for the encoder of a classifier; validation error chooses, for each on its own"""
    head_rate: float = 1e-2
    """Adam's step size for the linear head"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_widths(self, "code", "hidden", "labels")
        check_range(self, "noise", 0)
        for name in ("learning_rate", "head_rate"):
            check_range(self, name, 0, above=True)
        if self.fine_steps < 1:
            raise ValueError(f"--fine-steps must be at least 1, got {self.fine_steps}")
        if not self.fine_rates or not all(0 < rate < np.inf for rate in self.fine_rates):
            raise ValueError(f"--fine-rates must be one or more, above 0 and finite, got {self.fine_rates}")
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"--labels must be one or more numbers, each once, got {self.labels}")


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for data without labels, or with fewer than asked for."""
    data = Scaled(open_data(config))
    classes, label = check_labels(config, data)
    kind = OUTPUTS["cross-entropy" if data.images else "squared"]
    noisy = partial(corrupt.gaussian, level=config.noise)
    model = mlp_autoencoder(data.shape, config.hidden, config.code, activation=nn.relu, mean=kind.mean, **config.types)
    classifier = Classifier(model.encoder, Head(classes, **config.types))

    def game(config):
        tx = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        return autoencoder_game({NAME: Trainee(model, reconstruct(model, kind.error, noisy), tx)})

    @jax.jit
    def errors(params, key, batch):
        x = data.see(batch)
        return kind.error(x, model.decode(params, model.encode(params, noisy(key, x))))

    def evaluate(state):
        own = params_of(NAME, state.params)
        return {"error": over(partial(errors, own), fixed_key(), data.data.validation, batch_size=1000).mean()}

    def pictures(state):
        if not data.images:
            return {}
        x = data.some("validation", 10)
        seen = noisy(fixed_key(), x)
        rows = {"data": x, "noisy": seen, "model": model.reconstruct(params_of(NAME, state.params), seen)}
        return {"reconstructions": beside(*map(np.asarray, rows.values()), labels=list(rows), columns=10)}

    @jax.jit
    def fine_tune(encoders, x, label, key):
        """Return the parameters [arm, rate] of classifiers that start from encoders [arm], on x [n, ...]."""

        def one(encoder, rate):
            fresh = jax.tree.map(jnp.zeros_like, classifier.init(key, x[:1])["head"])
            rates = {
                name: optax.cosine_decay_schedule(r, config.fine_steps)
                for name, r in {"body": rate, "head": config.head_rate}.items()
            }
            tx = optax.partition({name: optax.adam(r) for name, r in rates.items()}, {name: name for name in rates})
            train = train_function(
                classifier_game(classifier, tx, start={"body": encoder, "head": fresh}),
                {"x": x, "label": label},
                steps=config.fine_steps,
                batch_size=min(100, len(x)),
                prepare=lambda key, batch: {"x": noisy(key, batch["x"]), "label": batch["label"]},
            )
            return train(key)[0].params

        each_rate = jax.vmap(one, in_axes=(None, 0))
        return jax.vmap(each_rate, in_axes=(0, None))(encoders, jnp.array(config.fine_rates))

    @jax.jit
    def wrong(params, key, batch):
        x = data.see(batch)
        score = jax.vmap(jax.vmap(lambda own: error(batch["label"], classifier.logits(own, x))))
        return jnp.moveaxis(score(params), -1, 0)

    def finish(state, progress: Progress) -> Result:
        key = jax.random.fold_in(state.key, config.steps)  # the seed's own, which no step has had
        some = data.some("train", STANDARDISED)
        encoders = [
            standardised(model.encoder, encoder, some)
            for encoder in (params_of(NAME, state.params)["encoder"], model.encoder.init(key, some[:1]))
        ]
        encoders = jax.tree.map(lambda *leaves: jnp.stack(leaves), *encoders)
        scores = {}
        for count in config.labels:
            progress(f"fine-tuning on {count} labels")
            index = balanced_subset(key, label, count, classes)
            rows = take_rows(data.data.train, index)
            params = fine_tune(encoders, data.see(rows), jnp.asarray(rows["label"]), key)
            found = {
                part: over(partial(wrong, params), fixed_key(), getattr(data.data, part), batch_size=1000).mean(0)
                for part in ("validation", "test")
            }
            for arm, name in enumerate(ARMS):
                best = found["validation"][arm].argmin()
                scores[title(count, name)] = 100 * found["test"][arm, best]
        return Result(
            scores=scores,
            units=dict.fromkeys(scores, "%"),
            better=dict.fromkeys(scores, "lower"),
            protocol=f"{data.data.source}. Error on all {size(data.data.test)} test examples of a linear head and an "
            f"encoder, tuned together for {config.fine_steps} steps on a class-balanced draw of the labels, a draw a "
            f"seed. The encoder is that of a denoising autoencoder of the whole training set, from the checkpoint with "
            f"the best validation error, or fresh (the baseline); both get the same labels, steps, noise and batches, "
            f"start with codes of unit variance, and have the best of the step sizes {config.fine_rates} by "
            f"validation error.",
        )

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="error",
        watch_mode="min",
        variant=variant("semi_supervised", game, config, "learning_rate"),
        summarise=partial(summarise_against, {title(count, ARMS[0]): title(count, ARMS[1]) for count in config.labels}),
    )


def title(count: int, arm: str) -> str:
    """Return the name of a score."""
    return f"test error, {count} labels, {arm}"


def check_labels(config: Config, data: Scaled) -> tuple[int, np.ndarray]:
    """Return the number of classes and the training labels [N]. Raises ValueError where they are missing or too few."""
    if "label" not in data.data.train:
        raise ValueError(f"--data must have labels for the classifier to learn, {config.data} has none")
    label = np.asarray(data.data.train["label"])
    classes = len(data.data.classes) if data.data.classes else 1 + int(label.max())
    for count in config.labels:
        try:
            check_balanced(label, count, classes)
        except ValueError as error:
            raise ValueError(f"--labels {count} of {config.data}: {error}") from None
    return classes, label


def standardised(encoder: nn.Module, params: Any, x: np.ndarray) -> Any:
    """Return parameters with which the codes of x [N, ...] have mean zero and variance one, by the last layer."""
    code = jax.jit(encoder.apply)(params, x)
    mean, scale = code.mean(0), code.std(0) + 1e-4
    last = params["params"]["Dense_0"]
    last = {"kernel": last["kernel"] / scale.reshape(1, -1), "bias": (last["bias"] - mean) / scale}
    return {"params": {**params["params"], "Dense_0": last}}


if __name__ == "__main__":
    main("semi_supervised", Config, build, __doc__)
