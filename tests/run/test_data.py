"""The data of a run are read once, or left on disk."""

import numpy as np
import pytest

from jaxgen.run import data
from jaxgen.run.experiment import Common


@pytest.mark.parametrize(
    ("kind", "where", "reads"),
    [
        ("memory", None, [True]),
        ("memory", "host", [True]),
        ("memory", "device", [False]),
        ("disk", None, [True, False]),
        ("disk", "host", [True]),
        ("disk", "device", [False]),
    ],
)
def test_only_what_lies_on_disk_and_belongs_on_the_device_is_read_after_it_was_looked_at(
    kind, where, reads, tmp_path, monkeypatch
):
    from PIL import Image

    for number in range(10):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / "a" / f"{number}.png")
    asked, load = [], data.load

    def counted(name, lazy=False):
        asked.append(lazy)
        return load(name, lazy=lazy)

    monkeypatch.setattr(data, "load", counted)
    data.open_data(Common(data="digits" if kind == "memory" else f"folder:{tmp_path}", data_on=where))
    assert asked == reads
