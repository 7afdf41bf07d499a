"""Games of two numbers that GANs are understood by: min x max of x y, and the Dirac-GAN (Mescheder et al. 2018)."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.games.optimisers import clipped
from jaxgen.losses.adversarial import Adversarial
from jaxgen.losses.penalties import Penalty

Array = jax.Array
Pair = tuple[Array, Array]
THETA, PSI = "generator", "discriminator"
Losses = Callable[[Array, Array], Pair]  # (theta, psi), scalars -> (the generator's loss, the discriminator's)
NOISE = ((-1.0, -1.0, 1.0, 1.0), (-1.0, 1.0, -1.0, 1.0))  # of the real and of the generated point, equally likely


def bilinear(real: Array, fake: Array) -> Pair:
    """Return the adversarial loss of which `dirac` makes min over theta max over psi of theta psi."""
    return -fake, fake


def dirac(
    loss: Adversarial,
    penalty: Penalty | None = None,
    weight: float = 0.0,
    *,
    bias: float = 0.0,
    noise: float = 0.0,
    steady: float | None = None,
) -> Losses:
    """Return the losses of the Dirac-GAN (definition 2.1): data at 0, a generator at theta, the discriminator psi x.

    bias: added to psi x, where the loss rests at another logit than 0. noise: deviation of instance noise on both
    points, up or down with equal chance: the expectation is a sum of four. steady: weight of the squared slope of the
    discriminator's loss in psi in the generator's loss (Nagarajan and Kolter 2017, section 4).
    """

    def losses(theta: Array, psi: Array) -> Pair:
        real, fake = noise * jnp.array(NOISE[0]), theta + noise * jnp.array(NOISE[1])

        def value(psi: Array) -> Pair:
            d, g = loss(psi * real + bias, psi * fake + bias)
            return d.mean(), g.mean()

        d, g = value(psi)
        if steady is not None:
            g = g + steady * jax.grad(lambda psi: value(psi)[0])(psi) ** 2
        if penalty is not None:
            rows = penalty(lambda x: psi * x[:, 0] + bias, real[:, None], fake[:, None], jax.random.key(0))
            d = d + weight * rows.mean()
        return g, d

    return losses


def field(losses: Losses) -> Callable[[Array], Array]:
    """Return the vector field of the game: (theta, psi) [2] -> minus each player's own gradient [2]."""

    def at(point: Array) -> Array:
        g = jax.grad(lambda theta: losses(theta, point[1])[0])(point[0])
        d = jax.grad(lambda psi: losses(point[0], psi)[1])(point[1])
        return -jnp.stack([g, d])

    return at


def point_game(
    named: Mapping[str, Losses],
    *,
    start: tuple[float, float],
    rate: float,
    alternating: bool = False,
    clip: float | None = None,
) -> Game:
    """Return several such games as one, none knowing of the others: gradient descent of all from `start`.

    named: the losses by name; each network is a number a name. alternating: the discriminators move first, else both
    at once. clip: bound of the discriminators. Batches are unread.
    """

    def init(key, batch):
        return {
            network: {name: jnp.asarray(at, jnp.float32) for name in named}
            for network, at in zip((THETA, PSI), start, strict=True)
        }, {}

    def loss(*players):
        def move(params, state, batch, key):
            now = {**state.params, **params}
            each = [losses(now[THETA][name], now[PSI][name]) for name, losses in named.items()]
            # The gradient of the sum in one game's number is the gradient of that game's loss.
            both = {player: sum(side) for player, side in zip((THETA, PSI), zip(*each, strict=True), strict=True)}
            return {name: both[name] for name in players}, Aux({}, {})

        return Phase(players, move)

    phases = (loss(PSI), loss(THETA)) if alternating else (loss(PSI, THETA),)
    tx = {name: optax.sgd(rate) for name in (THETA, PSI)}
    if clip is not None:
        tx[PSI] = clipped(tx[PSI], clip)
    return Game(init, {name: Player((name,), tx[name]) for name in tx}, phases)
