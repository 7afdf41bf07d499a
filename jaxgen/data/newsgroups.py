"""The 20 newsgroups (Lang 1995), fetched by scikit-learn where there is a network and kept on disk."""

from http.client import HTTPException

import numpy as np

from jaxgen.data.cache import cache_root
from jaxgen.data.dataset import Dataset
from jaxgen.data.documents import first_of_each, word_counts
from jaxgen.data.split import hold_out, take


def load() -> Dataset:
    """18,000 posts as counts of the 2,000 commonest words; headers, footers and quotations are left out.

    Raises:
      ValueError: where the posts are neither on disk nor can be fetched.
    """
    from sklearn.datasets import fetch_20newsgroups

    home = cache_root() / "scikit-learn"
    try:
        bunches = [
            fetch_20newsgroups(
                data_home=home, subset=part, remove=("headers", "footers", "quotes"), n_retries=1, delay=0
            )
            for part in ("train", "test")
        ]
    except (OSError, HTTPException) as error:
        raise ValueError(
            f"data set 'newsgroups': expected the posts in {home} or a network to fetch them, got {error}"
        ) from error
    texts = [text for bunch in bunches for text in bunch.data]
    label = np.concatenate([bunch.target for bunch in bunches]).astype(np.int32)
    size = len(bunches[0].data)
    x = word_counts(texts, np.arange(len(texts)) < size)
    kept = first_of_each(x)
    fitted, tested = (
        {"x": x[rows], "label": label[rows]}
        for rows in (np.flatnonzero(kept[:size]), size + np.flatnonzero(kept[size:]))
    )
    return Dataset(
        name="newsgroups",
        **take(fitted, hold_out(len(fitted["x"]), what="newsgroups")),
        test=tested,
        source="word counts of the 20 newsgroups (by date, scikit-learn), validation a tenth of train, seed 0",
        classes=tuple(bunches[0].target_names),
    )
