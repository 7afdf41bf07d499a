"""Linear and deep autoencoders beside PCA: Hinton and Salakhutdinov 2006, "Reducing the Dimensionality of Data".

python -m experiments.autoencoder
    digits (8x8): squared error of a code of 30 numbers 0.15 deep, 0.22 linear (PCA: 0.22), of two numbers 2.63 deep,
    3.39 linear (PCA: 3.39), half a minute on two cores
python -m experiments.autoencoder --data tfds:mnist --kinds deep --codes 30 --hidden 1000 500 250 \\
    --loss cross-entropy --activation silu --steps 20000
    MNIST, the paper's network: squared error 2.81 (PCA: 13.87; the paper: 3.00), 13 minutes on two busy cores
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Literal

import jax
import numpy as np
import optax

from experiments.common.autoencoders import (
    ACTIVATIONS,
    OUTPUTS,
    Scaled,
    check_range,
    check_widths,
    open_scaled,
)
from experiments.common.keys import fixed_key
from jaxgen.games.autoencoder import Trainee, autoencoder_game, params_of, reconstruct
from jaxgen.losses.reconstruction import squared_error
from jaxgen.metrics.batched import over
from jaxgen.metrics.pca import Components, principal_components
from jaxgen.models.autoencoder import Autoencoder, mlp_autoencoder
from jaxgen.run.cli import main
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.viz.latent import interpolate
from jaxgen.viz.pairs import beside
from jaxgen.viz.scatter import scatter

Kind = Literal["linear", "deep"]


@dataclass(frozen=True)
class Config(Common):
    """Options of the autoencoders."""

    steps: int = 6000
    """training steps of the whole run"""
    codes: tuple[int, ...] = (2, 8, 30)
    """sizes of the code, one autoencoder of each kind for each"""
    kinds: tuple[Kind, ...] = ("linear", "deep")
    """kinds of networks, all trained side by side"""
    hidden: tuple[int, ...] = (256, 128)
    """widths of the deep encoder's layers (the decoder has them in reverse)"""
    activation: Literal["relu", "silu", "tanh", "sigmoid"] = "relu"
    """activation of the deep network's hidden layers"""
    loss: Literal["squared", "cross-entropy"] = "squared"
    """what the deep network minimises; the linear one minimises the squared error always"""
    learning_rate: float = 1e-3
    """Adam's step size at the start, for deep networks; it decays to zero as a cosine"""
    linear_rate: float = 1e-2
    """the same for linear networks, whose flat valleys want longer steps"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_widths(self, "codes", "hidden")
        for name in ("learning_rate", "linear_rate"):
            check_range(self, name, 0, above=True)
        for name in ("codes", "kinds"):
            came = getattr(self, name)
            if not came or len(set(came)) < len(came):
                raise ValueError(f"--{name} must be one or more, each once, got {' '.join(map(str, came)) or 'none'}")


def models(config: Config, shape: tuple[int, ...]) -> dict[str, Autoencoder]:
    """Return {"KIND CODE": autoencoder} for data of this shape."""
    return {f"{kind} {code}": model(config, shape, kind, code) for kind in config.kinds for code in config.codes}


def model(config: Config, shape: tuple[int, ...], kind: Kind, code: int) -> Autoencoder:
    """Return one autoencoder."""
    if kind == "linear":
        return mlp_autoencoder(shape, (), code, **config.types)
    activation, mean = ACTIVATIONS[config.activation], OUTPUTS[config.loss].mean
    return mlp_autoencoder(shape, config.hidden, code, activation=activation, mean=mean, **config.types)


def trainees(config: Config, shape: tuple[int, ...]) -> Iterator[tuple[str, Trainee]]:
    """Yield each autoencoder by name, with what it minimises and how."""
    for name, one in models(config, shape).items():
        linear = name.startswith("linear")
        error = squared_error if linear else OUTPUTS[config.loss].error
        rate = optax.cosine_decay_schedule(config.linear_rate if linear else config.learning_rate, config.steps)
        yield name, Trainee(one, reconstruct(one, error), optax.adam(rate))


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = open_scaled(config, config.loss if "deep" in config.kinds else "squared")
    examples, dimensions = len(next(iter(data.data.train.values()))), int(np.prod(data.shape))
    if (most := max(config.codes)) > min(examples, dimensions):
        raise ValueError(
            f"--codes must be at most {min(examples, dimensions)} for the {examples} training examples "
            f"of {dimensions} dimensions of {config.data}, got {most}"
        )
    every = models(config, data.shape)

    def game(config):
        return autoencoder_game(dict(trainees(config, data.shape)))

    @cache
    def pca() -> Components:
        return principal_components(data.some("train", data.held()), most)

    @jax.jit
    def errors(params, key, batch):
        x = data.see(batch)
        return {name: squared_error(x, one.reconstruct(params_of(name, params), x)) for name, one in every.items()}

    def evaluate(state):
        rows = over(partial(errors, state.params), fixed_key(), data.data.validation, batch_size=1000)
        means = {name: values.mean() for name, values in rows.items()}
        # The mean of logarithms: every autoencoder has the same say in which checkpoint is best.
        return {"log_error": np.mean(np.log(list(means.values()))), **{f"error {n}": e for n, e in means.items()}}

    def pictures(state):
        if not data.images:
            return {}
        x = data.some("validation", 10)
        rows = {"data": x, f"PCA {most}": pca().reconstruct(x, most)}
        rows |= {f"{kind} {most}": again(every, state.params, f"{kind} {most}", x) for kind in config.kinds}
        return {"reconstructions": beside(*rows.values(), labels=list(rows), columns=10)}

    def finish(state, progress: Progress) -> Result:
        rows = over(partial(errors, state.params), fixed_key(), data.data.test, batch_size=1000, progress=progress)
        progress("fitting PCA")
        distance = {
            code: over(
                lambda _, b, code=code: pca().errors(data.see(b), code), fixed_key(), data.data.test, batch_size=1000
            )
            for code in config.codes
        }
        names = {name: f"squared error, {name}" for name in every}
        return Result(
            scores={names[name]: rows[name].mean() for name in every},
            baselines={
                names[f"{kind} {code}"]: distance[code].mean() for kind in config.kinds for code in config.codes
            },
            units=dict.fromkeys(names.values(), "per example"),
            better=dict.fromkeys(names.values(), "lower"),
            protocol=protocol(data, len(next(iter(rows.values())))),
            pictures=last_pictures(config, data, every, state.params, pca()),
        )

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="log_error",
        watch_mode="min",
        variant=lambda options: game(replace(config, **options)),
    )


def again(every: dict[str, Autoencoder], params: Any, name: str, x: np.ndarray) -> np.ndarray:
    """Return the reconstruction of x [B, ...] by the autoencoder of this name."""
    return np.asarray(every[name].reconstruct(params_of(name, params), x))


def last_pictures(
    config: Config, data: Scaled, every: dict[str, Autoencoder], params: Any, pca: Components
) -> dict[str, np.ndarray]:
    """Return the planes of the two-dimensional codes, and straight lines between the largest codes."""
    canvases = {}
    if 2 in config.codes:
        canvases["planes"] = planes(config, data, every, params, pca)
    if data.images:
        ends, most = data.some("test", 16), max(config.codes)
        half = len(ends) // 2 or 1
        strips = {}
        for kind in config.kinds:
            one, own = every[f"{kind} {most}"], params_of(f"{kind} {most}", params)
            code = np.asarray(one.encode(own, ends))
            line = interpolate(code[:half], code[-half:], 12).reshape(-1, most)
            strips[f"{kind} {most}"] = np.asarray(one.mean(one.decode(own, line)))
        canvases["interpolation"] = beside(*strips.values(), labels=list(strips), columns=12)
    return canvases


def planes(config: Config, data: Scaled, every: dict[str, Autoencoder], params: Any, pca: Components) -> np.ndarray:
    """Return PCA's plane beside those of the codes of two dimensions, test examples coloured by class."""
    test, names = data.data.test, data.data.classes
    codes = {"PCA": over(lambda _, b: pca.encode(data.see(b), 2), fixed_key(), test, batch_size=1000)}
    for kind in config.kinds:
        encode = jax.jit(lambda own, key, batch, one=every[f"{kind} 2"]: one.encode(own, data.see(batch)))
        codes[kind] = over(partial(encode, params_of(f"{kind} 2", params)), fixed_key(), test, batch_size=1000)
    label = over(lambda _, b: b["label"], fixed_key(), test, batch_size=1000) if names else None
    return np.concatenate(
        [scatter(points, label, title=f"{name}, test set", names=names) for name, points in codes.items()], axis=1
    )


def protocol(data: Scaled, tested: int) -> str:
    """Say how the final scores were made."""
    values = "pixels in [0, 1]" if data.images else "the dimensions as they are"
    return (
        f"{data.data.source}. Squared error summed over {values}, mean of all {tested} test examples, from the "
        f"checkpoint with the best validation errors. Baseline: the projection on as many principal components of "
        f"the training set (scikit-learn)."
    )


if __name__ == "__main__":
    main("autoencoder", Config, build, __doc__)
