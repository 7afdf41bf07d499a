import jax
import numpy as np
import pytest

from jaxgen.metrics.features import PIXELS, Features

IMAGES = np.random.default_rng(0).random((7, 4, 3, 2)).astype(np.float32)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_pixels_are_the_images_flat(batch_size):
    np.testing.assert_array_equal(PIXELS.of(IMAGES, batch_size=batch_size), IMAGES.reshape(7, 24))


def test_maps_become_flat_rows_in_order():
    mean = Features("mean", jax.jit(lambda image: image.mean((1, 2), keepdims=True)))
    np.testing.assert_allclose(mean.of(IMAGES, batch_size=2), IMAGES.mean((1, 2)), rtol=1e-6)
