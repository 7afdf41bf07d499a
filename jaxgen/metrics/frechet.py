"""Frechet distance between sets of features, from streamed moments in float64."""

from typing import NamedTuple

import numpy as np

NEGATIVE = 1e-5  # of the largest eigenvalue: below minus that, a covariance is not one that was merely rounded


class Moments(NamedTuple):
    """Of `number` features: mean [F] and scatter [F, F], the sum of products of deviations from the mean.

    A value: `update` and `merge` return new moments. Up to rounding, the result depends neither on how the features
    are cut into batches nor on the order of merging.
    """

    number: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def empty(cls, size: int) -> "Moments":
        """Return the moments of no features of this size."""
        return cls(0, np.zeros(size), np.zeros((size, size)))

    def update(self, batch: np.ndarray) -> "Moments":
        """Return the moments with those of a batch [B, F] added. Raises ValueError for another size, or not finite."""
        batch = np.asarray(batch, np.float64)
        if batch.ndim != 2 or batch.shape[1] != len(self.mean) or not len(batch):
            raise ValueError(f"Moments: expected features [B, {len(self.mean)}], got {batch.shape}")
        if bad := int(np.count_nonzero(~np.isfinite(batch))):
            raise ValueError(f"Moments: expected finite features, got {bad} of {batch.size} that are not")
        mean = batch.mean(0)
        return self.merge(Moments(len(batch), mean, (batch - mean).T @ (batch - mean)))

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of both sets together (Chan, Golub and LeVeque 1983)."""
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"Moments: expected to merge equal sizes, got {len(self.mean)} and {len(other.mean)}")
        if not (number := self.number + other.number):
            return self
        apart = other.mean - self.mean
        between = np.outer(apart, apart) * (self.number * other.number / number)
        return Moments(number, self.mean + apart * (other.number / number), self.scatter + other.scatter + between)

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean [F] and unbiased covariance [F, F]. Raises ValueError for fewer than two features."""
        if self.number < 2:
            raise ValueError(f"Moments: a covariance needs at least 2 examples, got {self.number}")
        return self.mean, self.scatter / (self.number - 1)


class FID(NamedTuple):
    """distance, in squared units of the features, of `samples` from `reference` real examples, of `size` features."""

    distance: float
    samples: int
    reference: int
    size: int


def fid(generated: Moments, real: Moments) -> FID:
    """Return the Frechet distance of generated from real features (Heusel et al. 2017, equation 6).

    It is biased upwards, more so of fewer samples: compare equal numbers, beside the distance of as many real ones.
    Raises ValueError for sizes that differ, or fewer samples than features on either side.
    """
    if generated.mean.shape != real.mean.shape:
        raise ValueError(f"FID: expected features of one size, got {len(generated.mean)} and {len(real.mean)}")
    check_number(generated.number, len(real.mean), what="generated")
    check_number(real.number, len(real.mean), what="real")
    distance = frechet_distance(*generated.finish(), *real.finish())
    return FID(distance, generated.number, real.number, len(real.mean))


def check_number(number: int, size: int, *, what: str) -> None:
    """Raise ValueError for fewer examples, called `what`, than there are features, or than two."""
    if number < max(2, size):
        raise ValueError(f"FID: expected at least {max(2, size)} {what} examples for {size} features, got {number}")


def frechet_distance(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> float:
    """Return |m - n|^2 + tr(C + D - 2 (C D)^(1/2)) of two Gaussians: their squared Wasserstein-2 distance.

    (Dowson and Landau 1982.) With C = R R^T and D = S S^T from eigen-decompositions, the trace of the root is the sum
    of the singular values of R^T S: no root of a product that is not symmetric, and singular covariances lose nothing.
    Rounding leaves it, of equal Gaussians, within some 1e-14 tr C of zero on either side.

    means: [F]. covariances: [F, F], symmetric; eigenvalues lost in rounding count as zero. Raises ValueError for shapes
    that do not fit, numbers that are not finite, or a covariance with a negative eigenvalue.
    """
    arrays = [np.asarray(a, np.float64) for a in (mean, covariance, other_mean, other_covariance)]
    m, c, n, d = arrays
    size = m.size
    if not (m.shape == n.shape == (size,) and c.shape == d.shape == (size, size) and size):
        raise ValueError(f"frechet_distance: expected [F], [F, F], [F], [F, F], got {[a.shape for a in arrays]}")
    if not all(np.isfinite(a).all() for a in arrays):
        raise ValueError("frechet_distance: expected finite means and covariances, got some that are not")
    common = np.linalg.svd(_root(c).T @ _root(d), compute_uv=False).sum()
    return float(((m - n) ** 2).sum() + np.trace(c) + np.trace(d) - 2 * common)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return R [F, F] with R R^T = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -NEGATIVE * abs(values).max():
        raise ValueError(f"frechet_distance: a covariance has the eigenvalues {values[0]:.3g} to {values[-1]:.3g}")
    noise = len(values) * np.finfo(np.float64).eps * values[-1]
    return vectors * np.sqrt(np.where(values > noise, values, 0.0))
