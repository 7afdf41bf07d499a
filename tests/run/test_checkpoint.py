"""Which checkpoints are kept, and which is the best of each of several trainings in one state."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.run.checkpoint import Checkpoints
from jaxgen.step import init
from tests import toy_gan

NAN = float("nan")


@pytest.fixture(scope="module")
def state():
    return init(toy_gan.alternating(), jax.random.key(0), toy_gan.batch(jax.random.key(1), 4))


def kept(folder, state, scores, mode="min", members=2):
    """Save a checkpoint for each score; the best step of each member, the steps left, and the last manager."""
    manager = Checkpoints(folder, mode=mode, members=members)
    for step, score in enumerate(scores, 1):
        state = state.replace(step=jnp.int32(step))
        manager.save(step, state, {"step": step}, None if score is None else np.array(score))
    manager.wait()
    steps = sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    return [manager.best(number) for number in range(members)], steps, manager


def test_each_member_keeps_its_own_best(tmp_path, state):
    scores = [[1.0, 9.0], [5.0, 5.0], [3.0, 2.0], [4.0, 8.0], [4.0, 8.0]]
    best, steps, manager = kept(tmp_path, state, scores)
    assert best == [1, 3] and steps == [1, 3, 4, 5]
    assert int(manager.restore(3, state).step) == 3
    manager.close()
    again = Checkpoints(tmp_path, mode="min", members=2)  # as a resumed run finds them
    assert [again.best(0), again.best(1), again.latest] == [1, 3, 5]


def test_higher_may_be_better_and_of_equal_ones_the_last_is_kept(tmp_path, state):
    best, steps, _ = kept(tmp_path, state, [[1.0, 7.0], [2.0, 7.0], [2.0, 6.0], [0.0, 0.0], [0.0, 0.0]], mode="max")
    assert best == [3, 2] and steps == [2, 3, 4, 5]


def test_what_is_no_number_or_not_scored_is_never_the_best(tmp_path, state):
    best, steps, _ = kept(tmp_path, state, [[NAN, 5.0], [8.0, NAN], None, [NAN, NAN], None])
    assert best == [2, 1] and steps == [1, 2, 4, 5]


def test_without_any_score_there_is_no_best(tmp_path, state):
    assert kept(tmp_path, state, [None, [NAN]], members=1)[0] == [None]


READ = """
import sys
import jax
import numpy as np
from jaxgen.run.checkpoint import restore_params
assert jax.device_count() == 1
print(sum(float(np.abs(leaf).sum()) for leaf in jax.tree.leaves(restore_params(sys.argv[1], 1))))
"""


def test_parameters_of_many_devices_are_read_on_one(tmp_path, state):
    spread = jax.sharding.NamedSharding(jax.make_mesh((4,), ("d",)), jax.sharding.PartitionSpec())
    kept(tmp_path, jax.device_put(state, spread), [None], members=1)
    one = {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    told = subprocess.run([sys.executable, "-c", READ, str(tmp_path)], env=one, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    total = sum(float(abs(leaf).sum()) for leaf in jax.tree.leaves(state.params))
    assert float(told.stdout) == pytest.approx(total, rel=1e-5)
