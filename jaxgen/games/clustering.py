"""Clustering by self-augmented information maximisation (Hu et al. 2017, "IMSAT"), in several attempts at once.

A classifier finds categories of equal size that it is sure of, and that neither a step to the nearest other example
nor an augmentation changes. Some starts end with two classes in one category and one class in two. Their objective is
hardly worse, but the examples tell their categories less surely: of independent attempts the one with the most mutual
information counts, which takes no label.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.losses.consistency import adversarial_direction
from jaxgen.losses.divergences import categorical_kl
from jaxgen.losses.information import negative_information
from jaxgen.models.clusterer import Clusterer
from jaxgen.nn.axis import gathered

Array = jax.Array
NAME = "clusterer"  # player and network
MEMORY = 0.99  # of the running information that attempts are compared by


class Clustering(NamedTuple):
    """What is trained, and against what. The weights are the paper's, and so in the mean, on MNIST, is the radius.

    augment: (key, x [B, ...]) -> x, what must not change a category. attempts: independent starts.
    settle: steps in which the attempts compete; after them the best one stays the best, as each has its own categories.
    radius: the adversarial step, as a share of the way to the nearest other example of the batch.
    information: its weight beside both divergences. balance: see `negative_information`.
    """

    clusterer: Clusterer
    augment: Callable[[Array, Array], Array]
    settle: int
    attempts: int = 4
    radius: float = 0.2
    information: float = 0.1
    balance: float = 4.0

    def init(self, key: Array, x: Array) -> tuple[Any, dict[str, Any]]:
        """Return (params, extra), both with a leading axis [attempts]. x: [B, ...]."""
        keys = jax.random.split(key, self.attempts)
        fresh = jax.vmap(lambda key: self.clusterer.init(key, x, train=True))(keys)
        return fresh.pop("params"), {"information": jnp.zeros(self.attempts), **fresh}

    def settled(self, moves: Array) -> Array:
        """Say whether the best attempt will stay the best, after so many moves of the clustering, one a step."""
        return moves >= self.settle

    def logits(self, params: Mapping[str, Any], extra: Mapping[str, Any], x: Array) -> Array:
        """Return what the best attempt so far makes of x [B, ...], [B, K]. params, extra: of the whole game."""
        best = extra[NAME]["information"].argmax()
        of_best = jax.tree.map(lambda a: a[best], (params[NAME], extra[NAME]["batch_stats"]))
        return self.clusterer.apply({"params": of_best[0], "batch_stats": of_best[1]}, x, train=False)

    def objective(self, params: Any, stats: Any, x: Array, radius: Array, key: Array) -> tuple[Array, Array, Any]:
        """Return one attempt's objective, its mutual information, nats, and its running statistics.

        radius: of each example [B].
        """
        keys = jax.random.split(key)

        def run(params, x):
            variables = {"params": params, "batch_stats": stats}
            return self.clusterer.apply(variables, x, train=True, mutable=["batch_stats"])

        logits, changed = run(params, x)
        fixed = jax.lax.stop_gradient(params)
        step = adversarial_direction(lambda x: run(fixed, x)[0], x, keys[0])
        moved = [x + radius.reshape(-1, *[1] * (x.ndim - 1)) * step, self.augment(keys[1], x)]
        target = jax.lax.stop_gradient(logits)
        apart = sum(categorical_kl(target, run(params, other)[0]).mean() for other in moved)
        everyone = gathered(logits)
        balanced = negative_information(everyone, balance=self.balance).mean()
        return apart + self.information * balanced, -negative_information(everyone).mean(), changed["batch_stats"]

    def phase(self) -> Phase:
        """Return the move of all attempts on batches with "x" [B, ...]."""

        def loss(params, state, batch, key):
            x, old = batch["x"], state.extra[NAME]
            radius = self.radius * nearest(x)
            one = jax.vmap(lambda params, stats, key: self.objective(params, stats, x, radius, key))
            values, now, stats = one(params[NAME], old["batch_stats"], jax.random.split(key, self.attempts))
            running = jnp.where(
                self.settled(state.step), old["information"], MEMORY * old["information"] + (1 - MEMORY) * now
            )
            extra = {NAME: {"information": running, "batch_stats": stats}}
            return {NAME: values.sum()}, Aux(extra, {f"{NAME}/information": now.max()})

        return Phase((NAME,), loss)


def nearest(x: Array) -> Array:
    """Return the distance of each example [B, ...] to the nearest other one, [B], whichever device that is on."""
    flat = x.reshape(len(x), -1)
    others = gathered(flat)
    apart = (flat**2).sum(-1)[:, None] + (others**2).sum(-1)[None] - 2 * flat @ others.T
    return jnp.sqrt(jnp.maximum(jnp.sort(apart, axis=-1)[:, 1], 0))  # the first is the example itself


def beside(game: Game, clustering: Clustering, tx: optax.GradientTransformation) -> Game:
    """Return a game on batches with "x" that also trains a clustering, which it may read and does not move."""

    def init(key, batch):
        params, extra = game.init(key, batch)
        own = clustering.init(jax.random.fold_in(key, len(params)), batch["x"])
        return {**params, NAME: own[0]}, {**extra, NAME: own[1]}

    players = {**game.players, NAME: Player((NAME,), tx)}
    return game._replace(init=init, players=players, phases=(clustering.phase(), *game.phases))
