"""Several generators against one discriminator that tells them apart: Ghosh et al. 2018, "MAD-GAN"."""

from collections.abc import Mapping

import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.games.gan import D, G
from jaxgen.losses.adversarial import multi_generator
from jaxgen.models.gan import GAN, learn


def multi_generator_game(gan: GAN, *, tx: Mapping[str, optax.GradientTransformation], ema: float = 0.0) -> Game:
    """Return the game on batches with "x" [B, ...].

    The generator makes N examples of each z, [B, N, ...], one a head (see `jaxgen.models.multi_generator`); the
    discriminator gives N + 1 logits, the first for real. All heads see the same z (the paper, section 3).
    """

    def init(key, batch):
        return gan.init(key, batch["x"])

    def rounds(params, state, batch, key):
        extra = dict(state.extra)
        fake, extra[G] = learn(gan.generator, params[G], extra[G], gan.prior(key, len(batch["x"])), None)
        on_real, extra[D] = learn(gan.discriminator, params[D], extra[D], batch["x"], None)
        flat = fake.reshape(-1, *fake.shape[2:])
        on_fake, extra[D] = learn(gan.discriminator, params[D], extra[D], flat, None)
        return multi_generator(on_real.logits, on_fake.logits.reshape(*fake.shape[:2], -1)), extra

    def move(player, number):
        def loss(params, state, batch, key):
            losses, extra = rounds({**state.params, **params}, state, batch, key)
            return {player: losses[number].mean()}, Aux({player: extra[player]}, {})

        return Phase((player,), loss)

    players = {D: Player((D,), tx[D]), G: Player((G,), tx[G])}
    return Game(init, players, (move(D, 0), move(G, 1)), ema={G: ema} if ema else {})
