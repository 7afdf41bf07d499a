import numpy as np
import pytest

from jaxgen.viz.latent import interpolate, interpolate_spherically, traverse


def test_one_latent_after_the_other_is_swept_and_the_others_stay():
    code, values = np.array([5.0, 6.0, 7.0]), np.linspace(-3, 3, 5)
    swept = traverse(code, [2, 0], values)
    assert swept.shape == (2, 5, 3)
    for row, latent in enumerate([2, 0]):
        np.testing.assert_array_equal(swept[row, :, latent], values)
        others = [d for d in range(3) if d != latent]
        np.testing.assert_array_equal(swept[row][:, others], np.tile(code[others], (5, 1)))
    np.testing.assert_array_equal(code, [5, 6, 7])


def test_a_latent_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"latents of a code \[D\], got \[3\] of shape \(3,\)"):
        traverse(np.zeros(3), [3], np.zeros(2))
    with pytest.raises(ValueError, match=r"values \[V\] or \[2, V\], got shape \(3, 4\)"):
        traverse(np.zeros(3), [0, 1], np.zeros((3, 4)))


def test_each_latent_may_have_values_of_its_own():
    values = np.arange(6.0).reshape(2, 3)
    swept = traverse(np.zeros(4), [3, 1], values)
    np.testing.assert_array_equal(swept[0, :, 3], values[0])
    np.testing.assert_array_equal(swept[1, :, 1], values[1])
    assert np.count_nonzero(swept) == np.count_nonzero(values)


def test_a_straight_line_has_even_steps_and_both_ends():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 3))
    line = interpolate(a, b, 4)
    np.testing.assert_allclose(line, np.stack([a, a + (b - a) / 3, a + 2 * (b - a) / 3, b], axis=1))


def test_a_great_circle_has_both_ends_even_angles_and_the_length_of_equal_ends():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 7))
    b *= np.linalg.norm(a, axis=1, keepdims=True) / np.linalg.norm(b, axis=1, keepdims=True)
    arc = interpolate_spherically(a, b, 6)
    np.testing.assert_allclose(arc[:, [0, -1]], np.stack([a, b], axis=1))
    np.testing.assert_allclose(np.linalg.norm(arc, axis=2), np.linalg.norm(a, axis=1)[:, None].repeat(6, axis=1))
    steps = np.linalg.norm(np.diff(arc, axis=1), axis=2)
    np.testing.assert_allclose(steps, steps[:, :1].repeat(5, axis=1))
    # Equal directions: a straight line, without a division by zero.
    np.testing.assert_allclose(interpolate_spherically(a, 3 * a, 3), interpolate(a, 3 * a, 3), atol=1e-6)
