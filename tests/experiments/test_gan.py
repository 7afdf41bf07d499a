"""GANs from the command line to the report."""

import importlib
import json
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.gan import Config, build
from jaxgen.run.cli import main
from jaxgen.run.features import FeatureNetwork
from jaxgen.step import init

SMALL = ["--steps=4", "--evaluations=1", "--chunk=2", "--samples=200", "--batch-size=8"]
NARROW = ["--generator-hidden=8", "--discriminator-hidden=8", "--latent=2"]


def run(out, *flags, name="gan"):
    module = importlib.import_module(f"experiments.{name}")
    main(name, module.Config, module.build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    return json.loads((out / "result.json").read_text())


@pytest.mark.parametrize(
    ("name", "flags"),
    [("gan", NARROW), ("dcgan", ["--width=2", "--latent=2", "--features=pixels"])],
)
def test_a_small_run_ends_with_its_report(name, flags, tmp_path):
    found = run(tmp_path / "run", *flags, name=name)
    assert np.isfinite(list(found["scores"].values())).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["--loss=hinge", "--discriminator-norm=spectral", "--minibatch=discrimination", "--maxout=2"],
        ["--unroll=2", "--minibatch=deviation", "--init=orthogonal", "--activation=tanh", "--ema=100"],
        ["--loss=wasserstein", "--clip=0.01", "--discriminator-steps=2", "--optimiser=rmsprop", "--replay=20"],
        ["--loss=relativistic", "--penalty=r1-r2", "--penalty-interval=2", "--pack=2", "--noise=0.1", "--no-decay"],
        [
            "--loss=minimax",
            "--smooth=0.1",
            "--simultaneous",
            "--feature-matching=1",
            "--generator-norm=batch",
            "--optimiser=sgd",
        ],
        ["--data=moons", "--seeds=2"],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    result = run(tmp_path / "run", *NARROW, *flags)
    assert set(result["scores"]) >= ({"precision"} if "--data=moons" in flags else {"modes", "high quality"})


@pytest.mark.parametrize("data", ["digits", "stacked:digits"])
def test_the_classifier_of_the_scores_learns_at_the_first_evaluation(data, monkeypatch):
    def learn(base):
        raise InterruptedError(base.name)

    for module in ("image_features", "mode_scores"):
        monkeypatch.setattr(f"experiments.common.{module}.feature_network", learn)
    dcgan = importlib.import_module("experiments.dcgan")
    experiment = dcgan.build(dcgan.Config(data=data, width=8, batch_size=4, latent=4))
    batch = {"image": experiment.data.train["image"][:4], "index": np.arange(4)}
    state = init(experiment.game, jax.random.key(0), experiment.prepare(jax.random.key(1), batch))
    with pytest.raises(InterruptedError, match=r"^digits$"):
        experiment.evaluate(state)


def test_a_conditional_gan_is_scored_by_what_its_classifier_says(monkeypatch):
    def logits(images):  # class 3 whatever it sees: right for a tenth of what is asked for in turn
        return jnp.tile(jnp.arange(10) == 3, (len(images), 1)).astype(float)

    network = FeatureNetwork(lambda images: [images.reshape(len(images), -1)], logits, 0.9)
    monkeypatch.setattr("experiments.common.image_features.feature_network", lambda data: network)
    monkeypatch.setattr("experiments.common.image_features.WIDTH", 64)
    gan = importlib.import_module("experiments.conditional_gan")
    config = gan.Config(network="mlp", generator_hidden=(), discriminator_hidden=(), latent=2, samples=100)
    experiment = gan.build(config)
    batch = {name: rows[:10] for name, rows in experiment.data.train.items()}
    state = init(experiment.game, jax.random.key(0), experiment.prepare(jax.random.key(1), batch))
    assert experiment.evaluate(state)["as_asked"] == pytest.approx(10)
    result = experiment.finish(state, lambda text: None)
    assert result.scores["classified as asked"] == pytest.approx(10)
    assert result.baselines["classified as asked"] == pytest.approx(90)


@pytest.mark.slow
def test_a_run_that_dies_ends_where_it_would_have(tmp_path):
    flags = [*SMALL, *NARROW, "--replay=20", "--discriminator-norm=spectral", "--ema=50", "--evaluations=2"]
    whole = run(tmp_path / "whole", *flags)

    def dying(config):
        experiment, calls = build(config), []

        def evaluate(state):
            calls.append(int(state.step))
            if len(calls) == 2:
                raise RuntimeError("killed")
            return experiment.evaluate(state)

        return replace(experiment, evaluate=evaluate)

    out = tmp_path / "again"
    with pytest.raises(RuntimeError, match="killed"):
        main("gan", Config, dying, arguments=[*flags, f"--out={out}"])
    assert not (out / "result.json").exists()
    while list((out / "checkpoints").rglob("*tmp*")):  # a killed process writes nothing more; this one does
        time.sleep(0.05)
    main("gan", Config, build, arguments=[*flags, f"--out={out}"])
    assert json.loads((out / "result.json").read_text())["scores"] == whole["scores"]
    rows = [
        [
            {k: v for k, v in json.loads(line).items() if not k.startswith("time/")}
            for line in path.read_text().splitlines()
        ]
        for path in (tmp_path / "whole" / "metrics.jsonl", out / "metrics.jsonl")
    ]
    assert rows[0] == rows[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("dcgan", ["--width=4"]),
        (
            "dcgan",
            ["--width=4", "--network=resnet", "--discriminator-norm=spectral", "--data=stacked:digits"],
        ),
        ("wgan", ["--width=4", "--batch-size=10"]),
        ("wgan_gp", ["--width=4", "--batch-size=10"]),
        ("unrolled_gan", NARROW),
        ("replay_gan", NARROW),
        ("multi_generator_gan", [*NARROW, "--generators=3", "--discriminator-norm=spectral"]),
        ("conditional_gan", ["--width=4"]),
        ("conditional_gan", ["--width=4", "--condition=auxiliary"]),
        ("conditional_gan", ["--width=4", "--condition=concatenate", "--network=mlp"]),
        ("infogan", ["--width=4"]),
        ("infogan", ["--width=4", "--information-from=real", "--attempts=2", "--reader-hidden=8", "--continuous=0"]),
        ("mode_collapse", [*NARROW, "--stabilisers", "none", "unrolled", "several generators"]),
        ("games", []),
    ],
)
def test_its_relatives_run_to_their_reports(name, flags, tmp_path):
    small = run(tmp_path / "run", *flags, name=name) if name != "games" else None
    if small is None:
        games = importlib.import_module("experiments.games")
        flags = ["--steps=20", "--evaluations=1", f"--out={tmp_path / 'run'}"]
        main("games", games.Config, games.build, arguments=flags)
        small = json.loads((tmp_path / "run" / "result.json").read_text())
        assert small["scores"]["largest difference from closed form"] < 1e-5
    assert np.isfinite([value for value in small["scores"].values() if not isinstance(value, dict)]).all()
