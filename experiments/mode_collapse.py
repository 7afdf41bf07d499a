"""Mode collapse: what each stabiliser of a GAN does for the modes of a mixture, all trained side by side in one step.

python -m experiments.mode_collapse
    ring, after a short training: 7 modes plain, with noise and relativistic, all 8 packed and with a gradient penalty,
    of high quality 93 % plain, 82 % packed, 91 % with noise, 78 % with a penalty, 90 % relativistic, 47 seconds on two
    cores
python -m experiments.mode_collapse --data grid --stabilisers none unrolled replay --seeds 10
    others, on a grid of 25, ten seeds in one step
python -m experiments.mode_collapse --evaluations 3 --stabilisers none clipping one-sided zero-centred r2 roth smoothing
        average "two rates" "k steps"
    more, ring: modes 7 8 8 8 8 8 8 8 8, high quality 93 84 48 92 93 92 93 91 78 %, nine minutes on two busy
    cores (of the last, over ten seeds: 6.9 modes, 91 %)
python -m experiments.mode_collapse --data stacked:digits --latent 32 --generator-hidden 256 256
        --discriminator-hidden 256 256 --batch-size 64 --steps 2000 --stabilisers none packing r1 relativistic
    1000 modes of images: 977 plain, 952 packed, 978 with R1, 991 relativistic, two minutes on one busy core
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.common.gan_config import CENTRED, GANConfig
from experiments.common.gan_scores import scores_of
from experiments.common.gans import game_of, networks, optimisers, warn
from experiments.common.keys import fixed_key
from experiments.common.mirror import mirrored
from experiments.common.plain import Draw, drawer, open_plain, to_pixels
from experiments.multi_generator_gan import check_several, multi_game, multi_gan, one_each
from jaxgen.data.lazy import size
from jaxgen.game import Game, TrainState
from jaxgen.games.side_by_side import alone, side_by_side
from jaxgen.run import seeds
from jaxgen.run.cli import main
from jaxgen.run.divergence import fallen
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.viz.groups import grouped_bars
from jaxgen.viz.images import tile
from jaxgen.viz.panels import panels

K_STEPS, K, SEVERAL, SMOOTHING = "k steps", 5, "several generators", "smoothing"
STABILISERS: dict[str, dict[str, Any]] = {
    "none": {},
    "unrolled": {"unroll": 5},
    "replay": {"replay": 10_000},
    "discrimination": {"minibatch": "discrimination", "kernels": 20},
    "deviation": {"minibatch": "deviation"},
    "packing": {"pack": 2},
    "matching": {"feature_matching": 1.0},
    "noise": {"noise": 0.5},
    "spectral": {"discriminator_norm": "spectral", "loss": "hinge"},
    "clipping": {"clip": 0.1, "loss": "wasserstein"},
    "gradient": {"penalty": "gradient", "penalty_weight": 0.1, "loss": "wasserstein"},
    "one-sided": {"penalty": "one-sided", "penalty_weight": 0.1, "loss": "wasserstein"},
    "zero-centred": {"penalty": "zero-centred", "penalty_weight": 1e-4},
    "r1": {"penalty": "r1", "penalty_weight": 1e-4},
    "r2": {"penalty": "r2", "penalty_weight": 1e-4},
    "roth": {"penalty": "roth", "penalty_weight": 4e-4},
    "relativistic": {"penalty": "r1-r2", "penalty_weight": 1e-4, "loss": "relativistic", "noise": 0.5},
    SMOOTHING: {},
    "average": {"ema": 20_000},
    "two rates": {"generator_rate": 2.5e-4},
    K_STEPS: {},
    SEVERAL: {},
}


@dataclass(frozen=True)
class Config(GANConfig):
    """Options of the comparison; those of a GAN are the ground that each stabiliser stands on."""

    steps: int = 3000
    """training steps of the whole run, one of each generator"""
    stabilisers: tuple[str, ...] = ("none", "packing", "noise", "gradient", "relativistic")
    """which to compare: any of none, unrolled, replay, discrimination, deviation, packing, matching, noise, spectral,
    clipping, gradient, one-sided, zero-centred, r1, r2, roth, relativistic, smoothing, average, "two rates", "k steps",
    "several generators" """
    generator_hidden: tuple[int, ...] = (96, 96, 96, 96, 96, 96)
    """widths of the mlp generator's layers"""
    discriminator_hidden: tuple[int, ...] = (96, 96, 96, 96)
    """widths of the mlp discriminator's layers"""
    latent: int = 2
    """dimensions of the noise"""
    noise_steps: int | None = 1000
    """steps in which noise falls to zero in a straight line (default: the whole run)"""
    decay: bool = True
    """let the step sizes fall to zero in a straight line"""
    generators: int = 8
    """how many several generators are"""
    smooth: float = 0.1
    """label smoothing of the stabiliser smoothing: its discriminator's target for real examples is 1 - this"""
    penalty_centre: float = 1.0
    """the norm that the stabilisers gradient and one-sided, or all with such a --penalty, hold the gradient at"""
    samples: int = 2500
    """generated examples of the final scores"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        GANConfig.check(own(self, "none"))
        if unknown := [name for name in self.stabilisers if name not in STABILISERS]:
            raise ValueError(f"--stabilisers must be among {', '.join(STABILISERS)}, got {', '.join(unknown)}")
        if not self.stabilisers or len(set(self.stabilisers)) < len(self.stabilisers):
            raise ValueError(f"--stabilisers must be one or more, each once, got {self.stabilisers or 'none'}")
        given = ", ".join(self.stabilisers)
        if self.smooth != Config.smooth and SMOOTHING not in self.stabilisers:
            raise ValueError(f"--smooth is for --stabilisers {SMOOTHING}, got {given}")
        if self.penalty_centre != 1 and all(own(self, name).penalty not in CENTRED for name in self.stabilisers):
            raise ValueError(f"--penalty-centre is for --stabilisers {' or '.join(CENTRED)}, got {given}")
        for name in sorted(set.intersection(*(set(STABILISERS[one]) for one in self.stabilisers))):
            if getattr(self, name) != getattr(Config, name):
                flag, came = name.replace("_", "-"), getattr(self, name)
                raise ValueError(f"--{flag} has a value of its own for each of --stabilisers {given}, got {came}")
        for name in self.stabilisers:
            one = own(self, name)
            try:
                GANConfig.check(replace(one, discriminator_steps=K) if name == K_STEPS else one)
                if name == SEVERAL:
                    check_several(one)
            except ValueError as error:
                raise ValueError(f"--stabilisers {name}: {error}") from error


def own(config: Config, name: str) -> Config:
    """Return the options that one stabiliser has: its own, and of --smooth and --penalty-centre those that fit it."""
    one = replace(config, **STABILISERS[name])
    return replace(
        one,
        smooth=config.smooth if name == SMOOTHING else 0.0,
        penalty_centre=config.penalty_centre if one.penalty in CENTRED else 1.0,
    )


def contender(config: Config, name: str, shape: tuple[int, ...], examples: int) -> tuple[Game, Draw]:
    """Return the game of one stabiliser, and how its generator is drawn from. examples: of the training set."""
    one = own(config, name)
    if name == SEVERAL:
        gan = multi_gan(one, shape, config.generators)
        return multi_game(one, gan, examples), one_each(gan, drawer(gan))
    gan = networks(one, shape)
    if name != K_STEPS:
        return game_of(one, gan, examples), drawer(gan)
    # On the whole batch each time: `repeats` would leave every other game a slice of it.
    game = game_of(one, gan, examples, tx=optimisers(one, K))
    return game._replace(phases=(*[game.phases[0]] * K, *game.phases[1:])), drawer(gan)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = open_plain(config)
    examples = size(data.data.train)
    if data.images and config.latent < 8:
        print(f"warning: --latent {config.latent} is for points, and gives few images apart: try 32", file=sys.stderr)
    for name in config.stabilisers:
        warn(own(config, name), f"{name}: ")

    def games(config) -> Mapping[str, Game]:
        return {name: contender(config, name, data.shape, examples)[0] for name in config.stabilisers}

    def drawn_by(name: str) -> Draw:
        draw = contender(config, name, data.shape, examples)[1]
        return lambda state, *which: draw(alone(name, state), *which)

    draws = {name: drawn_by(name) for name in config.stabilisers}
    scores = {name: scores_of(data, draw, config.features, config.samples) for name, draw in draws.items()}
    first = next(iter(scores.values()))
    real = scores_of(
        data, lambda state, key, number, first=0: data.some("train", number), config.features, config.samples
    )

    def evaluate(state: TrainState) -> dict[str, Any]:
        found = {name: one.evaluate(state) for name, one in scores.items()}
        return {
            f"{name}/{score}": one[score]
            for score in (first.watch, "modes")
            for name, one in found.items()
            if score in one
        }

    def pictures(state: TrainState) -> dict[str, np.ndarray]:
        if data.images:
            rows = [to_pixels(draw(state, fixed_key(), 12)) for draw in draws.values()]
            return {"samples": tile(np.stack(rows))}
        if data.shape != (2,):
            return {}
        real = data.some("validation", 1000)
        return {
            "samples": panels({"data": real} | {name: draw(state, fixed_key(), 1000) for name, draw in draws.items()})
        }

    def finish(state: TrainState, progress: Progress) -> Result:
        gone = fallen(config.stabilisers, state.params)
        results = {name: one.finish(state, progress) for name, one in scores.items() if name not in gone}
        # Where every one has diverged, training examples in the place of samples tell what scores there are.
        told = next(iter(results.values())) if results else real.finish(state, progress)

        def every(table: Mapping[str, Any]) -> dict[str, Any]:
            return {f"{score}, {name}": table[score] for score in told.scores for name in scores if score in table}

        found = {
            score: np.array([results[name].scores[score] if name in results else np.nan for name in scores])
            for score in told.scores
        }
        return Result(
            scores={
                f"{score}, {name}": value for score in found for name, value in zip(scores, found[score], strict=True)
            },
            baselines=every(told.baselines),
            units=every(told.units),
            better=every(told.better),
            protocol=f"{told.protocol} Each stabiliser has a checkpoint of its own.",
            pictures={
                score.replace(" ", "_"): grouped_bars({score: values}, list(scores)) for score, values in found.items()
            },
        )

    def summarise(results: Sequence[Result]) -> Result:
        summed = seeds.summarise(results)
        lost = {
            name: sum(any(np.isnan(v) for key, v in one.scores.items() if key.endswith(f", {name}")) for one in results)
            for name in scores
        }
        told = ", ".join(f"{name} ({count} of {len(results)} seeds)" for name, count in lost.items() if count)
        more = f" Diverged, with scores of nan that count in no mean: {told}." if told else ""
        return summed._replace(protocol=summed.protocol + more)

    return Experiment(
        game=side_by_side(games(config)),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(mirrored(config.flip, key, batch))},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch=first.watch,
        watch_mode=first.mode,
        parts=config.stabilisers,
        summarise=summarise,
        variant=lambda options: side_by_side(games(replace(config, **options))),
    )


if __name__ == "__main__":
    main("mode_collapse", Config, build, __doc__)
