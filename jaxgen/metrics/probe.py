"""How much of the class a linear map reads off a code."""

import warnings

import numpy as np


def linear_probe(train: np.ndarray, label: np.ndarray, test: np.ndarray, test_label: np.ndarray) -> float:
    """Return the fraction of test examples that logistic regression on the codes classifies rightly, in [0, 1].

    train [N, ...], test [M, ...]: codes, flattened and standardised by the training codes. label [N], test_label [M].
    The regression is scikit-learn's, with an L2 penalty of its default strength: nothing is tuned.
    Raises ValueError for lengths that differ, codes that are not finite, or fewer than two classes.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = (np.asarray(codes, np.float64).reshape(len(codes), -1) for codes in (train, test))
    if len(train) != len(label) or len(test) != len(test_label) or train.shape[1] != test.shape[1]:
        raise ValueError(
            f"probe: expected one label a code and codes of one size, got codes {train.shape} and {test.shape} "
            f"with {len(label)} and {len(test_label)} labels"
        )
    if not (np.isfinite(train).all() and np.isfinite(test).all()):
        raise ValueError("probe: expected finite codes, got nan or infinity")
    if len(kinds := np.unique(label)) < 2:
        raise ValueError(f"probe: expected at least two classes in training, got {len(kinds)}")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, tol=1e-3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of separable codes: the accuracy stands long before
        model.fit(train, label)
    return float(np.mean(model.predict(test) == np.asarray(test_label)))
