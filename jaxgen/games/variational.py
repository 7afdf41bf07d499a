"""What a VAE minimises where its reconstruction term is an error of one's own."""

from collections.abc import Callable

import jax

from jaxgen.games.autoencoder import Objective
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.models.vae import VAE

Array = jax.Array


def variational(vae: VAE, error: Callable[[Array, Array], Array], *, beta: float = 1.0) -> Objective:
    """Return the objective error(x, output) + beta KL [B], with z ~ q(z|x), for a `jaxgen.games.autoencoder.Trainee`.

    error: (x [B, ...], the decoder's output at z) -> [B], as of `reconstruct` there. Minus a log-likelihood makes it
    the negative evidence lower bound; a feature distance the objective of Hou et al. 2017, equation 3.
    """

    def objective(params, x, key):
        z, mean, log_scale = vae.draw(params, x, key)
        return error(x, vae.decode(params, z)) + beta * gaussian_kl(mean, log_scale)

    return objective
