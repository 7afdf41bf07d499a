"""Classical repairs of images [N, H, W, C] in [0, 1], which learn nothing: what a network must beat."""

import numpy as np


def total_variation(images: np.ndarray, *, weight: float) -> np.ndarray:
    """Return images without gaussian noise: the nearest of little total variation (Chambolle 2004).

    weight: how much is smoothed away, somewhat below the noise's standard deviation.
    """
    from skimage.restoration import denoise_tv_chambolle

    return _each(lambda image: denoise_tv_chambolle(image, weight=weight, channel_axis=-1), images)


def median(images: np.ndarray) -> np.ndarray:
    """Return images whose every pixel is the median of the 3 x 3 around it, each channel on its own."""
    from scipy.ndimage import median_filter

    return _each(lambda image: median_filter(image, (3, 3, 1), mode="nearest"), images)


def blur(images: np.ndarray, *, hidden: float) -> np.ndarray:
    """Return images of which a share `hidden` of all pixels was set to 0: blurred a little, and as bright as before."""
    from scipy.ndimage import gaussian_filter

    return _each(lambda image: gaussian_filter(image, (0.7, 0.7, 0)) / (1 - hidden), images)


def inpaint(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return images whose hidden pixels continue the others smoothly (biharmonic; Damelin and Hoang 2018).

    masks: [N, H, W, 1], true where hidden: unlike a network, the filter is told.
    """
    from skimage.restoration import inpaint_biharmonic

    return _each(lambda image, mask: inpaint_biharmonic(image, mask[..., 0], channel_axis=-1), images, masks)


def _each(repair, *arrays: np.ndarray) -> np.ndarray:
    first, *others = (np.array(array) for array in arrays)  # copies: scikit-image wants to be able to write
    if first.ndim != 4 or any(len(other) != len(first) for other in others):
        raise ValueError(f"filters: expected images [N, H, W, C], and a mask each, got {[np.shape(a) for a in arrays]}")
    rows = [repair(*one) for one in zip(first.astype(np.float64), *others, strict=True)]
    return np.stack(rows)
