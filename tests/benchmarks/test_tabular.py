"""The comparison is fair where all train flows of one size on the same rows in the same order."""

import importlib.util
import json

import jax
import numpy as np
import pytest

from benchmarks import tabular
from benchmarks.density import ours, peers
from benchmarks.density.job import FLOWS, Size, load, save
from jaxgen.data.standardise import standard_of

KINDS = [*FLOWS["maf"], *FLOWS["spline"]]
SIZE = Size(layers=2, hidden=(8, 8), bins=4, steps=5, evaluations=2)
COLUMNS = 3


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rows = np.random.default_rng(0).standard_normal((200, COLUMNS)) @ [[2, 1, 0], [0, 1, 3], [0, 0, 1]] + 5
    path = tmp_path_factory.mktemp("table") / "rows.txt"
    np.savetxt(path, rows)
    return f"table:{path}"


@pytest.fixture(scope="module")
def job(table):
    return tabular.job_of(table, SIZE, 32)[0]


def our_parameters(kind, size, columns):
    x = np.random.default_rng(1).standard_normal((16, columns)).astype(np.float32)
    params = jax.eval_shape(ours.bijector(kind, size).init, jax.random.key(0), x)
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def test_rows_are_standardised_by_the_training_part_and_keep_float32(job):
    standard = standard_of(job.train)
    np.testing.assert_allclose(standard.mean, 0, atol=1e-5)
    np.testing.assert_allclose(standard.deviation, 1, atol=1e-5)
    assert [len(part) for part in (job.train, job.validation, job.test)] == [160, 20, 20]
    assert job.train.dtype == np.float32
    assert job.order.shape == (5, 32)


def test_every_library_is_given_the_same_job(job, monkeypatch):
    given = []

    def trained(which):
        given.append(which)
        return ours.Trained(np.zeros(3), 0.0, 1, 1, 1.0)

    monkeypatch.setattr(ours, "train", lambda kind, job: trained(job))
    monkeypatch.setattr(peers, "train", lambda library, kind, job: trained(job))
    results = tabular.compare(tabular.Config(("table:none",)), job)
    assert list(results) == KINDS
    assert len(given) == 9 and all(one is job for one in given)


def test_a_job_comes_out_of_its_folder_as_it_went_in(job, tmp_path):
    save(job, tmp_path)
    again = load(tmp_path)
    assert again.size == job.size and again.stops == job.stops
    for name in ("train", "validation", "test", "order"):
        assert np.array_equal(getattr(again, name), getattr(job, name))


@pytest.mark.parametrize(("steps", "evaluations"), [(5, 2), (7, 7), (3, 10), (1, 1)])
def test_stops_cover_every_update_once(job, steps, evaluations):
    stops = job._replace(size=SIZE._replace(steps=steps, evaluations=evaluations)).stops
    assert [number for first, end in stops for number in range(first, end)] == list(range(steps))
    assert len(stops) == min(steps, evaluations)


@pytest.mark.parametrize("kind", KINDS)
def test_ours_trains(job, kind):
    trained = ours.train(kind, job)
    assert trained.test.shape == (20,) and np.isfinite(trained.test).all()
    assert trained.parameters == our_parameters(kind, SIZE, COLUMNS)
    assert trained.best > 0 and trained.seconds > 0 and trained.compile_seconds > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("library", peers.PEERS)
def test_peer_trains_on_the_job_and_has_as_many_parameters(job, library, kind):
    pytest.importorskip(library, reason="the peers need: pip install 'jaxgen[peers]'")
    trained = peers.train(library, kind, job)
    assert trained.test.shape == (20,) and np.isfinite(trained.test).all()
    assert trained.best > 0 and trained.seconds > 0 and trained.version
    # zuko has no actnorm: one before each layer, or each pair of couplings, of two numbers a column.
    norms = SIZE.layers // 2 if kind == "spline, coupling" else SIZE.layers
    lacking = 2 * COLUMNS * norms if library == "zuko" else 0
    assert trained.parameters == our_parameters(kind, SIZE, COLUMNS) - lacking


@pytest.mark.parametrize("columns", [2, 5, 10])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("library", peers.PEERS)
def test_parameters_are_within_a_hundredth_at_the_default_size(library, kind, columns):
    pytest.importorskip(library, reason="the peers need: pip install 'jaxgen[peers]'")
    flows = importlib.import_module(f"benchmarks.density.{library}_flows")
    from benchmarks.density.torch_training import parameters

    theirs = parameters(flows.build(kind, Size(), columns))
    assert theirs == pytest.approx(our_parameters(kind, Size(), columns), rel=0.01)


@pytest.mark.parametrize("library", peers.PEERS)
def test_a_peer_starts_from_a_proper_density(library):
    """Its log-probability integrates to one over a plane."""
    pytest.importorskip(library, reason="the peers need: pip install 'jaxgen[peers]'")
    import torch

    flows = importlib.import_module(f"benchmarks.density.{library}_flows")
    side = torch.linspace(-12, 12, 401)
    grid = torch.cartesian_prod(side, side)
    for kind in KINDS:
        model = flows.build(kind, SIZE, 2).eval()
        with torch.no_grad():
            mass = flows.log_prob(model, grid).exp().sum() * (side[1] - side[0]) ** 2
        assert float(mass) == pytest.approx(1, abs=0.01), kind


def test_main_prints_a_table_and_writes_json(table, tmp_path, capsys):
    file = tmp_path / "results.json"
    flags = "--flows maf --libraries jaxgen --steps 4 --layers 1 --hidden 8 --batch-size 16 --evaluations 2"
    tabular.main(["--data", table, *flags.split(), "--json", str(file)])
    printed = capsys.readouterr().out
    assert "maf" in printed and "log-likelihood" in printed
    told = json.loads(file.read_text())
    assert told["data"][table]["rows"] == {"train": 160, "validation": 20, "test": 20}
    assert told["data"][table]["flows"]["maf"]["jaxgen"]["log_likelihood"] < 0


def test_a_broken_peer_is_told_and_ends_nothing(job, monkeypatch):
    def broken(library, kind, job):
        raise peers.Failed("it broke")

    monkeypatch.setattr(peers, "train", broken)
    results = tabular.compare(tabular.Config(("table:none",), flows="maf", libraries="zuko"), job)
    assert results == {"maf": {"zuko": {"failed": "it broke"}}}
    assert "failed: it broke" in tabular.table({"table:rows": {"flows": results}})


def test_differences_are_row_by_row():
    test = np.random.default_rng(2).normal(-4, 9, 100).astype(np.float32)
    told = tabular.summary(ours.Trained(test + 1, 0.0, 1, 1, 1.0), 10, test)
    np.testing.assert_allclose(told["above_ours"], (1, 0), atol=1e-5)
    assert told["error"] > 1


def test_scores_that_are_not_finite_are_told_as_none():
    diverged = ours.Trained(np.full(3, np.nan), -np.inf, 0, 1, 1.0)
    told = tabular.summary(diverged, 10)
    assert told["log_likelihood"] is None and told["validation"] is None
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize("library", peers.PEERS)
def test_a_missing_peer_names_the_extra(library, table, capsys, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == library else found(name))
    with pytest.raises(SystemExit) as stop:
        tabular.main(["--data", table, "--libraries", library, "--batch-size", "16"])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert "jaxgen[peers]" in told and library in told


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--layers 3", "even"),
        ("--flows nice", "unknown 'nice'"),
        ("--libraries pyro", "unknown 'pyro'"),
        ("--hidden 8 0", "--hidden"),
        ("--steps 0", "--steps"),
        ("--batch-size 1000", "batch size"),
        ("--learning-rate -1", "--learning-rate"),
        ("--json nowhere/results.json", "--json"),
    ],
)
def test_bad_input_is_told_in_a_line(table, flags, words, capsys):
    with pytest.raises(SystemExit) as stop:
        tabular.main(["--data", table, *flags.split()])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1


def test_nflows_takes_one_width_alone(table, capsys):
    pytest.importorskip("nflows", reason="the peers need: pip install 'jaxgen[peers]'")
    with pytest.raises(SystemExit):
        tabular.main(["--data", table, "--libraries", "nflows", "--hidden", "8", "16", "--batch-size", "16"])
    assert "one width" in capsys.readouterr().err
