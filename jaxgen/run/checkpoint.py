"""Checkpoints of a run: the whole state and the data position, the last two and the best kept. Orbax stays in here.

Of trainings side by side in one state, each has a best checkpoint of its own: what it would have alone.
"""

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen.game import TrainState

KEEP_LAST = 2


class Checkpoints:
    """The checkpoints in one folder. Saving is asynchronous; a save cut short leaves the earlier ones whole."""

    def __init__(self, folder: Path, *, mode: str, members: int = 1):
        """mode: "min" or "max", whichever makes a score the best. members: trainings in the state, a score each."""
        import orbax.checkpoint as ocp
        from orbax.checkpoint import checkpoint_managers as policies

        logging.getLogger("absl").setLevel(logging.ERROR)
        self._ocp, self.folder, self._sign = ocp, Path(folder).resolve(), -1 if mode == "min" else 1
        self._names = ["score", *(f"score {number}" for number in range(1, members))]
        best = partial(policies.BestN, n=1, reverse=mode == "min", keep_checkpoints_without_metrics=False)
        keep = [policies.LatestN(KEEP_LAST), *(best(get_metric_fn=itemgetter(name)) for name in self._names)]
        self._manager = ocp.CheckpointManager(
            self.folder,
            options=ocp.CheckpointManagerOptions(
                best_fn=itemgetter(self._names[0]),
                best_mode=mode,
                preservation_policy=policies.AnyPreservationPolicy(keep),
                cleanup_tmp_directories=True,
            ),
        )

    @property
    def latest(self) -> int | None:
        """Step of the newest checkpoint, None where there is none."""
        return self._manager.latest_step()

    def best(self, member: int = 0) -> int | None:
        """Return the step of a member's best checkpoint, the latest of equal ones, None where none has a score."""
        scores = {step: self._manager.metrics(step) for step in self._manager.all_steps()}
        found = [(self._sign * told[self._names[member]], step) for step, told in scores.items() if told]
        value, step = max(found, default=(-math.inf, None))
        return step if value > -math.inf else None

    def save(self, step: int, state: TrainState, position: Mapping[str, int], scores: np.ndarray | None) -> None:
        """Save the state after `step` steps with its place in the data.

        scores: of each member, [members]; what is not finite is never the best. None where it was not scored.
        """
        about = {"position": dict(position), "leaves": _leaves(state), "digest": _digest(state)}
        save, metrics = self._ocp.args, None
        if scores is not None and np.isfinite(scores).any():
            known = np.where(np.isfinite(scores), scores, -self._sign * np.inf)
            metrics = dict(zip(self._names, known.tolist(), strict=True))
        self._manager.save(
            step,
            args=save.Composite(state=save.StandardSave(state), about=save.JsonSave(about)),
            metrics=metrics,
        )

    def restore(self, step: int, like: TrainState) -> TrainState:
        """Return the state saved at `step`. like: a state, or its shapes, of the model that is to go on.

        Raises ValueError for a checkpoint that is torn, or that another model saved.
        """
        where, args = self.folder / str(step), self._ocp.args
        try:
            about = self._manager.restore(step, args=args.Composite(about=args.JsonRestore())).about
        except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
            raise ValueError(_torn(where)) from error
        if difference := _difference(about["leaves"], _leaves(like)):
            raise ValueError(f"the checkpoint {where} is of another model: {difference}")
        try:
            shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=_sharding(a)), like)
            state = self._manager.restore(step, args=args.Composite(state=args.StandardRestore(shapes))).state
        except Exception as error:  # orbax and tensorstore raise many kinds for a damaged file
            raise ValueError(_torn(where)) from error
        if _digest(state) != about["digest"]:
            raise ValueError(_torn(where))
        return state

    def wait(self) -> None:
        """Wait for saves under way."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait for saves under way, and end."""
        self.wait()
        self._manager.close()


def restore_params(folder: Path, step: int) -> dict[str, Any]:
    """Return the parameters, by network, of one seed's checkpoint. Raises ValueError where it cannot be read."""
    import orbax.checkpoint as ocp

    logging.getLogger("absl").setLevel(logging.ERROR)
    where = Path(folder).resolve() / str(step)
    try:
        with ocp.PyTreeCheckpointer() as reader:
            leaves = reader.metadata(where / "state").item_metadata.tree
            # As numpy's, for the devices that they were saved on may not be here.
            how = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), leaves)
            state = reader.restore(where / "state", args=ocp.args.PyTreeRestore(restore_args=how))
    except Exception as error:  # orbax and tensorstore raise many kinds for a damaged file
        raise ValueError(_torn(where)) from error
    return state["params"]


def _torn(where: Path) -> str:
    return f"the checkpoint {where} is torn or damaged: delete that folder to go on from the one before"


def _sharding(leaf: Any):
    return getattr(leaf, "sharding", None) or jax.sharding.SingleDeviceSharding(jax.devices()[0])


def _named(state: TrainState) -> dict[str, Any]:
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def _leaves(state: TrainState) -> dict[str, str]:
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in _named(state).items()}


def _digest(state: TrainState) -> str:
    """Hash every array: a damaged file can decode to wrong numbers without an error."""
    digest = hashlib.sha256()
    for name, leaf in _named(state).items():
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        digest.update(name.encode() + np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def _difference(saved: Mapping[str, str], expected: Mapping[str, str]) -> str | None:
    """Say the first difference between two lists of leaves, or None."""
    for name in [*expected, *saved]:
        if saved.get(name) != expected.get(name):
            return f"{name} is {saved.get(name, 'absent')} there and {expected.get(name, 'absent')} here"
    return None
