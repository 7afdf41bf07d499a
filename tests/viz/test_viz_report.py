"""The report page of a run, finished, in progress, torn and failing."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from jaxgen.viz.images import save
from jaxgen.viz.page import duration, flatten, number
from jaxgen.viz.record import read
from jaxgen.viz.report import write_report

CONFIG = {
    "experiment": "vae",
    "command": "python -m experiments.vae --beta 2 && echo <done>",
    "config": {"beta": 2.0, "optimizer": {"rate": 0.001}, "note": "<script>alert(1)</script>", "resume": True},
    "data": "digits & more",
}
RESULT = {
    "experiment": "vae",
    "scores": {"elbo": {"mean": -22.125, "std": 0.25, "seeds": [-22.0, -22.25]}, "fid": 3.5, "kid": float("nan")},
    "better": {"elbo": "higher", "fid": "lower"},
    "baselines": {"elbo": -41.5, "fid": 2.75},
    "units": {"elbo": "nats"},
    "protocol": "512 samples on the <test> split",
    "steps": 1500,
    "seconds": 75.0,
    "versions": {"jax": "0.7.0"},
    "machine": "two cores",
}


@pytest.fixture
def folder(tmp_path):
    """A run's folder: eleven pictures in grey levels that tell their steps, curves, and a torn last line."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    lines = [
        {"step": step, "train/vae/loss": [step / 7, step / 9], "train/vae/kl": 1.5 * step, "time/seconds": step / 100}
        for step in range(100, 1600, 100)
    ]
    lines.append({"step": 1500, "validation/kl": 12.0, "validation/loss": float("inf")})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"step": 9999, "train/vae/loss": 1')
    for level, step in enumerate(range(0, 1100, 100)):
        save(tmp_path / "samples" / f"digits_{step:08d}.png", np.full((8, 8, 3), 10 * level, np.uint8))
    save(tmp_path / "samples" / "manifold.png", np.full((8, 8, 3), 200, np.uint8))
    return tmp_path


def page(folder):
    return write_report(folder).read_text(encoding="utf-8")


def figures(html):
    """(caption, grey level) of every picture on the page, in order."""
    found = re.findall(r'src="data:image/png;base64,([^"]*)"><figcaption>([^<]*)<', html)
    return [
        (caption, int(np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))[0, 0, 0])) for data, caption in found
    ]


def test_the_page_tells_every_score_and_every_part_of_the_config(folder):
    html = page(folder)
    for key in ("elbo", "fid", "kid", "beta", "optimizer.rate", "note", "resume", "jax", "machine"):
        assert f">{key}" in html
    for text in ("-22.12", "± 0.25", "nats", "2 seeds: -22, -22.25", "3.5", ">nan", "1,500 steps in 75 s", "two cores"):
        assert text in html
    assert "<title>vae</title>" in html and "in progress" not in html


def test_a_baseline_that_is_beaten_is_told_from_one_that_is_not(folder):
    html = page(folder)
    assert '<div class="good">baseline -41.5</div>' in html
    assert '<div class="bad">baseline 2.75</div>' in html


def test_several_scores_of_several_things_are_one_table(folder):
    spread = {"mean": 7.5, "std": 0.5, "seeds": [7, 8]}
    found = {
        "modes, none": spread,
        "kl, none": 0.25,
        "modes, <r1>, twice": 8,
        "kl, <r1>, twice": 0.5,
        "fid": 3.5,
        "a, b": 1,
    }
    result = RESULT | {
        "scores": found,
        "units": dict.fromkeys(found, "nats"),
        "better": {"kl, none": "lower", "kl, <r1>, twice": "lower"},
        "baselines": {"modes, none": 8, "modes, <r1>, twice": 8, "kl, none": 0.4, "kl, <r1>, twice": 0.375},
    }
    (folder / "result.json").write_text(json.dumps(result))
    html = page(folder)
    table = re.findall(r'<table class="two">(.*?)</table>', html, re.DOTALL)
    assert len(table) == 1
    rows = [
        [re.sub("<[^>]*>", "", cell) for cell in re.findall("<t[hd]>(.*?)</t[hd]>", line)]
        for line in table[0].split("\n")
    ]
    assert rows == [
        ["", "modes (nats)", "kl ↓ (nats)"],
        ["none", "7.5 ± 0.52 seeds: 7, 8", "0.25baseline 0.4"],
        ["&lt;r1&gt;, twice", "8", "0.5baseline 0.375"],
        ["", "baseline 8", ""],
    ]
    assert 'class="good">baseline 0.4' in html and 'class="bad">baseline 0.375' in html
    assert 'class="soft">baseline 8' in html
    names = re.findall('<div class="soft name">(.*?)</div>', html)
    assert names == ["fid", "a, b"]


def test_one_score_of_several_things_stays_in_cards(folder):
    (folder / "result.json").write_text(json.dumps(RESULT | {"scores": {"error, a": 1, "error, b": 2, "kl, a": 3}}))
    assert '<table class="two">' not in page(folder)


def test_everything_is_escaped(folder):
    html = page(folder)
    assert "<script" not in html and "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "--beta 2 &amp;&amp; echo &lt;done&gt;" in html
    assert "digits &amp; more" in html and "the &lt;test&gt; split" in html


def test_the_page_refers_to_nothing_outside_itself(folder):
    html = page(folder)
    targets = re.findall(r'(?:src|href)\s*=\s*["\']?([^"\'\s>]*)', html) + re.findall(r"url\(([^)]*)\)", html)
    assert len(targets) > 10  # the pictures
    assert all(target.startswith(("data:", "#")) for target in targets)
    assert "@import" not in html and "<link" not in html
    assert "default-src 'none'" in html


def test_the_newest_picture_is_first_then_a_strip_from_first_to_last_then_those_without_a_step(folder):
    found = figures(page(folder))
    assert found[0] == ("digits, step 1,000", 100)
    strip = found[1:-1]
    assert len(strip) == 8
    assert strip[0] == ("step 0", 0) and strip[-1] == ("step 1,000", 100)
    assert all(int(caption[5:].replace(",", "")) == 10 * level for caption, level in strip)
    assert [level for _, level in strip] == sorted({level for _, level in strip})
    assert found[-1] == ("manifold", 200)


def test_curves_of_one_quantity_share_axes(folder):
    charts = re.findall(r"<svg.*?</svg>", page(folder), flags=re.DOTALL)
    texts = [set(re.findall(r"<text[^>]*>([^<]*)</text>", chart)) for chart in charts]
    assert len(charts) == 2  # time/seconds is told in the header
    assert {"loss", "train/vae (2 seeds)", "validation"} <= texts[0]
    assert {"kl", "train/vae", "validation"} <= texts[1]


def test_an_unfinished_run_says_how_far_it_is_and_what_it_validated_last(folder):
    (folder / "result.json").unlink()
    html = page(folder)
    assert "in progress at step 1,500" in html  # not the torn line's 9999
    assert ">validation/kl</div>" in html and ">inf" in html


def test_a_run_just_begun_has_a_page(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"experiment": "gan"}))
    html = page(tmp_path)
    assert "in progress at step 0" in html
    assert "<section>" not in html


def test_equal_folders_give_equal_pages(folder):
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first
    assert sorted(path.name for path in folder.iterdir() if "report" in path.name) == ["report.html"]


def test_values_that_are_not_finite_break_nothing(folder):
    lines = [
        {"step": step, "a/x": float("nan"), "a/y": [float("inf"), -float("inf")], "validation/y": [1e308, None]}
        for step in (1, 2)
    ]
    lines.append({"step": 3, "validation/z": [float("inf"), -float("inf")], "a/note": "text", "a/empty": []})
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert page(folder).count("<svg") == 3
    (folder / "result.json").unlink()
    assert ">validation/z</div>" in page(folder)


def test_a_picture_that_cannot_be_read_is_told(folder):
    whole = (folder / "samples" / "digits_00001000.png").read_bytes()
    (folder / "samples" / "digits_00001100.png").write_bytes(whole[: len(whole) // 2])
    (folder / "samples" / "noise.png").write_bytes(b"no picture")
    html = page(folder)
    assert "digits_00001100.png cannot be read" in html and "noise.png cannot be read" in html


def test_large_noisy_pictures_keep_the_page_small(folder):
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    for name in ("a", "b", "c"):
        save(folder / "samples" / f"{name}_00000100.png", noise)
    path = write_report(folder)
    assert "data:image/jpeg" in path.read_text()
    assert path.stat().st_size < 3_000_000


def test_a_step_written_twice_counts_as_written_last_and_steps_are_put_in_order(folder):
    lines = [{"step": 2, "a": 1.0}, {"step": 3, "a": 9.0}, {"step": 1, "a": [0.0, 4.0]}, {"step": 3, "a": 2.0}]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    steps, values = read(folder).series["a"]
    np.testing.assert_array_equal(steps, [1, 2, 3])
    np.testing.assert_array_equal(values, [[0, 4], [1, np.nan], [2, np.nan]])


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a config\.json"):
        write_report(tmp_path)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"object in config\.json, got list"):
        write_report(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"JSON in config\.json"):
        write_report(tmp_path)


def test_numbers_and_names_are_written_for_people():
    values = (1500, 12345.6, -93.125, 1.5e-7, float("nan"), True, None, "x")
    assert [number(value) for value in values] == ["1,500", "12,346", "-93.12", "1.5e-07", "nan", "true", "None", "x"]
    assert [duration(seconds) for seconds in (5.25, 600, 7500)] == ["5.25 s", "10 min", "2 h 05 min"]
    assert flatten({"a": {"b": 1, "c": {}}, "d": [2]}) == {"a.b": 1, "a.c": {}, "d": [2]}
