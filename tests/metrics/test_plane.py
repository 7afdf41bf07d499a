"""Integrals and entropies over the plane, of densities for which both are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from jaxgen.data.toys import TOYS, mixture, ring
from jaxgen.metrics.plane import entropy, integral

KEY = jax.random.key(0)
BOX = (-2, 2, -2, 2)


def gaussian(sigma, centre=(0.3, -0.2)):
    return mixture(np.array([centre]), sigma).log_density


@pytest.mark.parametrize("scale", [1.0, 0.9])
def test_a_ring_of_narrow_modes_has_its_integral_and_says_how_sure_it_is(scale):
    found = integral(lambda x: ring(sigma=0.01).log_density(x) + np.log(scale), BOX)
    assert abs(found.value - scale) < 1e-4  # float32's log-densities; the rule itself is exact here
    assert found.error < 1e-4 and found.points == 1024 and found.spacing == (4 / 1024, 4 / 1024)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 3.0])
def test_the_integral_of_a_part_is_the_mass_there(sigma):
    def mass(low, high, mean):
        return 0.5 * (erf((high - mean) / sigma / np.sqrt(2)) - erf((low - mean) / sigma / np.sqrt(2)))

    found = integral(gaussian(sigma), (0, 1, -1, 2), points=512)
    np.testing.assert_allclose(found.value, mass(0, 1, 0.3) * mass(-1, 2, -0.2), rtol=1e-4)
    assert abs(found.value - mass(0, 1, 0.3) * mass(-1, 2, -0.2)) <= found.error + 1e-6


@pytest.mark.parametrize("points", [32, 64, 128])
def test_the_error_covers_a_spacing_too_wide(points):
    off = np.random.RandomState(0).uniform(-1, 1, (10, 2))
    for centre in off:
        found = integral(gaussian(0.04, centre), BOX, points=points)
        assert abs(found.value - 1) <= found.error + 1e-5
    assert (found.error > 0.003) == (points < 128)  # a spacing of 3.1, 1.6 and 0.8 deviations


@pytest.mark.parametrize("name", ["moons", "checkerboard", "pinwheel"])
def test_toys_integrate_to_one_within_the_error(name):
    found = integral(TOYS[name].log_density, (-6, 6, -6, 6), points=300, batch_size=7000)
    assert abs(found.value - 1) <= found.error + 1e-4 and found.error < 0.03


def test_the_batch_only_groups_the_points():
    density = gaussian(0.3)
    whole = integral(density, BOX, points=50)
    np.testing.assert_allclose(integral(density, BOX, points=50, batch_size=77).value, whole.value, rtol=1e-6)


def test_a_broken_density_has_a_broken_integral():
    assert np.isnan(integral(lambda x: jnp.where(x[:, 0] > 0, jnp.nan, 0.0), BOX, points=8).value)
    assert integral(lambda x: jnp.full(len(x), -jnp.inf), BOX, points=8).value == 0


def test_the_entropy_of_separate_gaussians_is_in_closed_form():
    toy = ring(sigma=0.01)
    found = entropy(toy.sample, toy.log_density, KEY, samples=100_000)
    assert found.samples == 114_688 and 0.002 < found.error < 0.004  # one sample's deviation is 1 nat
    assert abs(found.value - np.log(8 * 2 * np.pi * np.e * 0.01**2)) < 4 * found.error


def test_the_entropy_of_a_uniform_density_has_no_error():
    found = entropy(TOYS["checkerboard"].sample, TOYS["checkerboard"].log_density, KEY, samples=100)
    np.testing.assert_allclose([found.value, found.error, found.samples], [np.log(32), 0, 100], atol=1e-6)


def test_what_cannot_be_measured_is_refused():
    density = gaussian(1.0)
    with pytest.raises(ValueError, match=r"in order, got \(1, 0, 0, 1\)"):
        integral(density, (1, 0, 0, 1))
    for points in (0, 7):
        with pytest.raises(ValueError, match=f"even number of points a side, at least 2, got {points}"):
            integral(density, BOX, points=points)
    with pytest.raises(ValueError, match=r"return \[16\], got shape \(16, 2\)"):
        integral(lambda x: x, BOX, points=4)
    with pytest.raises(ValueError, match="2 samples and batches of 1 at least, got 1 and 5"):
        entropy(TOYS["ring"].sample, density, KEY, samples=1, batch_size=5)
