"""The options of the GANs: each does what it says, or is refused in one line before anything is written."""

import importlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common.gans import penalties_of
from experiments.gan import Config, build
from jaxgen.run.cli import main, parse
from jaxgen.run.folder import RunFolder, read_json
from jaxgen.run.loop import Run
from jaxgen.step import init


@pytest.mark.parametrize(
    ("name", "options", "played"),
    [
        ("gan", {"discriminator_steps": 5}, 30),
        ("gan", {"data": "ring", "accumulate": 3}, 126),
        ("multi_generator_gan", {}, 32),
        ("conditional_gan", {"data": "digits", "width": 4, "discriminator_steps": 5}, 125),
    ],
)
def test_the_average_counts_the_examples_that_a_step_plays(name, options, played, tmp_path):
    np.savez(tmp_path / "few.npz", x=np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32))
    module = importlib.import_module(f"experiments.{name}")
    given = {"data": f"npz:{tmp_path / 'few.npz'}", "batch_size": None, "ema": 1000.0} | options
    config = module.Config(**given)
    experiment = module.build(config)
    assert Run(experiment, config).batch_size == played
    assert experiment.game.ema["generator"] ** (1000 / played) == pytest.approx(0.5)


def networks(name, **options):
    """Return the shapes of a start: (params, extra)."""
    module = importlib.import_module(f"experiments.{name}")
    experiment = module.build(module.Config(**options))
    batch = {**{key: rows[:8] for key, rows in experiment.data.train.items()}, "index": np.arange(8)}
    state = jax.eval_shape(lambda key: init(experiment.game, key, experiment.prepare(key, batch)), jax.random.key(0))
    return state.params, state.extra


@pytest.mark.parametrize("condition", ["project", "auxiliary", "concatenate"])
def test_a_conditional_discriminator_sees_the_batch_where_asked(condition):
    def inputs(**options):
        params, _ = networks("conditional_gan", width=4, condition=condition, discriminator_norm="none", **options)
        return params["discriminator"]["head"]["Dense_0"]["kernel"].shape[0]

    assert inputs(minibatch="discrimination", kernels=7) == inputs(kernels=7) + 7
    assert inputs(minibatch="deviation") == inputs() + 1


@pytest.mark.parametrize("network", ["dcgan", "resnet"])
def test_the_norm_of_a_convolutional_discriminator_is_the_one_asked_for(network):
    for norm, kept in {"none": set(), "batch": {"batch_stats"}, "spectral": {"batch_stats"}}.items():
        params, extra = networks("dcgan", network=network, width=4, discriminator_norm=norm)
        names = {str(path) for path, _ in jax.tree_util.tree_leaves_with_path(params["discriminator"])}
        assert set(extra["discriminator"]) == kept
        assert any("BatchNorm" in name for name in names) == (norm == "batch")


@pytest.mark.parametrize(("network", "norm"), [("dcgan", "batch"), ("resnet", "spectral"), ("mlp", "none")])
def test_a_dcgan_has_the_norm_of_its_kind_of_network_and_tells_it(network, norm, tmp_path):
    module = importlib.import_module("experiments.dcgan")
    config = parse("x", module.Config, [f"--network={network}"])
    folder = RunFolder(tmp_path)
    folder.open("dcgan", config, overwrite=False)
    folder.release()
    assert read_json(folder.config)["config"]["discriminator_norm"] == norm
    asked = parse("x", module.Config, [f"--network={network}", "--discriminator-norm=none"])
    assert asked.discriminator_norm == "none"


def test_several_generators_meet_a_spectral_discriminator_where_asked():
    assert not networks("multi_generator_gan")[1]["discriminator"]
    assert networks("multi_generator_gan", discriminator_norm="spectral")[1]["discriminator"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--loss=hinje"], "did you mean 'hinge'"),
        (["--loss=jax.numpy:sin"], "--loss jax.numpy:sin must take logits of real and of generated examples"),
        (["--loss=jax.numpy:add"], "expected shapes [(3,), (3,)] for 3 examples"),
        (["--loss=nowhere:loss"], "there is no module 'nowhere'"),
        (["--penalty=r3"], "--penalty must be one of"),
        (["--penalty-centre=0"], "--penalty-centre is for --penalty gradient or one-sided, got --penalty r1-r2"),
        (["--penalty=gradient", "--penalty-centre=-1"], "--penalty-centre must be at least 0"),
        (["--smooth=0.1", "--loss=hinge"], "--smooth is for --loss minimax"),
        (["--simultaneous", "--unroll=2"], "--simultaneous players take one step each"),
        (["--replay=9", "--feature-matching=1"], "--feature-matching compares new examples"),
        (["--network=dcgan"], "--network dcgan makes images, the examples of ring have shape (2,)"),
        (["--pack=3", "--batch-size=8"], "--pack 3 must divide what the discriminator judges at once, 8 examples"),
        (["--pack=2", "--accumulate=2", "--batch-size=6"], "judges at once, 3 examples: a batch of 6 in 2 slices"),
        (["--pack=2", "--discriminator-steps=2", "--batch-size=6"], "3 examples: a batch of 6 in 2 slices"),
        (["--noise=0.5", "--noise-steps=0"], "--noise-steps must be at least 1"),
        (["--noise=0.5", "--noise-steps=-5"], "--noise-steps must be at least 1"),
        (["--features=pixels"], "--features compares images, and ring is scored otherwise"),
        (["--data=digits", "--features=pixel"], "must be one of classifier, pixels, shrunk, or module:function"),
        (["--discriminator-norm=batch"], "--discriminator-norm batch is for convolutional networks"),
        (["--beta1=1"], "--beta1 must be at least 0 and below 1, got 1.0"),
        (["--discriminator-steps=3", "--batch-size=8"], "--batch-size must divide by 3"),
        (["--data=photos", "--features=pixels"], "validation examples for 3072 features"),
        (["--data=digits", "--samples=100"], "expected at least 128 generated examples for 128 features, got 100"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main("gan", Config, build, arguments=[f"--out={tmp_path / 'run'}", *flags])
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "\n" not in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("network", "side", "message"),
    [("dcgan", 3, "expected 4 pixels a side or more, got 3 x 3"), ("resnet", 5, "64 pixels high and wide, got 5 x 5")],
)
def test_a_size_that_no_network_makes_is_one_line_and_leaves_no_folder(network, side, message, tmp_path, capsys):
    np.savez(tmp_path / "odd.npz", image=np.random.default_rng(0).integers(256, size=(400, side, side), dtype=np.uint8))
    flags = [f"--data=npz:{tmp_path / 'odd.npz'}", f"--network={network}", "--features=pixels"]
    with pytest.raises(SystemExit) as stop:
        main("gan", Config, build, arguments=[f"--out={tmp_path / 'run'}", *flags])
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert told.endswith(message) and "\n" not in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            "few(real, fake)",
            "must take a critic, real and generated examples and a key, traceable by JAX; it raises Ty",
        ),
        ("broken(critic, real, fake, key)", "traceable by JAX; it raises AttributeError: "),
        ("whole(critic, real, fake, key)", "must return one number an example: expected shape (256,) for 256 examples"),
        ("lost(*_)", "must return one number"),
    ],
)
def test_a_penalty_of_ones_own_that_is_none_is_one_line_and_leaves_no_folder(
    function, message, tmp_path, capsys, monkeypatch
):
    name, out = function.partition("(")[0], tmp_path / "run"
    body = "return real.nothing" if name == "broken" else "return real.sum()" if "real" in function else "pass"
    (tmp_path / f"own_{name}.py").write_text(f"def {function}:\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main("gan", Config, build, arguments=[f"--out={out}", f"--penalty=own_{name}:{name}"])
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert message in told and "\n" not in told
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "body", "message"),
    [
        ("loss", "return {}['no']", "--loss own:found must take logits of real and of generated examples"),
        ("loss", "return 0 * real.astype(int), fake", "expected shapes [(3,), (3,)] for 3 examples, got ['(3,) of int"),
        ("features", "return real.missing", "--features own:found must take images [B, H, W, C]"),
    ],
)
def test_a_function_of_ones_own_that_fails_is_one_line(option, body, message, tmp_path, capsys, monkeypatch):
    (tmp_path / "own.py").write_text(f"def found(real, fake=None):\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    flags = [f"--out={tmp_path / 'run'}", f"--{option}=own:found", *(["--data=digits"] if option == "features" else [])]
    with pytest.raises(SystemExit) as stop:
        main("gan", Config, build, arguments=flags)
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert message in told and "\n" not in told and not (tmp_path / "run").exists()


@pytest.mark.parametrize(("penalty", "below"), [("gradient", True), ("one-sided", False)])
def test_a_penalty_is_of_the_centre_asked_for(penalty, below):
    def value(slope):
        (found,) = penalties_of(Config(penalty=penalty, penalty_centre=3.0), (2,))
        x = jnp.ones((4, 2))
        return found.penalty(lambda x: slope * x[:, 0], x, x, jax.random.key(0))

    np.testing.assert_allclose(value(5.0), 4.0, rtol=1e-6)
    np.testing.assert_allclose(value(1.0), 4.0 if below else 0.0, rtol=1e-6)


@pytest.mark.parametrize(
    "flag",
    [
        "loss=hinge",
        "smooth=0.1",
        "adversarial=0",
        "feature-matching=1",
        "penalty=r1",
        "penalty-weight=1",
        "penalty-interval=2",
        "generator-norm=batch",
        "init=normal",
        "minibatch=deviation",
        "noise=0.1",
        "discriminator-norm=batch",
    ],
)
def test_several_generators_refuse_what_they_do_not_have(flag, tmp_path, capsys):
    module = importlib.import_module("experiments.multi_generator_gan")
    with pytest.raises(SystemExit) as stop:
        main("multi_generator_gan", module.Config, pytest.fail, arguments=[f"--out={tmp_path / 'run'}", f"--{flag}"])
    assert stop.value.code == 2
    assert f"several generators have --{flag.partition('=')[0]} " in capsys.readouterr().err


def test_a_conditional_gan_needs_examples_of_every_class(tmp_path, capsys):
    image, label = np.zeros((20, 8, 8), np.uint8), np.resize([0, 2, 5], 20)
    np.savez(tmp_path / "gaps.npz", train_image=image, train_label=label, test_image=image, test_label=label)
    module, out = importlib.import_module("experiments.conditional_gan"), tmp_path / "run"
    with pytest.raises(SystemExit) as stop:
        main("x", module.Config, module.build, arguments=[f"--out={out}", f"--data=npz:{tmp_path / 'gaps.npz'}"])
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert "training examples of every class are needed" in told and told.endswith("has none of [1, 3, 4]")
    with pytest.raises(ValueError, match=r"training examples of every class are needed.* has none of \[1, 3, 4\]"):
        build(Config(data=f"stacked:npz:{tmp_path / 'gaps.npz'}", network="dcgan"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gan", {"penalty": "roth", "loss": "hinge"}, "--penalty roth is derived for a discriminator of probabilities"),
        ("gan", {"penalty": "gradient", "loss": "hinge"}, "--penalty gradient holds a Wasserstein critic Lipschitz"),
        ("gan", {"penalty": "none", "loss": "wasserstein"}, "--loss wasserstein needs a Lipschitz critic"),
        ("gan", {"penalty": "r1", "minibatch": "deviation"}, "the penalty is of single examples"),
        ("conditional_gan", {"penalty": "r1", "minibatch": "deviation"}, "the penalty is of single examples"),
        ("infogan", {"penalty": "r1"}, "the penalty is of single examples"),
        ("gan", {}, None),
        ("gan", {"penalty": "gradient", "penalty_centre": 0.0, "loss": "hinge"}, None),
        ("conditional_gan", {}, None),
        ("infogan", {}, None),
    ],
)
def test_options_that_do_not_fit_warn(name, options, message, capsys):
    module = importlib.import_module(f"experiments.{name}")
    module.build(module.Config(**options))
    told = capsys.readouterr().err
    assert message in told if message else not told
