import numpy as np
import pytest

from jaxgen.metrics.patches import patch_quantiser

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 7, 3), (2, 2, 1)])
def test_a_code_a_different_patch_loses_nothing(shape):
    x = RANDOM.integers(0, 256, (3, *shape)).astype(np.float32) / 255
    again = patch_quantiser(x, side=2, codes=1000)(x)
    np.testing.assert_array_equal(again, x)


def test_one_code_is_the_mean_patch():
    x = RANDOM.random((50, 4, 6, 1)).astype(np.float32)
    again = patch_quantiser(x, side=2, codes=1)(x)
    mean = x.reshape(50, 2, 2, 3, 2, 1).mean((0, 1, 3))
    np.testing.assert_allclose(again[7, 2:4, 4:6], mean, atol=0.02)


def test_clusters_are_found_and_new_images_take_the_nearest():
    values = np.array([0.0, 0.5, 1.0])
    x = np.repeat(np.repeat(RANDOM.choice(values, (40, 3, 3, 1)), 2, 1), 2, 2)
    noisy = (x + 0.02 * RANDOM.standard_normal(x.shape)).astype(np.float32)
    quantise = patch_quantiser(noisy, side=2, codes=3)
    np.testing.assert_allclose(quantise((x + 0.1).astype(np.float32)), x, atol=0.02)


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(ValueError, match=r"images \[N, H, W, C\].*got \(3, 4\), 2, 5"):
        patch_quantiser(np.zeros((3, 4)), side=2, codes=5)
    with pytest.raises(ValueError, match=r"got .*, 2, 0"):
        patch_quantiser(np.zeros((3, 4, 4, 1)), side=2, codes=0)
    with pytest.raises(ValueError, match=r"expected images \[M, 4, 4, 1\], got \(1, 2, 2, 1\)"):
        patch_quantiser(np.zeros((3, 4, 4, 1)), side=2, codes=1)(np.zeros((1, 2, 2, 1)))
