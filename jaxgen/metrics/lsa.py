"""Latent semantic analysis (Deerwester et al. 1990): the linear codes of documents."""

import numpy as np


def lsa(train: np.ndarray, counts: np.ndarray, size: int, *, weighted: bool) -> np.ndarray:
    """Return the codes [N, size] of documents in the plane of the first singular vectors of the training documents.

    train [M, V], counts [N, V]: word counts, taken as log(1 + count) or, with `weighted`, as 1 + log(count) times the
    inverse document frequency, documents of length one. By scikit-learn.
    Raises ValueError for more dimensions than the training documents have.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer

    if not 1 <= size < min(train.shape):
        raise ValueError(
            f"LSA of {len(train)} documents of {train.shape[1]} words: expected 1 to "
            f"{min(train.shape) - 1} dimensions, got {size}"
        )
    weigh = TfidfTransformer(sublinear_tf=True).fit(train).transform if weighted else np.log1p
    return TruncatedSVD(size, random_state=0).fit(weigh(train)).transform(weigh(counts))
