"""Principal components: the best that a linear code can do."""

from typing import NamedTuple

import numpy as np


class Components(NamedTuple):
    """mean [D] and orthonormal basis [K, D], by falling variance: the first k rows are the plane of k dimensions."""

    mean: np.ndarray
    basis: np.ndarray

    def encode(self, x: np.ndarray, size: int) -> np.ndarray:
        """Return the coordinates [N, size] of x [N, ...]."""
        return (np.asarray(x).reshape(len(x), -1) - self.mean) @ self.basis[:size].T

    def reconstruct(self, x: np.ndarray, size: int) -> np.ndarray:
        """Return the nearest points of the plane of `size` dimensions to x [N, ...], in its shape."""
        return (self.encode(x, size) @ self.basis[:size] + self.mean).reshape(np.shape(x))

    def errors(self, x: np.ndarray, size: int) -> np.ndarray:
        """Return the squared distance [N] of x [N, ...] from the plane of `size` dimensions."""
        return ((np.asarray(x) - self.reconstruct(x, size)) ** 2).reshape(len(x), -1).sum(1)


def principal_components(train: np.ndarray, size: int) -> Components:
    """Return the first `size` components of train [N, ...], by scikit-learn, computed in float64.

    Raises ValueError for more components than there are dimensions or examples.
    """
    from sklearn.decomposition import PCA

    flat = np.asarray(train, np.float64).reshape(len(train), -1)
    if not 1 <= size <= min(flat.shape):
        raise ValueError(
            f"PCA of {flat.shape[0]} examples in {flat.shape[1]} dimensions: expected 1 to {min(flat.shape)} "
            f"components, got {size}"
        )
    fitted = PCA(size, random_state=0).fit(flat)
    return Components(fitted.mean_, fitted.components_)
