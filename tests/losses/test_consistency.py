import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.losses.consistency import adversarial_direction
from jaxgen.losses.divergences import categorical_kl

KEY = jax.random.key(0)


def test_of_two_linear_classes_it_is_the_difference_of_their_weights():
    w = jax.random.normal(KEY, (6, 2))
    x = jax.random.normal(jax.random.key(1), (5, 2, 3))
    found = adversarial_direction(lambda x: x.reshape(len(x), -1) @ w, x, jax.random.key(2), reach=1e-2)
    normal = (w[:, 0] - w[:, 1]) / jnp.linalg.norm(w[:, 0] - w[:, 1])
    np.testing.assert_allclose(abs(found.reshape(5, 6) @ normal), 1, rtol=1e-4)
    np.testing.assert_allclose((found**2).sum((1, 2)), 1, rtol=1e-5)


def test_it_changes_the_prediction_more_than_a_random_step_and_has_no_gradient():
    w = jax.random.normal(KEY, (2, 20, 4))
    logits = lambda x: jnp.tanh(x @ w[0]) @ w[1, :4]  # noqa: E731
    x = jax.random.normal(jax.random.key(1), (200, 20))
    random = jax.random.normal(jax.random.key(3), x.shape)
    random = random / jnp.linalg.norm(random, axis=1, keepdims=True)
    worst, other = (
        categorical_kl(logits(x), logits(x + 0.1 * step)).mean()
        for step in (adversarial_direction(logits, x, KEY, reach=0.1), random)
    )
    assert worst > 3 * other
    slope = jax.grad(lambda x: adversarial_direction(logits, x, KEY).sum())(x)
    np.testing.assert_array_equal(slope, 0)


def test_where_nothing_changes_the_prediction_the_step_is_zero():
    found = adversarial_direction(lambda x: jnp.zeros((len(x), 3)) + 0 * x[:, :1], jnp.ones((2, 4)), KEY)
    np.testing.assert_array_equal(found, 0)
