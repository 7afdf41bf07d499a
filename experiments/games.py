"""Small games whose trajectories are known: min x max of x y, and the Dirac-GAN under every loss and regulariser.

Mescheder et al. 2018, "Which training methods for GANs do actually converge?"

python -m experiments.games
    linear games on their closed forms, R1 and Roth into the equilibrium, the others around it, 11 seconds on two cores
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.autoencoders import check_range
from jaxgen.data import Dataset
from jaxgen.game import Game
from jaxgen.games.dirac import PSI, THETA, Losses, bilinear, dirac, field, point_game
from jaxgen.games.side_by_side import own, side_by_side
from jaxgen.losses import adversarial, penalties
from jaxgen.run.cli import main
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.step import init, make_step
from jaxgen.viz.fields import Field, fields

START = (1.0, 1.0)
Matrix = Callable[[float, float], list[list[float]]]  # (rate, weight) -> the linear map of one step


class Case(NamedTuple):
    """A game; where its step is linear, that map by hand; whether the discriminator moves first."""

    losses: Callable[[float], Losses]  # of the regulariser's weight
    matrix: Matrix | None = None
    alternating: bool = False


CASES: dict[str, Case] = {
    "x y, at once": Case(lambda w: bilinear, lambda h, w: [[1, -h], [h, 1]]),
    "x y, in turn": Case(lambda w: bilinear, lambda h, w: [[1 - h * h, -h], [h, 1]], True),
    "Wasserstein": Case(lambda w: dirac(adversarial.wasserstein), lambda h, w: [[1, h], [-h, 1]]),
    "Wasserstein, R1": Case(
        lambda w: dirac(adversarial.wasserstein, penalties.r1, w), lambda h, w: [[1, h], [-h, 1 - h * w]]
    ),
    "Wasserstein, gradient penalty": Case(lambda w: dirac(adversarial.wasserstein, penalties.gradient, w)),
    "minimax": Case(lambda w: dirac(adversarial.minimax)),
    "non-saturating": Case(lambda w: dirac(adversarial.non_saturating)),
    "non-saturating, in turn": Case(lambda w: dirac(adversarial.non_saturating), alternating=True),
    "non-saturating, R1": Case(lambda w: dirac(adversarial.non_saturating, penalties.r1, w)),
    "non-saturating, Roth": Case(lambda w: dirac(adversarial.non_saturating, penalties.jensen_shannon, 4 * w)),
    "least squares": Case(lambda w: dirac(adversarial.least_squares)),
    "hinge": Case(lambda w: dirac(adversarial.hinge)),
    "relativistic, R1 and R2": Case(lambda w: dirac(adversarial.relativistic, penalties.r1_r2, w)),
}


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
    """weight of the regularisers (of Roth's four times as much, whose effect at the equilibrium is a quarter)"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_range(self, "rate", 0, above=True)
        check_range(self, "weight", 0)
        if self.data != "dirac":
            raise ValueError(f"the games' data are a point: --data must be dirac, got {self.data}")


def build(config: Config) -> Experiment:
    """Return the experiment."""
    part = {"x": np.zeros((8, 1), np.float32)}
    data = Dataset("dirac", part, part, part, "a point at zero")

    def games(config: Config) -> dict[str, Game]:
        return {
            name: point_game(case.losses(config.weight), start=START, rate=config.rate, alternating=case.alternating)
            for name, case in CASES.items()
        }

    def mean_distance(state) -> float:
        return float(np.mean([np.linalg.norm(_point(own(name, state.params))) for name in CASES]))

    def finish(state, progress: Progress) -> Result:
        progress("following the trajectories")
        paths = {name: trajectory(game, config.steps) for name, game in games(config).items()}
        truths = {name: truth(case, config) for name, case in CASES.items()}
        final = {name: float(np.linalg.norm(path[-1])) for name, path in paths.items()}
        apart = {name: float(np.abs(paths[name] - truths[name]).max()) for name in CASES}
        pictures = {
            "trajectories": fields(
                {
                    name: Field(jax.jit(jax.vmap(field(case.losses(config.weight)))), paths[name], truths[name])
                    for name, case in CASES.items()
                },
                half=2.2,
                xlabel="generator",
                ylabel="discriminator",
            )
        }
        kinds = {name: "closed form" if case.matrix else "continuous time" for name, case in CASES.items()}
        return Result(
            scores={f"distance, {name}": value for name, value in final.items()}
            | {f"largest difference from {kinds[name]}, {name}": value for name, value in apart.items()},
            baselines={f"distance, {name}": float(np.linalg.norm(truths[name][-1])) for name in CASES},
            protocol=f"Distance from the equilibrium after {config.steps} steps of size {config.rate} from {START}, "
            f"where it was {np.sqrt(2):.2f}; baseline: the power of the step's matrix where it is linear, else the "
            "game in continuous time, by an adaptive Runge-Kutta method, from which steps of this size differ.",
            pictures=pictures,
        )

    return Experiment(
        game=side_by_side(games(config)),
        data=data,
        prepare=lambda key, batch: {"x": batch["x"]},
        evaluate=lambda state: {"mean_distance": mean_distance(state)},
        pictures=lambda state: {},
        finish=finish,
        watch="mean_distance",
        watch_mode="min",
        variant=lambda options: side_by_side(games(replace(config, **options))),
    )


def trajectory(game: Game, steps: int) -> np.ndarray:
    """Return the points [steps + 1, 2] that the game comes by."""
    batch = {"x": jnp.zeros((1, 1))}
    start, step = init(game, jax.random.key(0), batch), make_step(game)

    def one(state, _):
        state = step(state, batch)[0]
        return state, jnp.stack([state.params[THETA], state.params[PSI]])

    path = jax.jit(lambda state: jax.lax.scan(one, state, None, length=steps)[1])(start)
    return np.concatenate([_point(start.params)[None], np.asarray(path)])


def truth(case: Case, config: Config) -> np.ndarray:
    """Return the points [steps + 1, 2] as theory has them: by powers of a matrix, or in continuous time."""
    if case.matrix is not None:
        matrix, points = np.array(case.matrix(config.rate, config.weight)), [np.array(START)]
        for _ in range(config.steps):
            points.append(matrix @ points[-1])
        return np.array(points)
    from scipy.integrate import solve_ivp

    at = jax.jit(field(case.losses(config.weight)))
    times = config.rate * np.arange(config.steps + 1)
    solved = solve_ivp(
        lambda t, y: np.asarray(at(jnp.asarray(y, jnp.float32))), (0, times[-1]), START, t_eval=times, rtol=1e-5
    )
    return solved.y.T


def _point(params) -> np.ndarray:
    return np.array([params[THETA], params[PSI]], np.float64)


if __name__ == "__main__":
    main("games", Config, build, __doc__)
