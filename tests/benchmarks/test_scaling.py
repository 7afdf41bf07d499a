"""The curves of what a step costs."""

import json

import pytest

from benchmarks import scaling
from benchmarks.scaling import Axis


def test_points_go_to_a_file_and_a_picture(tmp_path, capsys, monkeypatch):
    axes = {"seeds": Axis("gan", (1, 3), "seeds"), "chunk": Axis("gan", (1, 4), None)}
    monkeypatch.setattr(scaling, "AXES", axes)
    path, picture = tmp_path / "s.json", tmp_path / "s.png"
    flags = ["--axes", "seeds,chunk", "--rounds", "2", "--steps", "2", "--json", str(path), "--picture", str(picture)]
    scaling.main(flags)
    assert capsys.readouterr().out.count("ms a step") == 4
    whole = json.loads(path.read_text())
    assert (whole["rounds"], whole["steps"]) == (2, 2) and "jaxlib" in whole["machine"]
    told = whole["axes"]
    assert [point["value"] for point in told["seeds"]] == [1, 3]
    for points in told.values():
        for point in points:
            assert min(point["step_milliseconds"][1], point["compile_seconds"], point["start_seconds"]) > 0
    assert picture.stat().st_size > 1000


def test_devices_go_up_to_those_there_are():
    found = scaling.measured(Axis("gan", (1, 2, 1024), "devices"), rounds=1, steps=1)
    assert [point["value"] for point in found] == [1, 2]


@pytest.mark.parametrize("name", scaling.AXES)
def test_every_axis_is_an_option_of_its_model(name):
    axis = scaling.AXES[name]
    own = {axis.option: axis.values[0]} if axis.option not in ("seeds", "devices", None) else {}
    assert scaling.load(axis.model, **own).batch_size  # an unknown option would be a TypeError


@pytest.mark.parametrize(
    "flags", [["--axes", "colour"], ["--rounds", "0"], ["--steps", "0"], ["--picture", "no/such/folder.png"]]
)
def test_bad_flags_are_refused(flags, capsys):
    with pytest.raises(SystemExit) as stop:
        scaling.main(flags)
    told = capsys.readouterr().err
    assert stop.value.code == 2 and flags[0] in told and told.count("\n") == 1
