"""One experiment over a grid of a scalar option times seeds, trained at once in one compiled step.

    python -m experiments.sweep
        the VAE on digits over its learning rate: four values times two seeds, a minute on two cores
    python -m experiments.sweep --over beta --values 0.5 1 2 4 --options="--latent 8 --hidden 200"

Every number option of an experiment that its game takes as a traced value can be swept.
"""

import dataclasses
import difflib
import importlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxgen.run.cli import main, parse
from jaxgen.run.experiment import Common, Experiment, Result
from jaxgen.run.seeds import spread, together
from jaxgen.viz.bands import bands


@dataclass(frozen=True)
class Config(Common):
    """Options of a sweep; those of the experiment itself go into --options."""

    steps: int = 2000
    """training steps of the whole run"""
    seeds: int = 2
    """seeds of each value"""
    experiment: str = "vae"
    """what to train: a module of experiments"""
    over: str = "learning_rate"
    """the option to vary, as it is called in the experiment"""
    values: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3)
    """its values"""
    options: str = ""
    """other options of the experiment, as on its command line: --options="--latent 8" """


def module_of(name: str) -> ModuleType:
    """Return an experiment's module. Raises ValueError, with the nearest names, where there is none."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "sweep")
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or names
        raise ValueError(f"--experiment must be a module of experiments, such as {', '.join(near)}; got {name!r}")
    return importlib.import_module(f"experiments.{name}")


def inner_config(config: Config, module: ModuleType) -> Any:
    """Return the experiment's own configuration: --options, and the common options of the sweep."""
    own = parse(f"experiments.{config.experiment}", module.Config, shlex.split(config.options))
    return replace(own, **{field.name: getattr(config, field.name) for field in dataclasses.fields(Common)})


def check_values(config: Config, inner: Any) -> None:
    """Raise ValueError where the option is no scalar that can be traced, or a value is out of its range."""
    scalars = [field.name for field in dataclasses.fields(inner) if field.type in (float, "float")]
    if config.over not in scalars:
        raise ValueError(
            f"--over must be a scalar option of {config.experiment} ({', '.join(scalars)}), got {config.over!r}"
        )
    if not config.values:
        raise ValueError("--values must name at least one value, got none")
    for value in config.values:
        replace(inner, **{config.over: value}).check()


def build(config: Config) -> Experiment:
    """Return the experiment with the grid set. Raises ValueError for what cannot be swept."""
    module = module_of(config.experiment)
    inner = inner_config(config, module)
    check_values(config, inner)
    experiment = module.build(inner)
    if experiment.variant is None:
        raise ValueError(f"the game of {config.experiment} takes no traced options: it cannot be swept")

    def summarise(results: Sequence[Result]) -> Result:
        values = together([result.scores for result in results])
        each = {name: scores.reshape(len(config.values), config.seeds) for name, scores in values.items()}
        scores = {
            f"{name}, {config.over} {value:g}": spread(row)
            for name, rows in each.items()
            for value, row in zip(config.values, rows, strict=True)
        }
        one = results[0]
        pictures = {
            name.replace(" ", "_"): bands(config.values, {name: rows}, xlabel=config.over, ylabel=label(one, name))
            for name, rows in each.items()
        }
        spelled = {key: key.rpartition(f", {config.over}")[0] for key in scores}
        return Result(
            scores=scores,
            protocol=f"{one.protocol} {len(config.values)} values of {config.over} x {config.seeds} seeds, at once.",
            units={key: one.units[name] for key, name in spelled.items() if name in one.units},
            better={key: one.better[name] for key, name in spelled.items() if name in one.better},
            pictures=pictures,
        )

    return replace(experiment, grid={config.over: config.values}, summarise=summarise)


def label(result: Result, name: str) -> str:
    """Return a score's name with its unit."""
    return f"{name} [{result.units[name]}]" if name in result.units else name


if __name__ == "__main__":
    main("sweep", Config, build, __doc__)
