"""The GAN of Goodfellow et al. 2014 on points of the plane, with their non-saturating loss."""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
import optax

from benchmarks.pixels import points
from benchmarks.subject import Subject
from jaxgen.games.gan import D, G, gan_game
from jaxgen.losses.adversarial import non_saturating
from jaxgen.models.gan import GAN, normal
from jaxgen.models.gan_mlp import MLPDiscriminator, MLPGenerator

HIDDEN, LATENT, BATCH_SIZE, EXAMPLES, LEARNING_RATE, BETAS = 128, 16, 128, 10_000, 1e-3, (0.5, 0.999)


def subject(*, dtype: jnp.dtype | None = None) -> Subject:
    """Return the GAN: two hidden layers of 128 in each network, one update of each, batch 128, Adam."""
    hidden = (HIDDEN, HIDDEN)
    leaky = partial(nn.leaky_relu, negative_slope=0.2)
    gan = GAN(
        MLPGenerator(hidden, (2,), leaky, dtype=dtype), MLPDiscriminator(hidden, leaky, dtype=dtype), normal(LATENT)
    )
    return Subject(
        game=gan_game(gan, non_saturating, tx=dict.fromkeys((G, D), optax.adam(LEARNING_RATE, *BETAS))),
        data={"x": points(EXAMPLES)},
        batch_size=BATCH_SIZE,
        peers={"torch": "benchmarks.peers.gan"},
        draw=lambda state, key: gan.generate(state.params, state.extra, gan.prior(key, BATCH_SIZE)),
    )
