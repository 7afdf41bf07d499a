import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxgen.metrics import anomaly

RANDOM = np.random.default_rng(0)


def test_auroc_is_how_often_an_anomaly_is_above_another():
    scores = RANDOM.integers(0, 6, 40).astype(float)  # with ties
    anomalous = RANDOM.random(40) < 0.3
    pairs = scores[anomalous][:, None] - scores[~anomalous][None]
    assert anomaly.auroc(scores, anomalous) == pytest.approx(100 * np.mean((pairs > 0) + 0.5 * (pairs == 0)))
    assert anomaly.auroc(anomalous * 1.0, anomalous) == 100
    assert anomaly.auroc(-1.0 * anomalous, anomalous) == 0
    assert anomaly.auroc(np.zeros(40), anomalous) == 50


@pytest.mark.parametrize("anomalous", [np.zeros(3, bool), np.ones(3, bool)])
def test_one_kind_alone_is_refused(anomalous):
    with pytest.raises(ValueError, match="of 3 anomalous"):
        anomaly.auroc(np.arange(3.0), anomalous)


@pytest.mark.parametrize("held", [1, 50, 10**6])
def test_distances_are_scipys_class_by_class(held, monkeypatch):
    monkeypatch.setattr(anomaly, "HELD", held)
    train, test = RANDOM.random((40, 3, 2, 1)), RANDOM.random((15, 3, 2, 1))
    label = RANDOM.integers(0, 3, 40) * 2  # classes 1 and 3 have no examples
    nearest = anomaly.nearest_by_class(train, label, test, 6)
    every = cdist(test.reshape(15, -1), train.reshape(40, -1), "sqeuclidean")
    for kind in (0, 2, 4):
        np.testing.assert_allclose(nearest[:, kind], every[:, label == kind].min(1), rtol=1e-4, atol=1e-6)
    assert np.isinf(nearest[:, [1, 3, 5]]).all()
    assert anomaly.nearest_by_class(train, label, train, 6).min(1) == pytest.approx(0, abs=1e-5)
