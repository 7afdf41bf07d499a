import numpy as np
import pytest

from jaxgen.viz.latent import traverse


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
