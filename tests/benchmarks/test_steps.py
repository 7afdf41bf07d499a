"""The command line of the step benchmark."""

import importlib.util
import json
import os
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import machine, steps
from benchmarks.device_time import covered
from benchmarks.measure import in_turns
from benchmarks.subject import SUBJECTS, load
from benchmarks.table import spread
from jaxgen.step import init, make_step

TINY = ["--rounds", "2", "--steps", "2"]


def refused(benchmark, arguments, capsys):
    """The one line that a refused command ends with."""
    with pytest.raises(SystemExit) as stop:
        benchmark.main(arguments)
    told = capsys.readouterr()
    assert stop.value.code == 2 and told.out == ""
    assert told.err.startswith("error: ") and told.err.count("\n") == 1
    return told.err


def test_a_model_gets_a_row_and_its_numbers_a_file(tmp_path, capsys):
    path = tmp_path / "steps.json"
    steps.main([*TINY, "--model", "vae", "--json", str(path)])
    printed = capsys.readouterr().out
    assert "652,824" in printed and "single / many" in printed

    told = json.loads(path.read_text())
    assert {"processor", "cores", "device", "jax", "python"} <= set(told["machine"])
    result = told["models"]["vae"]
    assert result["parameters"] == 652_824
    # 784-400-40 and 20-400-784, three products a layer, but no gradient of the data.
    weights = (784 * 400, 400 * 40, 20 * 400, 400 * 784)
    assert result["matmul_flops"] == 2 * 128 * (3 * sum(weights) - weights[0])
    assert result["flops"] is None or result["flops"] >= result["matmul_flops"]
    assert result["bytes"] is None or result["bytes"] > 0
    assert result["batch_size"] == 128 and result["rounds"] == 2 and result["steps"] == 2
    assert set(result["compile_seconds"]) == set(result["step_milliseconds"]) == {"many", "single"}
    for quartiles in (*result["step_milliseconds"].values(), result["single_over_many"]):
        assert 0 < quartiles[0] <= quartiles[1] <= quartiles[2]
    assert result["examples_per_second"] == pytest.approx(128e3 / result["step_milliseconds"]["many"][1])
    assert result["share_of_peak"] > 0 and result["matmul_peak_flops"] > 0
    assert result["memory_bytes"]["resident"] > 1e7
    assert result["device_milliseconds"] is None  # a CPU has no kernels of its own
    assert result["peers"] == {}


@pytest.mark.parametrize("parallel", ["jit", pytest.param("pmap", marks=pytest.mark.slow)])
def test_seeds_devices_and_precision(parallel, tmp_path):
    path = tmp_path / "steps.json"
    flags = f"--model gan --seeds 3 --devices 2 --parallel {parallel} --precision bfloat16 --json {path}"
    steps.main([*TINY, *flags.split()])
    told = json.loads(path.read_text())
    result = told["models"]["gan"]
    assert told["precision"] == "bfloat16" and result["seeds"] == 3 and result["devices"] == 2
    assert result["parallel"] == parallel
    layers = [(16, 128), (128, 128), (128, 2)], [(2, 128), (128, 128), (128, 1)]
    assert result["parameters"] == 3 * sum(n * m + m for network in layers for n, m in network)
    assert result["matmul_flops"] > 3 * 128 * sum(2 * n * m for network in layers for n, m in network)
    assert result["examples_per_second"] == pytest.approx(3 * 128e3 / result["step_milliseconds"]["many"][1])


def test_turns_begin_with_another_each_round():
    order = []
    told = in_turns({name: lambda name=name: order.append(name) or float(len(order)) for name in "abc"}, 3)
    assert "".join(order) == "abcbcacab"
    assert told == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="needs Linux")
def test_memory_of_one_model_is_not_the_next_ones():
    before = machine.memory()["resident"]
    held = np.ones(2**25)  # 256 MiB
    most = machine.memory()["resident"]
    assert most > before + held.nbytes / 2
    del held
    machine.forget_memory()
    assert machine.memory()["resident"] < most - 2**27


QUICK = ("vae", "gan")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SUBJECTS])
def test_products_are_computed_in_the_precision_that_is_asked_for(name):
    subject = load(name, dtype=jnp.bfloat16)
    batch = {key: jnp.asarray(rows[: subject.batch_size]) for key, rows in subject.data.items()}
    seen = batch if subject.prepare is None else subject.prepare(jax.random.key(0), batch)
    state = jax.eval_shape(lambda batch: init(subject.game, jax.random.key(0), batch), seen)
    program = str(jax.make_jaxpr(make_step(subject.game))(state, seen))
    products = re.findall(r":(\w+)\[[^\]]*\] = (?:dot_general|conv_general_dilated)", program)
    assert products.count("bf16") > len(products) / 2  # linear maps between couplings stay whole


def test_an_unknown_model_is_refused_with_the_nearest_name(capsys):
    assert "'vea', did you mean vae" in refused(steps, ["--model", "vea"], capsys)


@pytest.mark.parametrize(
    "flags",
    [
        "--rounds 0",
        "--steps 0",
        "--seeds 0",
        "--devices 99",
        "--json no/such/folder/a.json",
        "--mdel",
        "--precision tf32",
    ],
)
def test_bad_flags_are_refused(flags, capsys):
    refused(steps, flags.split(), capsys)


@pytest.mark.parametrize(
    "flags",
    [
        "--kinds lazy",
        "--kinds graphs",
        "--model gan --kinds channels_last",
        "--seeds 2",
        "--precision bfloat16",
        "--devices 8",
    ],
)
def test_what_peers_cannot_do_is_refused(flags, capsys, monkeypatch):
    pytest.importorskip("torch", reason="the peers need torch: pip install 'jaxgen[peers]'")
    monkeypatch.setattr(machine, "cores", lambda: 4)
    refused(steps, ["--peers", *flags.split()], capsys)


def test_peers_are_told_beside_ours(tmp_path, capsys):
    pytest.importorskip("torch", reason="the peers need torch: pip install 'jaxgen[peers]'")
    path = tmp_path / "steps.json"
    steps.main([*TINY, "--model", "gan", "--peers", "--kinds", "fused,channels_last", "--json", str(path)])
    assert "gan: torch fused" in capsys.readouterr().out
    result = json.loads(path.read_text())["models"]["gan"]
    assert set(result["peers"]) == {"torch fused"}  # channels_last is for images
    peer, own = result["peers"]["torch fused"], result["step_milliseconds"]["many"]
    assert peer["parameters"] == result["parameters"]
    (least, most), (own_least, own_most) = (  # of two rounds, whose quartiles lie a quarter of the way from either
        (median - (high - low), median + (high - low)) for low, median, high in (peer["step_milliseconds"], own)
    )
    slack = 1e-6 * most / own_least
    assert least / own_most - slack <= peer["ratio"][1] <= most / own_least + slack  # theirs over ours


def test_missing_torch_is_refused_with_the_command_that_installs_it(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    assert "pip install 'jaxgen[peers]'" in refused(steps, [*TINY, "--peers"], capsys)


def test_a_spread_reads_median_and_quartiles():
    assert spread([1.0, 2.0, 3.0]) == "2.00 [1.00, 3.00]"
    assert spread([0.11, 0.1166, 0.12]) == "0.117 [0.110, 0.120]"


def test_kernels_side_by_side_count_once():
    assert covered([(0, 2), (5, 6), (1, 3), (5.5, 5.7)]) == 4
    assert covered([]) == 0
