"""Documents of the installed packages: real words, no copy in two parts, no label in the counts."""

import importlib.util
import socket
import sys
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets

from jaxgen.data import PARTS, docstrings, load, names
from jaxgen.data.documents import FEWEST, VOCABULARY, first_of_each, word_counts


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXGEN_CACHE", str(home))
        return load("docstrings")


def test_documents_are_counts_of_words_with_topics(data):
    assert sum(len(getattr(data, part)["x"]) for part in PARTS) > 1500
    for part in PARTS:
        x = getattr(data, part)["x"]
        assert x.shape[1] == VOCABULARY and (x == np.round(x)).all() and (x >= 0).all()
        assert x.sum(1).min() >= FEWEST
    assert np.bincount(data.train["label"], minlength=len(data.classes)).min() >= 10
    share = len(data.train["x"]) / sum(len(getattr(data, part)["x"]) for part in PARTS)
    assert 0.75 < share < 0.85


def test_no_document_is_there_twice_and_every_name_is_in_one_part(data):
    rows = [row.tobytes() for part in PARTS for row in getattr(data, part)["x"]]
    assert len(rows) == len(set(rows))
    topics = [docstrings.TOPICS.index(topic) for topic in ("scipy.linalg", "scipy.sparse")]
    copies = [d.name for topic in topics for d in docstrings.read(topic) if d.name == "norm"]
    assert len(copies) > 1 and len({docstrings._part(name) for name in copies}) == 1


def assert_same(again, data):
    assert again.source == data.source and again.classes == data.classes
    for part in PARTS:
        for key, array in getattr(data, part).items():
            assert getattr(again, part)[key].dtype == array.dtype
            np.testing.assert_array_equal(getattr(again, part)[key], array)


def test_what_was_read_is_kept_for_these_versions_of_the_packages(data, home, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE", str(home))
    real, before = docstrings.metadata.version, docstrings.read
    monkeypatch.setattr(docstrings, "read", lambda topic: pytest.fail("read again"))
    assert_same(load("docstrings"), data)
    monkeypatch.setattr(
        docstrings, "read", lambda topic: [one for one, _ in zip(before(topic), range(9), strict=False)]
    )
    monkeypatch.setattr(docstrings.metadata, "version", lambda name: real(name) + ".post1")
    assert sum(len(getattr(load("docstrings"), part)["x"]) for part in PARTS) < 200


@pytest.mark.slow
def test_a_second_reading_is_the_same(data, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path))
    assert_same(load("docstrings"), data)


def test_prose_has_no_code_and_topics_are_not_counted():
    assert (
        docstrings.prose("Words.\n    >>> from scipy import stats\n    ... more\nMore words.") == "Words.\nMore words."
    )
    texts = ["stats alpha beta", "alpha", "alpha gamma", "delta beta"] * 3
    counts = word_counts(texts, np.ones(12, bool), dropped={"stats"})
    np.testing.assert_array_equal(counts[2], [0, 0, 1])  # beta, delta, gamma: alpha is in more than half
    assert word_counts(texts, np.ones(12, bool)).shape[1] == 4


def test_the_vocabulary_is_chosen_by_the_fitted_documents_alone():
    texts = ["alpha beta"] * 3 + ["delta"] * 4 + ["gamma"] * 50
    counts = word_counts(texts, np.arange(len(texts)) < 7)
    np.testing.assert_array_equal(counts.sum(0), [3, 3])  # alpha, beta; delta is in more than half of the seven


def test_short_documents_and_copies_are_left_out():
    counts = np.array([[FEWEST, 0], [0, FEWEST - 1], [FEWEST, 0], [0, FEWEST]])
    np.testing.assert_array_equal(first_of_each(counts), [True, False, False, True])


def test_reading_imports_nothing_and_opens_no_socket(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    before = set(sys.modules)
    assert len(list(docstrings.read(docstrings.TOPICS.index("skimage.transform")))) > 10
    assert not {name for name in set(sys.modules) - before if name.startswith("skimage.transform")}


def test_the_topics_are_subpackages_of_installed_packages():
    for topic in docstrings.TOPICS:
        package, _, part = topic.partition(".")
        assert package in docstrings.PACKAGES
        root = Path(importlib.util.find_spec(package).submodule_search_locations[0])
        assert (root / part / "__init__.py").is_file()


@pytest.mark.parametrize("error", [URLError("no name"), IncompleteRead(b"")])
def test_newsgroups_without_a_network_are_refused_in_one_line(error, monkeypatch, tmp_path):
    def fail(**options):
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_20newsgroups", fail)
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path))
    with pytest.raises(
        ValueError, match=r"'newsgroups': expected the posts in .* or a network to fetch them"
    ) as caught:
        load("newsgroups")
    assert "\n" not in str(caught.value)


def test_newsgroups_are_split_by_date_with_a_validation_part(monkeypatch):
    random = np.random.RandomState(0)
    words = ["".join(chr(97 + int(d)) * 2 for d in f"{n:03d}") for n in range(100)]

    def fetch(*, subset, remove, **options):
        assert remove == ("headers", "footers", "quotes")
        size = {"train": 40, "test": 20}[subset]
        texts = [" ".join(random.choice(words, 30)) for _ in range(size - 1)] + ["short"]
        bunch = {"data": texts, "target": np.arange(size) % 2, "target_names": ["a.b", "c.d"]}
        return sklearn.utils.Bunch(**bunch)

    monkeypatch.setattr(sklearn.datasets, "fetch_20newsgroups", fetch)
    data = load("newsgroups")
    assert [len(getattr(data, part)["x"]) for part in PARTS] == [35, 4, 19] and data.classes == ("a.b", "c.d")


def test_documents_are_no_set_for_every_model():
    assert not {"docstrings", "newsgroups"} & set(names())
    with pytest.raises(ValueError, match="did you mean docstrings"):
        load("docstring")
