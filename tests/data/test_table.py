"""Tables of numbers: what is written is what is read, every fault is named by its line, and units are accounted for."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from jaxgen.data import PARTS, load
from jaxgen.data.split import split_indices
from jaxgen.data.standardise import Standard, standard_of, standardise, unstandardise

ROWS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
UCI = os.environ.get("JAXGEN_UCI")  # a folder of UCI tables, one a folder, each with its data.txt


def write(path, rows, separator=" ", header="", end="\n"):
    lines = [separator.join(f"{v:.9g}" for v in row) for row in rows]
    (path / "t.txt").write_text(header + end.join(lines) + end)
    return f"table:{path / 't.txt'}"


def fails(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(name)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("data set 'table:")


@pytest.mark.parametrize("separator", [" ", "\t", "   ", ",", ", "])
@pytest.mark.parametrize("header", ["", "a,b,c\n", "# made up\n\na b c\n\n"])
@pytest.mark.parametrize("end", ["\n", " \r\n", "\n\n"])
def test_every_row_is_read_and_split_as_stated(tmp_path, separator, header, end):
    data = load(write(tmp_path, ROWS, separator, header, end))
    for part, index in split_indices(50).items():
        np.testing.assert_array_equal(getattr(data, part)["x"], ROWS[index])
    assert data.train["x"].dtype == np.float32 and "80/10/10, seed 0" in data.source and data.levels is None


def test_a_folder_holds_its_data(tmp_path):
    write(tmp_path, ROWS)
    (tmp_path / "t.txt").rename(tmp_path / "data.txt")
    assert load(f"table:{tmp_path}").train["x"].shape == (40, 3)


def test_a_table_of_one_column_has_one(tmp_path):
    assert load(write(tmp_path, ROWS[:, :1])).test["x"].shape == (5, 1)


def test_columns_that_are_constant_or_repeated_in_train_are_dropped_and_named(tmp_path):
    odd = np.zeros(50, np.float32)
    odd[split_indices(50)["test"]] = 1.0  # varies, but never in training
    few = np.where(np.arange(50) % 10, ROWS[:, 2], 0)  # one value often is enough
    rows = np.stack([ROWS[:, 0], np.full(50, 0.998), odd, ROWS[:, 1], ROWS[:, 0], few], axis=1)
    data = load(write(tmp_path, rows, header="a b c d e f\n"))
    np.testing.assert_array_equal(data.train["x"], rows[split_indices(50)["train"]][:, [0, 3, 5]].astype(np.float32))
    assert "dropped as constant in train: columns 2 (b), 3 (c);" in data.source
    assert "dropped as repeated in train: column 5 (e), the same as 1 (a);" in data.source
    assert data.source.endswith("discrete, densities have no bound: column 6 (f)")
    assert "columns 2, 3;" in load(write(tmp_path, rows)).source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n" * 9, "at least 10 rows of numbers, got 9"),
        ("", "at least 10 rows of numbers, got 0"),
        ("a b\n", "at least 10 rows of numbers, got 0"),
        ("x y\n1 2\n\n1 2 3\n" + "1 2\n" * 9, "2 columns as in line 2, got 3 in line 4"),
        ("1 2\n" * 10 + "1\n", "2 columns as in line 1, got 1 in line 11"),
        ("1 x\n" + "1 2\n" * 10, "expected numbers.*got 'x' in line 1"),
        (
            "1 2\n" * 10 + "1 ?\n",
            "numbers, separated by white space as in line 1, got '?' in line 11".replace("?", "[?]"),
        ),
        ("1,2\n" * 10 + "1,\n", "numbers, separated by commas as in line 1, got '' in line 11"),
        ("1;2\n" * 11, "numbers, separated by white space as in line 2, got '1;2'"),
        ("1 2\n" * 10 + "1 1_0\n", "got '1_0' in line 11"),
        ("1 2\n" * 10 + "1 nan\n", "finite float32, got nan in line 11"),
        ("1 2\n" * 10 + "1 -1e39\n", "finite float32, got -1e[+]39 in line 11"),
        ("1 2\n" * 10, "a column that varies, got 2 constant"),
        ("".join(f"{k} {1e7 + k}\n" for k in range(20)), "float32 can tell apart, got column 2 of mean 1e[+]07"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, text, message):
    (tmp_path / "t.txt").write_text(text)
    fails(f"table:{tmp_path / 't.txt'}", message)


def test_what_is_no_text_file_is_refused(tmp_path):
    fails(f"table:{tmp_path}/none", "expected a file, got nothing")
    fails(f"table:{tmp_path}", "expected a file, got a folder without data.txt")
    (tmp_path / "t.txt").write_bytes(b"1 2\n\xff\xfe\n")
    fails(f"table:{tmp_path / 't.txt'}", "expected text, got bytes that are none at 4")
    with pytest.raises(ValueError, match="expected table:PATH, got nothing"):
        load("table:")


def test_training_rows_get_mean_0_and_deviation_1_whatever_the_other_parts():
    x = 500 + np.array([[0.01, 3.0, 200.0]], np.float32) * ROWS
    standard = standard_of(x[:40])
    z = np.asarray(jax.jit(standardise)(x[:40], standard), np.float64)
    np.testing.assert_allclose(z.mean(0), 0, atol=3e-3)  # float32 holds 500 to 3e-5, of 0.01
    np.testing.assert_allclose(z.std(0), 1, rtol=1e-4)
    np.testing.assert_allclose(unstandardise(standardise(x, standard), standard), x, rtol=1e-6)


def test_densities_are_carried_from_one_unit_to_the_other():
    standard = Standard(np.float32([1, -2, 5]), np.float32([0.1, 3, 20]))
    x = np.asarray(unstandardise(jnp.asarray(ROWS), standard))
    in_x = multivariate_normal(standard.mean, np.diag(standard.deviation**2)).logpdf(x)
    in_z = multivariate_normal(np.zeros(3)).logpdf(standardise(x, standard))
    np.testing.assert_allclose(in_z + standard.log_det, in_x, atol=1e-4)
    jacobian = jax.jacobian(lambda v: standardise(v[None], standard)[0])(x[0])
    np.testing.assert_allclose(standard.log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-5)


def test_columns_that_cannot_be_standardised_are_refused():
    x = np.stack([np.arange(1000.0), np.full(1000, 0.998)], axis=1)
    assert x[:, 1].std() != 0  # by rounding: a test for zero would let it pass
    with pytest.raises(ValueError, match=r"constant ones, \[2\] of 2 counted from 1"):
        standard_of(x)
    for wrong in (ROWS[0], np.zeros((0, 2)), np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match=r"expected finite rows \[N, D\]"):
            standard_of(wrong)


@pytest.mark.skipif(not UCI, reason="JAXGEN_UCI names no folder of UCI tables")
def test_uci_tables_load_and_standardise():
    for folder in sorted(Path(UCI).iterdir()):
        data = load(f"table:{folder}")
        z = standardise(data.train["x"], standard_of(data.train["x"]))
        np.testing.assert_allclose(np.std(z, axis=0, dtype=np.float64), 1, rtol=1e-3)
        assert {part: getattr(data, part)["x"].shape[1] for part in PARTS} == dict.fromkeys(PARTS, z.shape[1])
