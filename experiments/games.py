"""Small games whose trajectories are known: min x max of x y, and the Dirac-GAN under every loss and regulariser.

Mescheder et al. 2018, "Which training methods for GANs do actually converge?"

python -m experiments.games
    70 games: linear ones 2e-6 from their closed forms in 1000 steps, the others 3e-6 from steps by hand; R1, R2 and
    Nagarajan and Kolter's into the equilibrium under every loss, a penalty centred at one under none; 19 seconds
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.autoencoders import check_range
from experiments.common.dirac_by_hand import BIAS, descent, matrix, repeated, velocity
from jaxgen.data import Dataset
from jaxgen.game import Game
from jaxgen.games.dirac import PSI, THETA, Losses, bilinear, dirac, point_game
from jaxgen.games.side_by_side import own, side_by_side
from jaxgen.losses import adversarial, penalties
from jaxgen.run.cli import main
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.step import init, make_step
from jaxgen.viz.fields import Field, fields

START = (1.0, 1.0)
LOSSES = {
    "minimax": adversarial.minimax,
    "non-saturating": adversarial.non_saturating,
    "least squares": adversarial.least_squares,
    "hinge": adversarial.hinge,
    "Wasserstein": adversarial.wasserstein,
    "relativistic": adversarial.relativistic,
    "x y": bilinear,
}
METHODS = ("none", "in turn", "clipping", "noise", "Nagarajan-Kolter")
PENALTIES = {
    "gradient": penalties.gradient,
    "one-sided": penalties.one_sided,
    "zero-centred": penalties.zero_centred,
    "R1": penalties.r1,
    "R2": penalties.r2,
    "R1 + R2": penalties.r1_r2,
    "Roth": penalties.jensen_shannon,
}
GANS = tuple(loss for loss in LOSSES if loss != "x y")
FITS = {"Roth": GANS[:2]}  # the losses of a regulariser that is not for all: Roth's is of a discriminator's probability
PICTURES = {  # (loss, regulariser) of each panel
    "x_y": [("x y", "none"), ("x y", "in turn")],
    "methods": [(loss, method) for method in METHODS for loss in GANS],
    "penalties": [(loss, penalty) for penalty in PENALTIES for loss in FITS.get(penalty, GANS)],
}
CASES = [case for cases in PICTURES.values() for case in cases]


@dataclass(frozen=True)
class Config(Common):
    """Options of the small games."""

    data: str = "dirac"
    """the data are a point at zero: there is no other set"""
    steps: int = 1000
    """steps of every game"""
    rate: float = 0.02
    """step size of both players"""
    weight: float = 1.0
    """weight of the penalties (of Roth's four times as much, whose effect at the equilibrium is a quarter)"""
    noise: float = 1.0
    """deviation of instance noise"""
    clip: float = 0.5
    """bound of a clipped discriminator"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        for name in ("rate", "clip"):
            check_range(self, name, 0, above=True)
        for name in ("weight", "noise"):
            check_range(self, name, 0)
        if self.data != "dirac":
            raise ValueError(f"the games' data are a point: --data must be dirac, got {self.data}")


def losses_of(config: Config, loss: str, regulariser: str) -> Losses:
    """Return the losses of one game."""
    return dirac(
        LOSSES[loss],
        PENALTIES.get(regulariser),
        weight_of(config, regulariser),
        bias=BIAS.get(loss, 0.0),
        noise=config.noise if regulariser == "noise" else 0.0,
        steady=config.weight if regulariser == "Nagarajan-Kolter" else None,
    )


def weight_of(config: Config, regulariser: str) -> float:
    """Return a regulariser's weight."""
    return 4 * config.weight if regulariser == "Roth" else config.weight


def linear_step(config: Config, loss: str, regulariser: str) -> np.ndarray | None:
    """Return the matrix [2, 2] of one game's step, None where it is not linear."""
    return matrix(loss, regulariser, rate=config.rate, weight=config.weight)


def by_hand(config: Config, loss: str, regulariser: str) -> Field:
    """Return one game's field by formulas, with the points [steps + 1, 2] that its steps must come by."""
    at = velocity(loss, regulariser, weight=weight_of(config, regulariser), noise=config.noise)
    linear = linear_step(config, loss, regulariser)
    if linear is not None:
        return Field(at, repeated(linear, START, config.steps))
    clip = config.clip if regulariser == "clipping" else None
    turns = regulariser == "in turn"
    return Field(at, descent(at, START, config.steps, rate=config.rate, alternating=turns, clip=clip))


def every_game(config: Config) -> Game:
    """Return all games in one; those that are played alike are one game of many points."""

    def played(regularisers, **options) -> Game:
        named = {_named(*case): losses_of(config, *case) for case in CASES if case[1] in regularisers}
        return point_game(named, start=START, rate=config.rate, **options)

    others = {regulariser for _, regulariser in CASES} - {"in turn", "clipping"}
    return side_by_side(
        {
            "at once": played(others),
            "in turn": played({"in turn"}, alternating=True),
            "clipped": played({"clipping"}, clip=config.clip),
        }
    )


def build(config: Config) -> Experiment:
    """Return the experiment."""
    part = {"x": np.zeros((8, 1), np.float32)}
    data = Dataset("dirac", part, part, part, "a point at zero")

    def mean_distance(state) -> float:
        return float(np.mean([np.linalg.norm(point) for point in points(state.params).values()]))

    def finish(state, progress: Progress) -> Result:
        progress("following the trajectories")
        paths = trajectories(every_game(config), config.steps)
        truths = {case: by_hand(config, *case) for case in CASES}
        final = {_named(*case): float(np.linalg.norm(paths[_named(*case)][-1])) for case in CASES}
        return Result(
            scores={f"largest difference from {kind}": value for kind, value in apart(config, paths, truths).items()}
            | final,
            better=dict.fromkeys(final, "lower"),
            protocol=f"LOSS, REGULARISER: distance from the equilibrium after {config.steps} steps of size "
            f"{config.rate} from {START}, where it was {np.sqrt(2):.2f}. The differences are of all points of the "
            "trajectories: from the powers of the step's matrix, in closed form where the step is linear, else from "
            "as many steps along a field whose formulas are written by hand, loss by loss and regulariser by "
            "regulariser.",
            pictures={name: picture(cases, paths, truths) for name, cases in PICTURES.items()},
        )

    return Experiment(
        game=every_game(config),
        data=data,
        prepare=lambda key, batch: {"x": batch["x"]},
        evaluate=lambda state: {"mean_distance": mean_distance(state)},
        pictures=lambda state: {},
        finish=finish,
        watch="mean_distance",
        watch_mode="min",
        variant=lambda options: every_game(replace(config, **options)),
    )


def apart(config: Config, paths, truths) -> dict[str, float]:
    """Return the largest difference of played paths from what they must be, by what is known of them."""
    found = {"closed form": 0.0, "steps by hand": 0.0}
    for case in CASES:
        kind = "steps by hand" if linear_step(config, *case) is None else "closed form"
        found[kind] = max(found[kind], float(np.abs(paths[_named(*case)] - truths[case].path).max()))
    return found


def picture(cases, paths, truths) -> np.ndarray:
    """Return a canvas of the fields by hand, the paths played in them, and those that they must come by."""
    return fields(
        {", ".join(case): Field(truths[case].arrows, paths[_named(*case)], truths[case].path) for case in cases},
        half=2.2,
        xlabel="generator",
        ylabel="discriminator",
        columns=len(GANS),
        side=1.8 if len(cases) > len(GANS) else 2.8,
    )


def points(params) -> dict[str, np.ndarray]:
    """Return where every game is, (theta, psi) [..., 2]."""
    found = {}
    for group in ("at once", "in turn", "clipped"):
        theta, psi = (own(group, params)[network] for network in (THETA, PSI))
        found |= {name: np.stack([theta[name], psi[name]], -1).astype(np.float64) for name in theta}
    return found


def trajectories(game: Game, steps: int) -> dict[str, np.ndarray]:
    """Return the points [steps + 1, 2] that every game comes by."""
    batch = {"x": jnp.zeros((1, 1))}
    start, step = init(game, jax.random.key(0), batch), make_step(game)

    def one(state, _):
        return step(state, batch)[0], state.params

    last, path = jax.jit(lambda state: jax.lax.scan(one, state, None, length=steps))(start)
    final = points(last.params)
    return {name: np.concatenate([way, final[name][None]]) for name, way in points(path).items()}


def _named(loss: str, regulariser: str) -> str:
    return f"{loss}, {regulariser}"


if __name__ == "__main__":
    main("games", Config, build, __doc__)
