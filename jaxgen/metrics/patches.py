"""What vector quantisation reaches without a network: each patch of an image becomes the nearest of K patches."""

from collections.abc import Callable

import numpy as np

MOST = 100_000  # patches that K-means is fitted to


def patch_quantiser(train: np.ndarray, *, side: int, codes: int, seed: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    """Return images [M, H, W, C] -> the same, of K-means' patches: ceil(H / side) ceil(W / side) log2(codes) bits each.

    Images whose sides `side` does not divide are continued by their border. Fitted to patches of train [N, H, W, C], at
    most 100,000 of them, drawn with the seed; where fewer differ than there are codes, each of them is one.
    Raises ValueError for other shapes, or fewer than one pixel or code.
    """
    from sklearn.cluster import MiniBatchKMeans

    train = np.asarray(train, np.float32)
    if train.ndim != 4 or 0 in train.shape or side < 1 or codes < 1:
        came = f"{train.shape}, {side}, {codes}"
        raise ValueError(f"patch_quantiser: expected images [N, H, W, C], side and codes at least 1, got {came}")
    shape = train.shape[1:]
    patches = _cut(train, side)
    random = np.random.default_rng(seed)
    patches = patches[random.choice(len(patches), min(len(patches), MOST), replace=False)]
    different = np.unique(patches, axis=0)
    if len(different) <= codes:
        centres = different
    else:
        means = MiniBatchKMeans(codes, random_state=seed, batch_size=4096, n_init=3).fit(patches)
        centres = means.cluster_centers_.astype(np.float32)

    def quantise(x: np.ndarray) -> np.ndarray:
        if x.shape[1:] != shape:
            raise ValueError(f"patch_quantiser: expected images [M, {', '.join(map(str, shape))}], got {x.shape}")
        return _join(centres[_nearest(_cut(np.asarray(x, np.float32), side), centres)], x.shape, side)

    return quantise


def _nearest(patches: np.ndarray, centres: np.ndarray) -> np.ndarray:
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(patches, centres)


def _cut(x: np.ndarray, side: int) -> np.ndarray:
    """Return the patches [N * h * w, side * side * C] of images, row by row."""
    count, height, width, channels = x.shape
    padded = np.pad(x, ((0, 0), (0, -height % side), (0, -width % side), (0, 0)), mode="edge")
    grid = padded.reshape(count, padded.shape[1] // side, side, padded.shape[2] // side, side, channels)
    return grid.transpose(0, 1, 3, 2, 4, 5).reshape(-1, side * side * channels)


def _join(patches: np.ndarray, shape: tuple[int, ...], side: int) -> np.ndarray:
    """Return the images of this shape again."""
    count, height, width, channels = shape
    rows, columns = -(-height // side), -(-width // side)
    grid = patches.reshape(count, rows, columns, side, side, channels).transpose(0, 1, 3, 2, 4, 5)
    return grid.reshape(count, rows * side, columns * side, channels)[:, :height, :width]
