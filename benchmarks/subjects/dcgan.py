"""The DCGAN of Radford et al. 2016 on images of 32 x 32 pixels in three colours."""

import jax.numpy as jnp
import optax

from benchmarks.peers.peer import IMAGES
from benchmarks.pixels import colour_images
from benchmarks.subject import Subject
from jaxgen.games.gan import D, G, gan_game
from jaxgen.losses.adversarial import non_saturating
from jaxgen.models.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgen.models.gan import GAN, normal

SHAPE, WIDTH, LATENT, BATCH_SIZE, EXAMPLES, LEARNING_RATE, BETAS = (32, 32, 3), 64, 100, 64, 2_000, 2e-4, (0.5, 0.999)


def networks(*, batch_norm: bool = True, dtype: jnp.dtype | None = None, size: int = 32) -> GAN:
    """Return both networks, at 32 pixels three layers of 64, 128 and 256 channels each.

    size: pixels of a side; there are as many layers as it takes to halve it to 4.
    """
    options = {"batch_norm": batch_norm, "dtype": dtype}
    generator = DCGANGenerator((size, size, SHAPE[2]), WIDTH, **options)
    return GAN(generator, DCGANDiscriminator(WIDTH, **options), normal(LATENT))


def subject(*, dtype: jnp.dtype | None = None, size: int = 32, batch_size: int = BATCH_SIZE) -> Subject:
    """Return the DCGAN: one update of each network, each with noise of its own, batch 64, Adam."""
    adam, gan = optax.adam(LEARNING_RATE, *BETAS), networks(dtype=dtype, size=size)
    return Subject(
        game=gan_game(gan, non_saturating, tx={G: adam, D: adam}),
        data={"x": colour_images(EXAMPLES, (size, size, SHAPE[2]))},
        batch_size=batch_size,
        peers={"torch": "benchmarks.peers.dcgan"},
        kinds=IMAGES,
        draw=lambda state, key: gan.generate(state.params, state.extra, gan.prior(key, batch_size)),
    )
