"""The small games against the Dirac-GAN by hand: fields at random points, and whole trajectories."""

import jax
import numpy as np
import pytest

from experiments.common.dirac_by_hand import velocity
from experiments.games import CASES, Config, by_hand, every_game, linear_step, losses_of, trajectories, weight_of
from jaxgen.games.dirac import field

CONFIG = Config(steps=200, rate=0.05, weight=0.7, noise=0.8)
POINTS = np.random.default_rng(0).uniform(-2, 2, (40, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def played():
    return trajectories(every_game(CONFIG), CONFIG.steps)


@pytest.fixture(scope="module")
def fields():
    fields = {case: jax.vmap(field(losses_of(CONFIG, *case))) for case in CASES}
    return jax.jit(lambda points: {case: at(points) for case, at in fields.items()})(POINTS)


@pytest.mark.parametrize("case", CASES, ids=", ".join)
def test_the_field_by_autodiff_is_the_one_by_hand(case, fields):
    loss, regulariser = case
    at = velocity(loss, regulariser, weight=weight_of(CONFIG, regulariser), noise=CONFIG.noise)
    np.testing.assert_allclose(fields[case], at(POINTS.astype(np.float64)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=", ".join)
def test_a_trajectory_is_the_closed_form_or_the_steps_by_hand(case, played):
    np.testing.assert_allclose(played[", ".join(case)], by_hand(CONFIG, *case).path, rtol=1e-4, atol=1e-4)


def test_the_matrices_of_linear_games_are_the_fields_by_hand():
    """A step by the matrix is one along the field, for what is played at once; some eigenvalues are known."""
    linear = [case for case in CASES if linear_step(CONFIG, *case) is not None]
    assert len(linear) == 10
    for loss, regulariser in linear:
        at = velocity(loss, regulariser, weight=CONFIG.weight, noise=CONFIG.noise)
        step = linear_step(CONFIG, loss, regulariser)
        if regulariser != "in turn":
            np.testing.assert_allclose(POINTS @ step.T, POINTS + CONFIG.rate * at(POINTS), rtol=1e-5, atol=1e-5)
    turns = np.linalg.eigvals(linear_step(CONFIG, "x y", "in turn"))
    np.testing.assert_allclose(np.abs(turns), 1.0)  # area is kept: an ellipse
    grows = np.linalg.eigvals(linear_step(CONFIG, "x y", "none"))
    np.testing.assert_allclose(np.abs(grows), np.hypot(1, CONFIG.rate))
    r1 = np.linalg.eigvals(linear_step(CONFIG, "Wasserstein", "R1"))
    root = np.sqrt(complex(CONFIG.weight**2 - 4))
    np.testing.assert_allclose(sorted(r1.imag), [-CONFIG.rate * root.imag / 2, CONFIG.rate * root.imag / 2])
    np.testing.assert_allclose(r1.real, 1 - CONFIG.rate * CONFIG.weight / 2)
