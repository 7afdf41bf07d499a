"""Classical filters, and how repairs are measured."""

import numpy as np
import pytest

from jaxgen.metrics import filters
from jaxgen.metrics.psnr import psnr

RNG = np.random.default_rng(0)
RAMP = np.tile(np.linspace(0.2, 0.8, 12), (3, 12, 1))[..., None]  # images 12 x 12 that grow from left to right


def test_psnr_is_twenty_decibel_a_tenth():
    x = RNG.uniform(size=(5, 4, 4, 1))
    for size, expected in [(1.0, 0.0), (0.1, 20.0), (0.01, 40.0)]:
        np.testing.assert_allclose(psnr(x, x + size), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(psnr(255 * x, 255 * (x + 0.1), peak=255.0), 20.0)
    assert psnr(x, x) == np.inf


def test_psnr_agrees_with_scikit_image():
    from skimage.metrics import peak_signal_noise_ratio

    x, y = RNG.uniform(size=(2, 3, 8, 8, 1))
    np.testing.assert_allclose(psnr(x, y), peak_signal_noise_ratio(x, y, data_range=1.0), rtol=1e-9)


def test_a_perfect_image_does_not_outweigh_the_others():
    x = np.zeros((2, 4, 4, 1))
    y = x + np.array([0.0, 0.1]).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(psnr(x, y), 10 * np.log10(1 / 0.005))


def test_psnr_refuses_unequal_shapes():
    with pytest.raises(ValueError, match="arrays of one shape"):
        psnr(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_undo_some_of_what_they_are_for(channels):
    x = np.repeat(RAMP, channels, axis=-1)
    noisy = x + 0.1 * RNG.normal(size=x.shape)
    spotted = np.where(RNG.uniform(size=x.shape) < 0.1, 1.0, x)
    masked = np.where(RNG.uniform(size=x.shape) < 0.25, 0.0, x)
    repaired = filters.total_variation(noisy, weight=0.07), filters.median(spotted), filters.blur(masked, hidden=0.25)
    for y, again in zip((noisy, spotted, masked), repaired, strict=True):
        assert again.shape == x.shape
        assert psnr(x, again) > psnr(x, y) + 3


def test_a_blur_keeps_the_mean_brightness_and_each_image_to_itself():
    images = np.stack([np.zeros((6, 6, 1)), np.ones((6, 6, 1))])
    np.testing.assert_allclose(filters.blur(images, hidden=0.5), 2 * images, atol=1e-9)
    np.testing.assert_allclose(filters.median(images), images)


def test_inpainting_continues_a_ramp_and_leaves_the_rest():
    mask = np.zeros((3, 12, 12, 1), bool)
    mask[:, 4:7, 5:8] = True
    again = filters.inpaint(np.where(mask, 0.0, RAMP), mask)
    np.testing.assert_allclose(again, RAMP, atol=1e-3)
    np.testing.assert_allclose(again[~mask], RAMP[~mask])


def test_filters_refuse_what_is_no_batch_of_images():
    with pytest.raises(ValueError, match=r"expected images \[N, H, W, C\]"):
        filters.median(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="a mask each"):
        filters.inpaint(RAMP, np.zeros((2, 12, 12, 1), bool))
