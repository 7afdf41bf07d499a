"""Every toy's density integrates to one and is the density of its samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import make_moons

from jaxgen.data import load
from jaxgen.data.toy_curves import MOONS
from jaxgen.data.toys import TOYS, pinwheel, rotate

ROUND = ("ring", "grid")
# Half the side of a square that holds all but 1e-6 of the mass, and cells a side: under one sigma each for the
# smooth ones; whole cells of the checkerboard.
BOXES = {"moons": (4.0, 200), "spirals": (4.5, 240), "checkerboard": (5.0, 200), "pinwheel": (6.0, 260)}
LOG_DENSITY = {name: jax.jit(toy.log_density) for name, toy in TOYS.items()}


def cells(name):
    """Midpoints [M, 2], their log-densities [M] and the area of a cell, over all that matters of the plane."""
    toy = TOYS[name]
    if name in ROUND:  # a small square about each mode: the plane between holds nothing
        offset = toy.sigma * (np.arange(48) - 23.5) / 4
        square = np.stack(np.meshgrid(offset, offset, indexing="ij"), -1).reshape(-1, 2)
        middle = (toy.centres[:, None, :] + square[None]).reshape(-1, 2)
        area = (toy.sigma / 4) ** 2
    else:
        half, n = BOXES[name]
        step = 2 * half / n
        line = -half + step * (np.arange(n) + 0.5)
        middle = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
        area = step**2
    middle = middle.astype(np.float32)
    log_p = np.concatenate([LOG_DENSITY[name](chunk) for chunk in np.split(middle, 4)])
    return middle, log_p.astype(np.float64), area


@pytest.fixture(scope="module", params=list(TOYS))
def measured(request):
    return request.param, *cells(request.param)


def test_density_integrates_to_one(measured):
    _, _, log_p, area = measured
    assert abs(np.exp(log_p).sum() * area - 1) < 1e-3


def test_mean_log_density_of_samples_is_minus_the_entropy(measured):
    name, _, log_p, area = measured
    p = np.exp(log_p)
    negentropy = (p * np.where(p > 0, log_p, 0)).sum() * area
    x = TOYS[name].sample(jax.random.key(7), 20_000)
    found = np.asarray(LOG_DENSITY[name](x), np.float64)
    assert abs(found.mean() - negentropy) < 5 * found.std() / np.sqrt(len(found)) + 1e-3


def test_moments_of_samples_are_those_of_the_density(measured):
    name, middle, log_p, area = measured
    x = np.asarray(TOYS[name].sample(jax.random.key(8), 20_000), np.float64)
    mass = np.exp(log_p) * area

    def features(v):
        first, second = v.T
        return np.stack([first, second, first**2, second**2, first * second, np.sin(3 * first) * np.cos(2 * second)])

    want, found = features(middle) @ mass, features(x)
    error = found.std(axis=1) / np.sqrt(len(x))
    np.testing.assert_array_less(np.abs(found.mean(axis=1) - want), 5 * error + 2e-3)


@pytest.mark.parametrize("measured", BOXES, indirect=True)
def test_samples_fill_the_cells_as_the_density_says(measured):
    name, _, log_p, area = measured
    half, n = BOXES[name]
    coarse = n // 10
    mass = (np.exp(log_p) * area).reshape(n, n).reshape(coarse, 10, coarse, 10).sum((1, 3)).ravel()
    x = np.asarray(TOYS[name].sample(jax.random.key(9), 40_000))
    counts = np.histogram2d(*x.T, bins=coarse, range=[(-half, half)] * 2)[0].ravel()
    full = 40_000 * mass > 10
    expected = 40_000 * mass[full]
    chi_square, freedom = ((counts[full] - expected) ** 2 / expected).sum(), full.sum()
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom)
    assert counts[~full].sum() < 40_000 * mass[~full].sum() * 1.5 + 20


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_modes_are_equally_full(name, modes):
    toy = TOYS[name]
    x = np.asarray(toy.sample(jax.random.key(1), 20_000))
    distance = np.linalg.norm(x[:, None] - toy.centres[None], axis=-1)
    counts = np.bincount(distance.argmin(1), minlength=modes)
    assert toy.centres.shape == (modes, 2) and len(np.unique(toy.centres.round(4), axis=0)) == modes
    assert ((counts - 20_000 / modes) ** 2 / (20_000 / modes)).sum() < modes + 5 * np.sqrt(2 * modes)
    # |x - c|^2 / sigma^2 is exponential with mean 2
    np.testing.assert_allclose((distance.min(1) ** 2).mean() / toy.sigma**2, 2, rtol=5 / np.sqrt(20_000))


def test_the_ring_has_radius_one_and_the_grid_spacing_two():
    np.testing.assert_allclose(np.linalg.norm(TOYS["ring"].centres, axis=1), 1, rtol=1e-6)
    assert np.unique(TOYS["grid"].centres).tolist() == [-4, -2, 0, 2, 4]
    assert (TOYS["ring"].sigma, TOYS["grid"].sigma) == (0.01, 0.05)


@pytest.mark.parametrize("name", TOYS)
def test_density_and_its_gradient_are_never_nan(name):
    x = jnp.array([[0, 0], [1e-20, 0], [1, 0], [30, -40], [1e3, 1e3], [-1e4, 3]], jnp.float32)
    log_p = LOG_DENSITY[name](x)
    assert not jnp.isnan(log_p).any() and not (log_p == jnp.inf).any()
    assert jnp.isfinite(jax.grad(lambda v: LOG_DENSITY[name](v).sum())(x)).all()
    assert name == "checkerboard" or jnp.isfinite(log_p).all()


def test_the_checkerboard_is_empty_off_its_squares():
    x = jnp.array([[0.5, 0.5], [2.5, 0.5], [-0.5, 0.5], [4.5, 4.5]])
    np.testing.assert_allclose(LOG_DENSITY["checkerboard"](x), [-np.log(32), -np.inf, -np.inf, -np.inf], rtol=1e-6)


def test_the_pinwheel_without_twist_is_a_mixture_of_straight_blades():
    x = pinwheel(blades=1, rate=0.0).sample(jax.random.key(0), 20_000)
    np.testing.assert_allclose(x.std(axis=0), [0.6, 0.2], rtol=0.03)
    np.testing.assert_allclose(rotate(jnp.array([[1.0, 0.0]]), jnp.array([np.pi / 2])), [[0, 1]], atol=1e-6)


def test_the_moons_lie_where_those_of_scikit_learn_do():
    arms = MOONS.arms(jnp.linspace(0, 1, 10)).reshape(-1, 2)
    np.testing.assert_allclose(arms, make_moons(20, shuffle=False)[0], atol=1e-6)


@pytest.mark.parametrize("name", ["moons", "spirals"])
def test_quadrature_has_converged(name):
    toy = TOYS[name]
    curve, sigma, nodes = toy.log_density.args
    x = jnp.concatenate([toy.sample(jax.random.key(2), 500), 2 * jax.random.normal(jax.random.key(3), (500, 2))])
    finer = jax.jit(type(toy.log_density)(toy.log_density.func, curve, sigma, 2 * nodes))(x)
    np.testing.assert_allclose(LOG_DENSITY[name](x), finer, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", TOYS)
def test_the_data_set_carries_the_density_and_splits_the_draw(name):
    data = load(name)
    assert [len(p["x"]) for p in (data.train, data.validation, data.test)] == [100_000, 10_000, 10_000]
    assert not {r.tobytes() for r in data.test["x"]} & {r.tobytes() for r in data.train["x"][:10_000]}
    assert np.isfinite(data.log_density(data.test["x"][:1000])).all()


def test_sampling_is_pure_and_compiles():
    sample = TOYS["moons"].sample
    one, two = sample(jax.random.key(0), 5), jax.jit(sample, static_argnums=1)(jax.random.key(0), 5)
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    assert not np.allclose(one, sample(jax.random.key(1), 5))
