"""Games of two numbers that GANs are understood by: min x max of x y, and the Dirac-GAN (Mescheder et al. 2018)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.losses.adversarial import Adversarial
from jaxgen.losses.penalties import Penalty

Array = jax.Array
Pair = tuple[Array, Array]
THETA, PSI = "generator", "discriminator"
Losses = Callable[[Array, Array], Pair]  # (theta, psi), scalars -> (the generator's loss, the discriminator's)


def bilinear(theta: Array, psi: Array) -> Pair:
    """Return the losses of min over theta max over psi of theta psi."""
    return theta * psi, -theta * psi


def dirac(loss: Adversarial, penalty: Penalty | None = None, weight: float = 0.0) -> Losses:
    """Return the losses of the Dirac-GAN (definition 2.1): data at 0, a generator at theta, the discriminator psi x."""

    def losses(theta: Array, psi: Array) -> Pair:
        real, fake = jnp.zeros(1), theta[None]
        d, g = loss(psi * real, psi * fake)
        if penalty is not None:
            # The penalty moves the discriminator alone, at the generator's point as it is.
            point = jax.lax.stop_gradient(fake)[:, None]
            rows = penalty(lambda x: psi * x[:, 0], real[:, None], point, jax.random.key(0))
            d = d + weight * rows
        return g.mean(), d.mean()

    return losses


def field(losses: Losses) -> Callable[[Array], Array]:
    """Return the vector field of the game: (theta, psi) [2] -> minus each player's own gradient [2]."""

    def at(point: Array) -> Array:
        g = jax.grad(lambda theta: losses(theta, point[1])[0])(point[0])
        d = jax.grad(lambda psi: losses(point[0], psi)[1])(point[1])
        return -jnp.stack([g, d])

    return at


def point_game(losses: Losses, *, start: tuple[float, float], rate: float, alternating: bool = False) -> Game:
    """Return the game of gradient descent from `start`, both at once or the discriminator first. Batches are unread."""

    def init(key, batch):
        return {THETA: jnp.asarray(start[0], jnp.float32), PSI: jnp.asarray(start[1], jnp.float32)}, {}

    def loss(*players):
        def move(params, state, batch, key):
            now = {**state.params, **params}
            g, d = losses(now[THETA], now[PSI])
            both = {THETA: g, PSI: d}
            return {name: both[name] for name in players}, Aux({}, {})

        return Phase(players, move)

    phases = (loss(PSI), loss(THETA)) if alternating else (loss(PSI, THETA),)
    return Game(init, {name: Player((name,), optax.sgd(rate)) for name in (THETA, PSI)}, phases)
