"""The Dirac-GAN by hand: every loss's slopes and every regulariser's as formulas, a reference for what autodiff plays.

Points are arrays [..., 2] of (theta, psi), in numpy and double precision. The data are at 0, the logit is psi x + bias.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Array = np.ndarray
LINEAR = {"x y": -1.0, "Wasserstein": 1.0}  # losses of linear fields: the sign of psi in the generator's velocity
CENTRED = {"none": 0.0, "in turn": 0.0, "noise": 0.0, "zero-centred": 2.0, "R1": 1.0, "R2": 1.0, "R1 + R2": 2.0}


class Slopes(NamedTuple):
    """Derivatives of a loss in its logits: the discriminator's in the real and the fake one, the generator's.

    curve: the discriminator's second derivative in the fake one.
    """

    real: Array | float
    fake: Array | float
    curve: Array | float
    generator: Array | float


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


SLOPES: dict[str, Callable[[Array, Array], Slopes]] = {  # (real logit, fake logit) -> slopes there
    "minimax": lambda r, f: Slopes(-sigmoid(-r), sigmoid(f), sigmoid(f) * sigmoid(-f), -sigmoid(f)),
    "non-saturating": lambda r, f: Slopes(-sigmoid(-r), sigmoid(f), sigmoid(f) * sigmoid(-f), -sigmoid(-f)),
    "least squares": lambda r, f: Slopes(r - 1, f, 1.0, f - 1),
    "hinge": lambda r, f: Slopes(-1.0 * (r < 1), 1.0 * (f > -1), 0.0, -1.0),
    "Wasserstein": lambda r, f: Slopes(-1.0, 1.0, 0.0, -1.0),
    "relativistic": lambda r, f: Slopes(
        -sigmoid(f - r), sigmoid(f - r), sigmoid(f - r) * sigmoid(r - f), -sigmoid(r - f)
    ),
    "x y": lambda r, f: Slopes(0.0, -1.0, 0.0, 1.0),
}
BIAS = {"least squares": 0.5}  # the logit where the discriminator cannot tell, 0 for the others


def penalty(regulariser: str, theta: Array, psi: Array) -> Array | float:
    """Return the derivative in psi of a penalty of weight 1, 0 for what is none; the logit's slope in x is psi."""
    if regulariser == "gradient":  # (|psi| - 1)^2
        return 2 * (np.abs(psi) - 1) * np.sign(psi)
    if regulariser == "one-sided":
        return 2 * np.maximum(np.abs(psi) - 1, 0) * np.sign(psi)
    if regulariser == "Roth":  # psi^2 (1/4 + D^2) / 2 with D = sigmoid(psi theta), whose slope is theta D (1 - D)
        d = sigmoid(psi * theta)
        return psi * (0.25 + d**2) + psi**2 * theta * d**2 * (1 - d)
    return CENTRED.get(regulariser, 0.0) * psi


def velocity(loss: str, regulariser: str, *, weight: float, noise: float) -> Callable[[Array], Array]:
    """Return the field: points [..., 2] -> minus each player's own gradient [..., 2]. noise: deviation of "noise"."""
    slopes, bias = SLOPES[loss], BIAS.get(loss, 0.0)
    moved = (-noise, noise) if regulariser == "noise" else (0.0,)

    def at(point: Array) -> Array:
        theta, psi = point[..., 0], point[..., 1]
        each = [(x, theta + y, slopes(psi * x + bias, psi * (theta + y) + bias)) for x in moved for y in moved]
        generator = sum(s.generator * psi for _, _, s in each) / len(each)
        discriminator = sum(s.real * x + s.fake * y for x, y, s in each) / len(each)
        if regulariser == "Nagarajan-Kolter":  # the derivative in theta of (fake theta)^2
            s = slopes(bias, psi * theta + bias)
            generator = generator + weight * 2 * s.fake * theta * (s.fake + theta * psi * s.curve)
        discriminator = discriminator + weight * penalty(regulariser, theta, psi)
        return -np.stack(np.broadcast_arrays(generator, discriminator), -1)

    return at


def matrix(loss: str, regulariser: str, *, rate: float, weight: float) -> Array | None:
    """Return the linear map [2, 2] of one step, None where it is not linear."""
    if loss not in LINEAR or regulariser not in (*CENTRED, "Nagarajan-Kolter"):
        return None
    turn = rate * LINEAR[loss]
    slow = 1 - rate * 2 * weight * (regulariser == "Nagarajan-Kolter")  # what is left of theta, and of psi
    left = 1 - rate * weight * CENTRED.get(regulariser, 0.0)
    if regulariser == "in turn":
        return np.array([[slow, turn], [0, 1]]) @ np.array([[1, 0], [-turn, left]])
    return np.array([[slow, turn], [-turn, left]])


def repeated(step: Array, start: tuple[float, float], steps: int) -> Array:
    """Return the points [steps + 1, 2] that the powers of a matrix have."""
    points = [np.array(start, float)]
    for _ in range(steps):
        points.append(step @ points[-1])
    return np.array(points)


def descent(
    at: Callable[[Array], Array],
    start: tuple[float, float],
    steps: int,
    *,
    rate: float,
    alternating: bool = False,
    clip: float | None = None,
) -> Array:
    """Return the points [steps + 1, 2] of steps along a field. alternating, clip: as of `point_game`."""
    points = [np.array(start, float)]
    for _ in range(steps):
        theta, psi = points[-1] + rate * at(points[-1])
        if clip is not None:
            psi = np.clip(psi, -clip, clip)
        if alternating:
            theta = points[-1][0] + rate * at(np.array([points[-1][0], psi]))[0]
        points.append(np.array([theta, psi]))
    return np.array(points)
