import numpy as np
import pytest

from jaxgen.metrics.pca import principal_components

X = np.random.default_rng(0).normal(size=(60, 2, 4)) * np.arange(1, 9).reshape(2, 4)


def test_the_error_is_the_variance_left_out():
    """Eckart and Young: the mean squared error on the data fitted to is the sum of the smallest eigenvalues."""
    pca = principal_components(X, 8)
    eigenvalues = np.linalg.eigvalsh(np.cov(X.reshape(60, -1).T, bias=True))
    for size in range(1, 9):
        np.testing.assert_allclose(pca.errors(X, size).mean(), eigenvalues[: 8 - size].sum(), rtol=1e-6, atol=1e-9)


def test_fewer_components_are_the_first_ones():
    whole, part = principal_components(X, 8), principal_components(X, 3)
    np.testing.assert_allclose(whole.reconstruct(X, 3), part.reconstruct(X, 3), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(abs(whole.encode(X, 3)), abs(part.encode(X, 3)), rtol=1e-6, atol=1e-9)


def test_the_basis_is_orthonormal_and_projecting_twice_is_projecting_once():
    pca = principal_components(X, 3)
    np.testing.assert_allclose(pca.basis @ pca.basis.T, np.eye(3), atol=1e-9)
    once = pca.reconstruct(X, 3)
    assert once.shape == X.shape
    np.testing.assert_allclose(pca.reconstruct(once, 3), once, atol=1e-9)


def test_no_random_plane_is_nearer():
    best = principal_components(X, 3).errors(X, 3).mean()
    flat = X.reshape(60, -1) - X.reshape(60, -1).mean(0)
    for seed in range(20):
        basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(8, 3)))[0]
        assert ((flat - flat @ basis @ basis.T) ** 2).sum(1).mean() > best


@pytest.mark.parametrize(("examples", "size", "most"), [(60, 9, 8), (60, 0, 8), (5, 6, 5)])
def test_more_components_than_there_are_is_refused(examples, size, most):
    with pytest.raises(ValueError, match=f"expected 1 to {most} components, got {size}"):
        principal_components(X[:examples], size)
