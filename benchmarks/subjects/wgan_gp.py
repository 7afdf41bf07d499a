"""The WGAN-GP of Gulrajani et al. 2017: the DCGAN's networks without batch normalisation, five critic steps."""

import jax.numpy as jnp
import optax

from benchmarks.peers.peer import IMAGES
from benchmarks.pixels import colour_images
from benchmarks.subject import Subject
from benchmarks.subjects.dcgan import EXAMPLES, SHAPE, networks
from jaxgen.games.gan import D, G, Weighted, gan_game
from jaxgen.losses.adversarial import wasserstein
from jaxgen.losses.penalties import gradient

CRITIC_STEPS, BATCH_SIZE, PENALTY, LEARNING_RATE, BETAS = 5, 320, 10.0, 3e-4, (0.5, 0.9)


def subject(*, dtype: jnp.dtype | None = None) -> Subject:
    """Return the WGAN-GP: a step is five updates of the critic and one of the generator, on 64 examples each, Adam."""
    adam = optax.adam(LEARNING_RATE, *BETAS)
    return Subject(
        game=gan_game(
            networks(batch_norm=False, dtype=dtype),
            wasserstein,
            tx={G: adam, D: adam},
            penalties=(Weighted(gradient, PENALTY),),
            steps=CRITIC_STEPS,
        ),
        data={"x": colour_images(EXAMPLES, SHAPE)},
        batch_size=BATCH_SIZE,
        peers={"torch": "benchmarks.peers.wgan_gp"},
        kinds=IMAGES,
    )
