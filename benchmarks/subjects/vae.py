"""The VAE of Kingma and Welling 2014 on binary images, at the size that most tutorials have: 784-400-20."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from benchmarks.pixels import binary_images
from benchmarks.subject import Subject
from jaxgen.games.vae import vae_game
from jaxgen.models.vae import BERNOULLI, VAE, Decoder, Encoder
from jaxgen.nn.mlp import MLP

SHAPE, HIDDEN, LATENT, BATCH_SIZE, EXAMPLES, LEARNING_RATE = (28, 28, 1), 400, 20, 128, 10_000, 1e-3


def subject(*, dtype: jnp.dtype | None = None, batch_size: int = BATCH_SIZE, hidden: int = HIDDEN) -> Subject:
    """Return the VAE: two hidden layers of 400 in all, 20 latents, batch 128, Adam."""
    encoder, decoder = (
        made(MLP((hidden,), nn.relu, dtype=dtype), size, dtype=dtype)
        for made, size in ((Encoder, LATENT), (Decoder, SHAPE))
    )
    vae = VAE(encoder, decoder, BERNOULLI, LATENT)
    return Subject(
        game=vae_game(vae, optax.adam(LEARNING_RATE)),
        data={"x": binary_images(EXAMPLES, SHAPE)},
        batch_size=batch_size,
        peers={"torch": "benchmarks.peers.vae", "pythae": "benchmarks.peers.vae_pythae"},
        draw=lambda state, key: vae.expect(state.params, jax.random.normal(key, (batch_size, LATENT))),
    )
