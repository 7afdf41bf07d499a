"""The GAN as a game of two players, alternating or at once, with whatever holds it together."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Batch, Game, Phase, Player, TrainState
from jaxgen.games.replay import Replay
from jaxgen.losses.adversarial import Adversarial
from jaxgen.losses.matching import feature_matching
from jaxgen.losses.penalties import Penalty
from jaxgen.models.gan import GAN, Extra, Judged, learn
from jaxgen.nn.axis import averaged, gathered

Array = jax.Array
D, G = "discriminator", "generator"
Show = Callable[[Array, Array, Array], Array]  # (key, step, x [B, ...]) -> what the discriminator is shown of x

# A round's key is split into ROUND, and the networks' into three; what more is drawn from it takes later numbers, for
# fold_in(key, n) is split(key)[n].
ROUND, PENALTIES, HEADS = 4, 4, 3


class Weighted(NamedTuple):
    """A penalty of the discriminator, and its weight. interval: played every so many steps, times as heavily."""

    penalty: Penalty
    weight: float
    interval: int = 1


class Played(NamedTuple):
    """One round: noise z, conditions or None, what the discriminator was shown, and what it made of it.

    state: as the round began.
    """

    z: Array
    given: Array | None
    real: Array
    fake: Array
    on_real: Judged
    on_fake: Judged
    state: TrainState


class Term(NamedTuple):
    """A further loss, (params, round) -> [B], and its weight in each player's loss."""

    loss: Callable[[Mapping[str, Any], Played], Array]
    discriminator: float
    generator: float


def matching(weight: float) -> Term:
    """Return feature matching as a term of the generator's loss (Salimans et al. 2016), over all devices' examples."""

    def loss(params, played):
        return feature_matching(*(gathered(one.features) for one in (played.on_real, played.on_fake)))

    return Term(loss, 0.0, weight)


def gan_game(
    gan: GAN,
    loss: Adversarial,
    *,
    tx: Mapping[str, optax.GradientTransformation],
    penalties: tuple[Weighted, ...] = (),
    steps: int = 1,
    simultaneous: bool = False,
    unroll: int = 0,
    replay: Replay | None = None,
    show: Show = lambda key, step, x: x,
    given: Callable[[Batch], Array] | None = None,
    heads: Mapping[str, nn.Module] | None = None,
    terms: Mapping[str, Term] | None = None,
    adversarial: float = 1.0,
    ema: float = 0.0,
) -> Game:
    """Return the game on batches with "x" [B, ...].

    loss: see `jaxgen.losses.adversarial`. tx: the optimiser of each player.
    steps: of the discriminator for one of the generator, on equal slices of the batch.
    simultaneous: both players move at once, from one forward pass; another algorithm, cheaper by a generator's pass.
    unroll: the generator moves against the discriminator that so many of its own steps, on this batch, would make
    of it, and differentiates through them (Metz et al. 2017); its optimiser must be differentiable.
    replay: shows the discriminator earlier generated examples too, which are not those of the round's z.
    show: noise, augmentation or packing of what it is shown. given: conditions [B, K] of both networks.
    heads: further networks by name, on the discriminator's features, moved by it. terms: further losses by name.
    adversarial: weight of the generator's adversarial loss. ema: decay of the generator's average, 0 for none.

    Raises ValueError for options that exclude each other; while tracing, for a loss, penalty or term that is not per
    example, and for conditions of another number than what the discriminator is shown.
    """
    if unroll < 0 or any(one.interval < 1 for one in penalties):
        raise ValueError(
            "expected unroll of at least 0 and penalties' intervals of at least 1, "
            f"got {unroll} and {[one.interval for one in penalties]}"
        )
    if simultaneous and (steps > 1 or unroll or replay):
        raise ValueError(
            "players that move at once take one step each: expected no discriminator steps, unroll, replay"
        )
    if replay and given:
        raise ValueError("replayed examples come without their conditions: expected no `given` beside `replay`")
    heads, terms = heads or {}, terms or {}

    def init(key, batch):
        shown, own = show(key, jnp.int32(0), batch["x"]), given(batch) if given else None
        if own is not None and len(own) != len(shown):
            raise ValueError(
                "every example that the discriminator is shown needs its condition, and packs have none: "
                f"expected equal numbers, got {len(shown)} shown and {len(own)} conditions"
            )
        params, extra = gan.init(key, shown, own)
        features = jax.eval_shape(lambda: gan.judge(params, extra, shown, own)).features
        for number, (name, head) in enumerate(heads.items()):
            seed = jax.random.fold_in(jax.random.fold_in(key, HEADS), number)
            params[name] = head.init(seed, jnp.zeros(features.shape))["params"]
        if replay:
            extra["replay"] = replay.start(batch["x"])
        return params, extra

    def rounds(params, state, batch, key, *, old: bool) -> tuple[Played, dict[str, Extra]]:
        keys = jax.random.split(key, ROUND)
        own = given(batch) if given else None
        z = gan.prior(keys[0], len(batch["x"]))
        extra = dict(state.extra)
        fake, extra[G] = learn(gan.generator, params[G], extra[G], z, own)
        if old and replay:
            fake, extra["replay"] = replay.mix(keys[3], extra["replay"], fake)
        real, fake = show(keys[1], state.step, batch["x"]), show(keys[2], state.step, fake)
        on_real, extra[D] = learn(gan.discriminator, params[D], extra[D], real, own)
        on_fake, extra[D] = learn(gan.discriminator, params[D], extra[D], fake, own)
        return Played(z, own, real, fake, on_real, on_fake, state), extra

    def discriminate(params, state, played, key):
        """Return the discriminator's loss and its metrics."""
        value = _mean("loss", loss(played.on_real.logits, played.on_fake.logits)[0])
        metrics = {
            "gan/real_logit": played.on_real.logits.mean(),
            "gan/fake_logit": played.on_fake.logits.mean(),
        }
        for number, one in enumerate(penalties):
            own = jax.random.fold_in(jax.random.fold_in(key, PENALTIES), number)
            measured = _penalty(gan, one, params, state, played, own)
            value, metrics[f"gan/penalty{number or ''}"] = value + measured, measured
        for name, term in terms.items():
            measured = _mean(f"term {name!r}", term.loss(params, played))
            value, metrics[f"gan/{name}"] = value + term.discriminator * measured, measured
        return value, metrics

    def generate(params, played):
        """Return the generator's loss."""
        value = adversarial * _mean("loss", loss(played.on_real.logits, played.on_fake.logits)[1])
        return value + sum(term.generator * term.loss(params, played).mean() for term in terms.values())

    def move_discriminator(params, state, batch, key):
        params = {**state.params, **params}
        played, extra = rounds(params, state, batch, key, old=True)
        value, metrics = discriminate(params, state, played, key)
        return {D: value}, Aux({name: extra[name] for name in extra if name != G}, metrics)

    def move_generator(params, state, batch, key):
        params = {**state.params, **params}
        if unroll:
            params = _unrolled(params, state, batch, key)
        played, extra = rounds(params, state, batch, key, old=False)
        return {G: generate(params, played)}, Aux({G: extra[G]}, {})

    def _unrolled(params, state, batch, key):
        def value(moved):
            played = rounds({**params, **moved}, state, batch, key, old=False)[0]
            return discriminate({**params, **moved}, state, played, key)[0]

        def one(carry, _):
            moved, opt = carry
            updates, opt = tx[D].update(averaged(jax.grad(value)(moved)), opt, moved)
            return (optax.apply_updates(moved, updates), opt), None

        start = {name: params[name] for name in (D, *heads)}
        # Played side by side with others, the state's own tree has other names for the networks.
        form = jax.tree.structure(jax.eval_shape(tx[D].init, start))
        opt = jax.tree.unflatten(form, jax.tree.leaves(state.opt_state[D]))
        (moved, _), _ = jax.lax.scan(one, (start, opt), None, length=unroll)
        return {**params, **moved}

    def move_both(params, state, batch, key):
        params = {**state.params, **params}
        played, extra = rounds(params, state, batch, key, old=False)
        value, metrics = discriminate(params, state, played, key)
        return {D: value, G: generate(params, played)}, Aux(extra, metrics)

    phases = (
        (Phase((D, G), move_both),)
        if simultaneous
        else (
            Phase((D,), move_discriminator, steps),
            Phase((G,), move_generator),
        )
    )
    players = {D: Player((D, *heads), tx[D]), G: Player((G,), tx[G])}
    return Game(init, players, phases, ema={G: ema} if ema else {})


def _penalty(gan: GAN, one: Weighted, params, state, played: Played, key: Array) -> Array:
    """Return the weighted mean of a penalty, zero in the steps that it is not played in."""

    def critic(x):
        return learn(gan.discriminator, params[D], state.extra[D], x, played.given)[0].logits

    def value():
        return one.interval * one.weight * _mean("penalty", one.penalty(critic, played.real, played.fake, key))

    if one.interval == 1:
        return value()
    return jax.lax.cond(state.step % one.interval == 0, value, partial(jnp.zeros, ()))


def _mean(what: str, rows: Array) -> Array:
    if rows.ndim != 1:
        raise ValueError(f"the {what} must return one number an example, [B], got shape {rows.shape}")
    return rows.mean()
