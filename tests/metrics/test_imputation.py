import numpy as np
import pytest
from sklearn.impute import KNNImputer, SimpleImputer

from jaxgen.metrics import imputation

RANDOM = np.random.default_rng(0)


def made(channels=1):
    train, x = RANDOM.random((30, 3, 4, channels)), RANDOM.random((20, 3, 4, channels))
    return train.astype(np.float32), x.astype(np.float32), RANDOM.random((20, 3, 4, 1)) < 0.6


def by_scikit(imputer, train, x, observed):
    holes = np.where(observed, x, np.nan).reshape(len(x), -1)
    return imputer.fit(train.reshape(len(train), -1)).transform(holes).reshape(x.shape)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("held", [1, 100, 10**6])
def test_the_nearest_image_by_observed_pixels_is_scikit_learns(channels, held, monkeypatch):
    monkeypatch.setattr(imputation, "HELD", held)
    train, x, observed = made(channels)
    expected = by_scikit(KNNImputer(n_neighbors=1), train, x, observed)
    np.testing.assert_allclose(imputation.nearest_fill(train, x, observed), expected, rtol=1e-6)


def test_the_mean_is_that_of_the_training_pixel():
    train, x, observed = made()
    expected = by_scikit(SimpleImputer(), train, x, observed)
    np.testing.assert_allclose(imputation.mean_fill(train, x, observed), expected, rtol=1e-6)


def test_hidden_values_do_not_reach_the_fill():
    train, x, observed = made()
    junk = np.where(observed, x, 7.0)
    for fill in (imputation.mean_fill, imputation.nearest_fill):
        np.testing.assert_array_equal(fill(train, x, observed), fill(train, junk, observed))


def test_the_error_is_of_hidden_numbers_alone():
    x = np.zeros((1, 2, 2, 2))
    filled = np.arange(8.0).reshape(x.shape)
    observed = np.array([True, False, True, False]).reshape(1, 2, 2, 1)
    assert imputation.hidden_error(x, filled, observed) == np.mean([4, 9, 36, 49])
    with pytest.raises(ValueError, match="expected hidden pixels"):
        imputation.hidden_error(x, filled, np.ones((1, 2, 2, 1), bool))
