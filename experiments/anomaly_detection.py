"""Anomalies by likelihood: An and Cho 2015, "Variational Autoencoder based Anomaly Detection".

python -m experiments.anomaly_detection
    digits (8x8): AUROC 96.7 % by -log p(x), mean over the ten classes (nearest neighbour: 98.5, PCA: 87.6),
    46 seconds on two cores
python -m experiments.anomaly_detection --data tfds:mnist --latent 16 --steps 5000 --samples 40
    MNIST: AUROC 80.5 % (nearest neighbour: 85.2, PCA: 70.5), 5 minutes on two busy cores. A one, which is simpler
    than all else, is no anomaly to the VAE or the nearest neighbour (40 and 43 %)

A VAE a class, which learns from all other classes; at the end it is to tell test images of the class it has never
seen from the others. All are trained at once, in one compiled step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.latent import HELD, SampledConfig, model
from experiments.common.pictures import vae_pictures
from experiments.common.view import Likelihood, View, view
from jaxgen.data import Dataset, preprocess
from jaxgen.games.left_out import LEFT_OUT, kept, left_out_game
from jaxgen.metrics.anomaly import auroc, nearest_by_class
from jaxgen.metrics.batched import over
from jaxgen.metrics.pca import principal_components
from jaxgen.models.vae import VAE
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.run.seeds import spread
from jaxgen.viz.groups import grouped_bars
from jaxgen.viz.pairs import beside

Array = jax.Array
ELBO, RECONSTRUCTION, LIKELIHOOD = SCORES = ("-ELBO", "-log p(x|z)", "-log p(x)")
NEIGHBOUR, PCA = "nearest neighbour", "PCA"
SHOWN = 12  # most and least anomalous images of each model in the picture
ROWS = 10  # models in a picture, at most


@dataclass(frozen=True)
class Config(SampledConfig):
    """Options of anomaly detection."""

    steps: int = 2000
    """training steps of the whole run"""
    hidden: tuple[int, ...] = (200, 200)
    """widths of the mlp's layers (the decoder has them in reverse)"""
    activation: Literal["tanh", "relu", "silu"] = "silu"
    """activation of every hidden layer"""
    latent: int = 8
    """dimensions of z"""
    likelihood: Likelihood | None = "gaussian"
    """output distribution; a bernoulli sees binary images only, in which much of what is odd is lost"""
    samples: int = 100
    """posterior samples an example of the final scores"""
    samples_chunk: int = 20
    """posterior samples held in memory at once"""
    left_out: tuple[int, ...] | None = None
    """classes to leave out, one model each (default: every class)"""


def classes_left_out(config: Config, data: Dataset) -> tuple[int, ...]:
    """Return the classes to leave out. Raises ValueError where no model can leave them out, or be scored."""
    if "label" not in data.train:
        raise ValueError(f"a class to leave out needs labels: {config.data} has none")
    labels = {part: np.unique(np.asarray(getattr(data, part)["label"])) for part in ("train", "validation", "test")}
    known = tuple(int(kind) for kind in labels["test"])
    for part, there in labels.items():
        if len(there) < 2:
            raise ValueError(f"leaving a class out needs at least two in every part, {part} has {len(there)}")
    chosen = known if config.left_out is None else config.left_out
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(known):
        raise ValueError(f"--left-out must name classes of the test set, each once: {spelled(known)}; got "
                         f"{spelled(chosen) or 'none'}")  # fmt: skip
    return chosen


def spelled(classes: Sequence[int]) -> str:
    """Return numbers with spaces between them."""
    return " ".join(str(kind) for kind in classes)


def anomaly_scores(vae: VAE, params, x: Array, key: Array, *, samples: int, chunk: int) -> dict[str, Array]:
    """Return {name: [B] nats}, higher for what is more anomalous, from the same draws z_k ~ q(z|x).

    "-ELBO": the mean of -log p(x, z_k) / q(z_k|x). "-log p(x|z)": the mean of it, of which exp(-score) is the
    reconstruction probability of An and Cho. "-log p(x)": -log of the mean importance weight.
    """

    def some(key):
        weights = vae.log_weights(params, x)(key, chunk)
        reconstruction = vae.log_weights(params, x, beta=0.0)(key, chunk)
        return weights.mean(0), reconstruction.mean(0), jax.nn.logsumexp(weights, axis=0) - jnp.log(chunk)

    bounds, reconstruction, log_p = jax.lax.map(some, jax.random.split(key, samples // chunk))
    log_p = jax.nn.logsumexp(log_p, axis=0) - jnp.log(len(log_p))
    return dict(zip(SCORES, (-bounds.mean(0), -reconstruction.mean(0), -log_p), strict=True))


def plain(data: Dataset, part: str) -> np.ndarray:
    """Return a part as the baselines see it: real-valued, or intensities in [0, 1]."""
    rows = getattr(data, part)
    if data.levels is None:
        return np.asarray(rows["x"])
    return np.asarray(preprocess.scale(jnp.asarray(np.asarray(rows["image"])), levels=data.levels))


def baseline_scores(data: Dataset, chosen: Sequence[int], size: int) -> dict[str, list[np.ndarray]]:
    """Return {name: a score [N] of every test example for each class left out} of what has no latent variables.

    The squared distance to the nearest training example, and to the plane of `size` principal components (fewer where
    there are fewer dimensions), both in grey intensities.
    """
    train, test = plain(data, "train"), plain(data, "test")
    label = np.asarray(data.train["label"])
    nearest = nearest_by_class(train, label, test, 1 + max(label.max(), *chosen))
    planes = []
    for kind in chosen:
        others = train[label != kind]
        largest = min(len(others), others[0].size)
        planes.append(principal_components(others, min(size, largest)).errors(test, min(size, largest)))
    return {NEIGHBOUR: [np.delete(nearest, kind, axis=1).min(1) for kind in chosen], PCA: planes}


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    chosen = classes_left_out(config, seen.data)
    vae = model(config, seen)
    test = seen.data.test
    labels = np.asarray(test["label"])

    def game(options: Mapping[str, Array | float]):
        own = replace(config, **{name: value for name, value in options.items() if name != LEFT_OUT})
        rate = optax.cosine_decay_schedule(own.learning_rate, config.steps)
        return left_out_game(vae, optax.adam(rate), left_out=options.get(LEFT_OUT, chosen[0]))

    @jax.jit
    def bounds(state, key, batch):
        x = seen.see("validation", key, batch)
        elbo = vae.log_weights(state.params, x)(key, 1)[0]
        return {"elbo": elbo, "kept": kept(batch["label"], state.extra[LEFT_OUT])}

    def evaluate(state):
        rows = over(partial(bounds, state), jax.random.key(1), seen.data.validation, batch_size=1000)
        return {"elbo": np.average(rows["elbo"], weights=rows["kept"])}

    @jax.jit
    def scored(params, key, batch):
        x = seen.see("test", key, batch)
        return anomaly_scores(vae, params, x, key, samples=config.samples, chunk=config.samples_chunk)

    def finish(state, progress: Progress) -> Result:
        batch = max(1, min(1000, HELD // (config.samples_chunk * int(np.prod(seen.shape)))))
        rows = over(partial(scored, state.params), jax.random.key(3), test, batch_size=batch, progress=progress)
        anomalous = labels == int(state.extra[LEFT_OUT])
        return Result(
            scores={name: auroc(values, anomalous) for name, values in rows.items()},
            protocol=seen.protocol(),
            pictures=extremes(seen, rows[LIKELIHOOD]),
        )

    return Experiment(
        game=game({}),
        data=seen.data,
        prepare=partial(seen.batch, "train"),
        evaluate=evaluate,
        pictures=lambda state: vae_pictures(vae, state.params, seen),
        finish=finish,
        watch="elbo",
        variant=game,
        grid={LEFT_OUT: chosen},
        summarise=lambda results: summary(config, seen.data, chosen, results),
    )


def extremes(seen: View, scores: np.ndarray) -> dict[str, np.ndarray]:
    """Return the test images [n, H, W, C] of the highest and of the lowest scores [N], from the extreme one on."""
    if len(seen.shape) != 3:
        return {}
    order = np.argsort(scores)
    image = np.asarray(seen.data.test["image"])
    count = min(SHOWN, len(order) // 2)
    return {
        name: image[rows].astype(np.float32) / (seen.data.levels - 1)
        for name, rows in {"most anomalous": order[::-1][:count], "least anomalous": order[:count]}.items()
    }


def summary(config: Config, data: Dataset, chosen: Sequence[int], results: Sequence[Result]) -> Result:
    """Return the scores of all models as one result; results: class by class, and of each class every seed."""
    names = [data.classes[kind] if data.classes else str(kind) for kind in chosen]
    each = {
        name: np.array([result.scores[name] for result in results]).reshape(len(chosen), config.seeds)
        for name in SCORES
    }  # [classes, seeds]
    truth = np.asarray(data.test["label"])
    trivial = {
        name: np.array([auroc(scores, truth == kind) for scores, kind in zip(rows, chosen, strict=True)])
        for name, rows in baseline_scores(data, chosen, config.latent).items()
    }  # [classes]

    def told(values: np.ndarray):  # [seeds]
        return spread(values) if config.seeds > 1 else float(values[0])

    mean = {f"AUROC of {name}": told(rows.mean(0)) for name, rows in each.items()}
    single = {
        f"AUROC of {LIKELIHOOD}, {name} left out": told(row) for name, row in zip(names, each[LIKELIHOOD], strict=True)
    }
    own = dict(zip(single, trivial[NEIGHBOUR], strict=True))
    series = {**{name: rows.mean(1) for name, rows in each.items()}, **trivial}
    pictures = {"auroc": grouped_bars(series, names, xlabel="class left out", ylabel="AUROC [%]", line=50.0)}
    firsts = results[:: config.seeds][:ROWS]
    for what in firsts[0].pictures:
        strips = [result.pictures[what] for result in firsts]
        pictures[what.replace(" ", "_")] = beside(*strips, labels=[f"without {n}" for n in names[:ROWS]], columns=SHOWN)
    scores = {**mean, f"AUROC of {PCA}": trivial[PCA].mean(), **single}
    return Result(
        scores=scores,
        baselines={**dict.fromkeys([*mean, f"AUROC of {PCA}"], trivial[NEIGHBOUR].mean()), **own},
        units=dict.fromkeys(scores, "%"),
        better=dict.fromkeys(scores, "higher"),
        protocol=protocol(config, results[0].protocol, len(chosen)),
        pictures=pictures,
    )


def protocol(config: Config, seen: str, models: int) -> str:
    """Say how the final scores were made."""
    return (
        f"{seen} {models} models, each trained without one class, and chosen by the mean validation bound of what each "
        f"was trained on. Area under the ROC curve of all test examples, those of the class left out as anomalies, "
        f"meaned over the classes; scores from {config.samples} posterior samples an example, and squared distance to "
        f"the plane of as many principal components as there are latents. Baseline: squared distance to the nearest "
        f"training example that is not of the class, in intensities that are not binarised."
        + (f" Mean and sample standard deviation over {config.seeds} seeds." if config.seeds > 1 else "")
    )


if __name__ == "__main__":
    main("anomaly_detection", Config, build, __doc__)
