"""Penalties on the gradient of a discriminator in its input: functions of a critic, per example.

A critic maps examples [B, ...] to logits [B], each of its own example alone: with batch statistics inside, the
gradient of one logit is spread over the batch and these are not what their papers say.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

Array = jax.Array
Critic = Callable[[Array], Array]  # [B, ...] -> [B]
Penalty = Callable[[Critic, Array, Array, Array], Array]  # (critic, real, fake, key) -> [B]


def squared_gradient(critic: Critic, x: Array) -> tuple[Array, Array]:
    """Return the critic's logits [B], and each example's own squared gradient norm [B]. x: [B, ...]."""

    def summed(x):
        logits = critic(x)
        if logits.shape != x.shape[:1]:
            raise ValueError(f"a critic must return one logit an example, shape {x.shape[:1]}, got {logits.shape}")
        return logits.sum(), logits

    gradient, logits = jax.grad(summed, has_aux=True)(x)
    return logits, (gradient**2).reshape(len(x), -1).sum(-1)


def gradient_norm(critic: Critic, x: Array) -> Array:
    """Return each example's gradient norm [B], with a gradient of zero, not of NaN, where the norm is zero."""
    square = squared_gradient(critic, x)[1]
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)


def between(real: Array, fake: Array, key: Array) -> Array:
    """Return a point on the segment from each real example to its partner, uniformly, one weight an example."""
    chex.assert_equal_shape([real, fake])
    weight = jax.random.uniform(key, (len(real), *[1] * (real.ndim - 1)), real.dtype)
    return real + weight * (fake - real)


def gradient(
    critic: Critic, real: Array, fake: Array, key: Array, *, centre: float = 1.0, one_sided: bool = False
) -> Array:
    """Return (|grad| - centre)^2 [B] between real and fake examples (Gulrajani et al. 2017, equation 3).

    one_sided: norms below the centre cost nothing (their section 4, "Two-sided penalty"). centre 0: Thanh-Tung et
    al. 2019.
    """
    excess = gradient_norm(critic, between(real, fake, key)) - centre
    return (jnp.maximum(excess, 0.0) if one_sided else excess) ** 2


def one_sided(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
    """Return `gradient` of norms above 1 only [B]."""
    return gradient(critic, real, fake, key, one_sided=True)


def zero_centred(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
    """Return the squared gradient norm [B] between real and fake examples (Thanh-Tung et al. 2019, equation 5)."""
    return squared_gradient(critic, between(real, fake, key))[1]


def r1(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
    """Return half the squared gradient norm [B] at real examples (Mescheder et al. 2018, equation 9)."""
    return 0.5 * squared_gradient(critic, real)[1]


def r2(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
    """Return half the squared gradient norm [B] at generated examples (the same paper, equation 10)."""
    return 0.5 * squared_gradient(critic, fake)[1]


def r1_r2(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
    """Return `r1` + `r2` [B]."""
    return r1(critic, real, fake, key) + r2(critic, real, fake, key)


def jensen_shannon(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
    """Return half of (1 - D)^2 |grad logit|^2 at real plus D^2 |grad logit|^2 at generated examples [B].

    Roth et al. 2017, equation 21: the Jensen-Shannon divergence's response to noise of variance gamma, the weight.
    """
    real_logits, real_square = squared_gradient(critic, real)
    fake_logits, fake_square = squared_gradient(critic, fake)
    return 0.5 * (jax.nn.sigmoid(-real_logits) ** 2 * real_square + jax.nn.sigmoid(fake_logits) ** 2 * fake_square)


PENALTIES: dict[str, Penalty] = {
    "gradient": gradient,
    "one-sided": one_sided,
    "zero-centred": zero_centred,
    "r1": r1,
    "r2": r2,
    "r1-r2": r1_r2,
    "roth": jensen_shannon,
}
