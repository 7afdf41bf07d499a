"""Losses of a discriminator and a generator: functions of logits, per example, in nats where they are cross-entropies.

Each takes the discriminator's logits of real and of generated examples, [B] each, row i of one beside row i of the
other, and returns what the discriminator and what the generator minimises, [B] each. A logit is log D / (1 - D) for
the losses that have a D (Goodfellow et al. 2014), the critic's value for the others.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array
Pair = tuple[Array, Array]
Adversarial = Callable[[Array, Array], Pair]  # (real [B], fake [B]) -> (the discriminator's [B], the generator's [B])


def minimax(real: Array, fake: Array, *, smooth: float = 0.0) -> Pair:
    """Return the two sides of the value of Goodfellow et al. 2014, equation 1: the generator's is log(1 - D(fake)).

    smooth: the discriminator's target for real examples is 1 - smooth (Salimans et al. 2016, section 3.4).
    """
    _check(real, fake)
    surprise = softplus(fake)
    return _real(real, smooth) + surprise, -surprise


def non_saturating(real: Array, fake: Array, *, smooth: float = 0.0) -> Pair:
    """Return the discriminator's side of `minimax`, and -log D(fake) for the generator (the same paper, section 3)."""
    _check(real, fake)
    return _real(real, smooth) + softplus(fake), softplus(-fake)


def least_squares(real: Array, fake: Array, *, smooth: float = 0.0) -> Pair:
    """Return the losses of Mao et al. 2017, equation 9: targets 1 - smooth, 0 and, for the generator, 1."""
    _check(real, fake)
    return 0.5 * ((real - (1.0 - smooth)) ** 2 + fake**2), 0.5 * (fake - 1.0) ** 2


def hinge(real: Array, fake: Array) -> Pair:
    """Return the hinge losses (Miyato et al. 2018, equations 16 and 17)."""
    _check(real, fake)
    return jax.nn.relu(1.0 - real) + jax.nn.relu(1.0 + fake), -fake


def wasserstein(real: Array, fake: Array) -> Pair:
    """Return the critic's difference (Arjovsky et al. 2017, equation 3); the critic must be held Lipschitz."""
    _check(real, fake)
    return fake - real, -fake


def relativistic(real: Array, fake: Array) -> Pair:
    """Return the pairing losses: each side wants its example's logit above its partner's.

    Jolicoeur-Martineau 2019, "RSGAN"; the objective of Huang et al. 2024, "The GAN is dead", equation 2.
    """
    _check(real, fake)
    return softplus(fake - real), softplus(real - fake)


def multi_generator(real: Array, fake: Array) -> Pair:
    """Return the losses of N generators and a discriminator of N + 1 classes (Ghosh et al. 2018, equations 2 and 3).

    real: logits [B, N + 1], class 0 for real. fake: [B, N, N + 1], row n of generator n, class n + 1. The
    discriminator's is a mean over generators of equal weight with the real one: -log p of the right class; the
    generators' is the mean over them of -log p(real), the non-saturating form.
    """
    if real.ndim != 2 or fake.shape != (len(real), real.shape[1] - 1, real.shape[1]):
        raise ValueError(
            f"several generators: expected logits [B, N + 1] of real and [B, N, N + 1] of generated examples, got "
            f"{real.shape} and {fake.shape}"
        )
    log_real, log_fake = jax.nn.log_softmax(real), jax.nn.log_softmax(fake)
    own = jnp.diagonal(log_fake[:, :, 1:], axis1=1, axis2=2)  # [B, N]
    return -log_real[:, 0] - own.mean(-1), -log_fake[:, :, 0].mean(-1)


def softplus(x: Array) -> Array:
    """Return log(1 + exp(x)), finite for every x, with the gradient sigmoid(x)."""
    return jnp.logaddexp(x, 0.0)


def _real(real: Array, smooth: float) -> Array:
    """Return the cross-entropy of logits to the target 1 - smooth."""
    return softplus(-real) + smooth * real


def _check(real: Array, fake: Array) -> None:
    if real.ndim != 1 or real.shape != fake.shape:
        raise ValueError(
            "adversarial losses compare logits example by example: expected real and fake of one shape [B], "
            f"got {real.shape} and {fake.shape}"
        )


LOSSES: dict[str, Adversarial] = {
    "minimax": minimax,
    "non-saturating": non_saturating,
    "least-squares": least_squares,
    "hinge": hinge,
    "wasserstein": wasserstein,
    "relativistic": relativistic,
}
SMOOTH = ("minimax", "non-saturating", "least-squares")  # the losses that can be smoothed
