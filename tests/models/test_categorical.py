import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.models.categorical import Categorical, fit

KEY = jax.random.key(0)


def test_it_sums_to_one_over_all_grids():
    index = jax.random.randint(KEY, (5, 2, 1), 0, 3)
    every = jnp.array(list(itertools.product(range(3), repeat=2))).reshape(-1, 2, 1)
    np.testing.assert_allclose(jnp.exp(fit(index, 3).log_prob(every)).sum(), 1.0, rtol=1e-6)


def test_it_is_the_share_of_each_value_at_each_place():
    index = jnp.array([[0, 1], [0, 0], [0, 1], [1, 1]])
    np.testing.assert_allclose(jnp.exp(fit(index, 2).log_p), [[3.5 / 5, 1.5 / 5], [1.5 / 5, 3.5 / 5]], rtol=1e-6)


def test_none_is_more_probable_to_have_given_many_examples():
    """The fit maximises the likelihood, but for the one example that it adds."""
    index = jax.random.categorical(KEY, jnp.array([0.0, 1.0, -1.0]), shape=(5000, 4))
    best = fit(index, 3)
    for key in jax.random.split(KEY, 5):
        other = Categorical(jax.nn.log_softmax(best.log_p + 0.1 * jax.random.normal(key, (4, 3))))
        assert other.log_prob(index).sum() < best.log_prob(index).sum()


def test_samples_have_its_frequencies():
    prior = Categorical(jnp.log(jnp.array([[0.1, 0.9], [0.7, 0.3]])))
    drawn = prior.sample(KEY, (20_000, 2, 1))
    assert drawn.shape == (20_000, 2, 1)
    assert drawn.dtype == jnp.int32
    np.testing.assert_allclose(drawn.mean(0).ravel(), [0.9, 0.3], atol=0.015)
