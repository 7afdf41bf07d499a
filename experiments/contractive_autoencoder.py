"""Contractive autoencoder: Rifai et al. 2011, "Contractive Auto-Encoders: Explicit Invariance".

python -m experiments.contractive_autoencoder
    digits (8x8): linear probe 97.2 % (plain autoencoder 95.0 %, raw pixels 96.1 %), mean ||J|| 3.9 (plain 6.8), half a
    minute on two cores
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from experiments.common.autoencoders import (
    ACTIVATIONS,
    OUTPUTS,
    PROBED,
    Scaled,
    check_range,
    check_widths,
    open_scaled,
    probed,
)
from experiments.common.keys import fixed_key
from jaxgen.games.autoencoder import Objective, Trainee, autoencoder_game, params_of, penalised, reconstruct
from jaxgen.losses import contraction
from jaxgen.losses.reconstruction import squared_error
from jaxgen.metrics.batched import over
from jaxgen.models.tied import TiedAutoencoder
from jaxgen.run.cli import main
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.viz.lines import lines
from jaxgen.viz.pairs import beside

Array = jax.Array
PLAIN, CONTRACTIVE = KINDS = ("plain", "contractive")
BATCH = 200  # examples whose Jacobians are held at once
ANALYSED = 500  # test examples whose whole Jacobian is taken, at most


@dataclass(frozen=True)
class Config(Common):
    """Options of the contractive autoencoder and the plain one beside it."""

    steps: int = 6000
    """training steps of the whole run"""
    network: Literal["one-layer", "deep"] = "one-layer"
    """the paper's single layer, or --hidden layers before the code; weights are tied in both"""
    hidden: tuple[int, ...] = (256,)
    """widths of the deep encoder's layers before the code"""
    code: int = 128
    """size of the code"""
    activation: Literal["sigmoid", "tanh"] = "sigmoid"
    """activation of every layer, the code's included"""
    weight: float = 0.1
    """weight of the penalty ||J||_F^2"""
    signs: int = 0
    """random sign vectors that estimate the penalty of a deep network (0: its exact value)"""
    loss: Literal["squared", "cross-entropy"] = "cross-entropy"
    """error of a reconstruction that is minimised"""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to zero as a cosine"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_widths(self, "hidden", "code")
        check_range(self, "weight", 0)
        check_range(self, "signs", 0)
        check_range(self, "learning_rate", 0, above=True)
        if self.network == "deep" and not self.hidden:
            raise ValueError("--hidden must name at least one layer for --network deep, got none")
        if self.network == "one-layer" and self.signs:
            raise ValueError(f"--signs is for --network deep (one layer has a closed form), got {self.signs}")


def model(config: Config, shape: tuple[int, ...]) -> TiedAutoencoder:
    """Return the autoencoder for data of this shape."""
    widths = (*(config.hidden if config.network == "deep" else ()), config.code)
    return TiedAutoencoder(shape, widths, ACTIVATIONS[config.activation], OUTPUTS[config.loss].mean, **config.types)


def penalty(config: Config, one: TiedAutoencoder) -> Objective:
    """Return (params, x, key) -> ||J||_F^2 [B] of the encoder, or its estimate."""
    if config.network == "one-layer":
        return lambda params, x, key: contraction.one_layer(one.slopes(params, x), one.kernel(params, 0))
    if config.signs:
        return lambda params, x, key: contraction.hutchinson(partial(one.encode, params), x, key, samples=config.signs)
    return lambda params, x, key: contraction.exact(partial(one.encode, params), x)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = open_scaled(config, config.loss)
    one, error = model(config, data.shape), OUTPUTS[config.loss].error

    def game(config):
        tx = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        plain = reconstruct(one, error)
        objectives = {PLAIN: plain, CONTRACTIVE: penalised(plain, penalty(config, one), config.weight)}
        return autoencoder_game({name: Trainee(one, objectives[name], tx) for name in KINDS})

    exact = penalty(replace(config, signs=0), one)

    @jax.jit
    def measures(params, key, batch):
        x = data.see(batch)
        return {name: measure(one, error, exact, params_of(name, params), x) for name in KINDS}

    def measured(params, part) -> dict[str, dict[str, float]]:
        rows = over(partial(measures, params), fixed_key(), part, batch_size=BATCH)
        return jax.tree.map(np.mean, rows)

    def evaluate(state):
        kinds = measured(state.params, data.data.validation)
        for name, weight in zip(KINDS, (0.0, config.weight), strict=True):
            kinds[name]["objective"] = kinds[name]["loss"] + weight * kinds[name]["penalty"]
        total = sum(kinds[name]["objective"] for name in KINDS)
        return {"objective": total, **{f"{what} {name}": kinds[name][what] for name in KINDS for what in kinds[name]}}

    def pictures(state):
        if not data.images:
            return {}
        x = data.some("validation", 10)
        again = [one.reconstruct(params_of(name, state.params), x) for name in KINDS]
        return {"reconstructions": beside(x, *again, labels=("data", *KINDS), columns=10)}

    def finish(state, progress: Progress) -> Result:
        encoders = {name: Partial(one.encode, params_of(name, state.params)) for name in KINDS}
        accuracy = probed(data, {**encoders, "raw": Partial(jnp.asarray)}, progress)
        progress("measuring slopes")
        kinds = measured(state.params, data.data.test)
        probe = {f"linear probe, {name}": accuracy[name] for name in KINDS if accuracy}
        slope = {f"contraction ||J||, {name}": kinds[name]["contraction"] for name in KINDS}
        again = {f"squared error, {name}": kinds[name]["error"] for name in KINDS}
        return Result(
            scores={**probe, **slope, **again},
            baselines=dict.fromkeys(probe, accuracy.get("raw")),
            units={**dict.fromkeys(probe, "%"), **dict.fromkeys(again, "per example")},
            better={**dict.fromkeys(probe, "higher"), **dict.fromkeys(again, "lower")},
            protocol=protocol(config, data, probes=bool(probe)),
            pictures={"singular_values": spectrum(data, encoders)},
        )

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="objective",
        watch_mode="min",
        variant=lambda options: game(replace(config, **options)),
    )


def measure(one: TiedAutoencoder, error: Any, exact: Objective, own: Any, x: Array) -> dict[str, Array]:
    """Return what is measured at each example of x [B, ...]: {name: [B]}."""
    output = one.decode(own, one.encode(own, x))
    squared = exact(own, x, fixed_key())
    return {
        "loss": error(x, output),
        "error": squared_error(x, one.mean(output)),
        "penalty": squared,
        "contraction": jnp.sqrt(squared),
    }


def spectrum(data: Scaled, encoders: Mapping[str, Partial]) -> np.ndarray:
    """Return a picture of the singular values of J, averaged over test examples (Rifai et al. 2011, figure 3)."""
    rows = data.rows("test", ANALYSED)
    values = jax.jit(
        lambda encode, key, batch: jnp.linalg.svd(contraction.jacobian(encode, data.see(batch)), compute_uv=False)
    )
    means = {
        name: over(partial(values, encode), fixed_key(), rows, batch_size=50).mean(0)
        for name, encode in encoders.items()
    }
    return lines(
        means,
        title="slopes of the encoder, mean of test examples",
        xlabel="singular value",
        ylabel="of the Jacobian",
        log=True,
    )


def protocol(config: Config, data: Scaled, *, probes: bool) -> str:
    """Say how the final scores were made."""
    probe = (
        f"Probes: logistic regression on the codes (at most {PROBED} of training), all test examples; "
        f"baseline: on the raw data. "
    )
    return (
        f"{data.data.source}. {probe if probes else ''}||J||: Frobenius norm of the encoder's Jacobian, exact, mean "
        f"of all test examples. Squared error: summed over dimensions, mean of all test examples. Both have the "
        f"same network and steps; the penalty's weight is {config.weight:g}. From the checkpoint with the best sum of "
        f"validation objectives."
    )


if __name__ == "__main__":
    main("contractive_autoencoder", Config, build, __doc__)
