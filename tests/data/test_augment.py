import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data.augment import affine

KEY = jax.random.key(0)
distort = jax.jit(affine)  # one program
LARGE = {"rotate": 0.6, "scale": 0.3, "shear": 0.4, "shift": 0.1}


def gradients(**ranges):
    """Return what planes x[row, column] = row and = column become near the middle: [B, 2 planes, 2 axes]."""
    side, count = 33, 200
    planes = jnp.stack(jnp.meshgrid(jnp.arange(side), jnp.arange(side), indexing="ij"), -1).astype(jnp.float32)
    y = np.asarray(distort(KEY, jnp.tile(planes[None], (count, 1, 1, 1)), **ranges))
    middle = slice(side // 2 - 3, side // 2 + 4)
    patch = y[:, middle, middle]
    found = np.stack([np.diff(patch, axis=1)[:, :, :-1], np.diff(patch, axis=2)[:, :-1]], -1)
    assert abs(found - found[:, :1, :1]).max() < 1e-3  # a plane stays a plane
    return found[:, 0, 0], y[:, side // 2, side // 2] - side // 2


def test_without_ranges_nothing_changes():
    x = jax.random.normal(KEY, (3, 5, 7, 2))
    np.testing.assert_allclose(distort(KEY, x), x, atol=1e-5)


@pytest.mark.parametrize("name", ["rotate", "scale", "shear", "shift"])
def test_each_range_does_what_it_says_and_reaches_it(name):
    matrix, moved = gradients(**{name: LARGE[name]})
    size, turn = np.sqrt(abs(np.linalg.det(matrix))), np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0])
    measured = {"rotate": turn, "scale": -np.log(size), "shear": matrix[:, 1, 0], "shift": -moved[:, 0] / 33}[name]
    assert abs(measured).max() < LARGE[name] * 1.001
    assert min(measured.max(), -measured.min()) > 0.9 * LARGE[name]
    if name != "scale":
        np.testing.assert_allclose(size, 1, atol=1e-4)
    if name != "shift":
        np.testing.assert_allclose(moved, 0, atol=1e-3)
    if name == "shift":
        np.testing.assert_allclose(matrix, np.broadcast_to(np.eye(2), matrix.shape), atol=1e-3)


def test_each_image_has_its_own_and_the_border_goes_on():
    x = jnp.ones((4, 6, 6, 1))
    np.testing.assert_allclose(distort(KEY, x, **LARGE), x, atol=1e-5)
    same = jnp.tile(jax.random.normal(KEY, (1, 6, 6, 1)), (4, 1, 1, 1))
    y = distort(KEY, same, **LARGE)
    assert all(abs(y[0] - other).max() > 1e-2 for other in y[1:])
    with pytest.raises(ValueError, match=r"expected images \[B, H, W, C\], got shape \(4, 6\)"):
        affine(KEY, jnp.zeros((4, 6)))
