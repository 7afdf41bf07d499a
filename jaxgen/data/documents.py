"""Texts as word counts over a fixed vocabulary, for models of documents."""

from collections.abc import Iterable, Sequence

import numpy as np

WORD = r"\b[a-z]{3,}\b"  # plain words only: no identifiers with underscores or digits, no numbers
VOCABULARY = 2000
FEWEST = 10  # counted words, below which a document says too little of its topic


def word_counts(texts: Sequence[str], fitted: np.ndarray, *, dropped: Iterable[str] = ()) -> np.ndarray:
    """Counts the commonest words, as a bag of words sees each text.

    Left out are scikit-learn's English stop words, words in more than half of the fitted texts and words in
    fewer than three of them.

    Args:
      texts: N documents.
      fitted: bool ``[N]``, the documents that choose the vocabulary: those of the training part.
      dropped: words that are not counted either, such as those that name a label.

    Returns:
      float32 ``[N, V]`` whole numbers, V at most `VOCABULARY`, the words in alphabetical order.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

    stop = sorted(ENGLISH_STOP_WORDS | set(dropped))
    # Words of one or two letters are no tokens here, and scikit-learn would warn of those in its own list.
    stop = [word for word in stop if word.isalpha() and len(word) > 2]
    vectorizer = CountVectorizer(token_pattern=WORD, stop_words=stop, max_features=VOCABULARY, min_df=3, max_df=0.5)
    vectorizer.fit([text for text, chosen in zip(texts, fitted, strict=True) if chosen])
    return vectorizer.transform(texts).toarray().astype(np.float32)


def first_of_each(counts: np.ndarray) -> np.ndarray:
    """Says which documents to keep, bool ``[N]``: long enough, and the first with its bag of words."""
    _, first = np.unique(counts, axis=0, return_index=True)
    kept = np.zeros(len(counts), bool)
    kept[first] = True
    return kept & (counts.sum(1) >= FEWEST)
