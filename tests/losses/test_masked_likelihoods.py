import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.likelihoods import bernoulli, gaussian

KEY = jax.random.key(0)
KINDS = {
    "bernoulli": bernoulli,
    "gaussian of one scale": lambda x, y, where=None: gaussian(x, y, -0.7, where=where),
    "gaussian": lambda x, y, where=None: gaussian(x, y, 0.3 * y, where=where),
}


def made():
    keys = jax.random.split(KEY, 3)
    x = jax.random.uniform(keys[0], (3, 2, 2, 2))
    return x, jax.random.normal(keys[1], x.shape), jax.random.bernoulli(keys[2], 0.5, x.shape)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_true_counts(kind):
    x, output, where = made()
    rows = [KINDS[kind](x[i][where[i]].reshape(1, -1), output[i][where[i]].reshape(1, -1))[0] for i in range(3)]
    np.testing.assert_allclose(KINDS[kind](x, output, where=where), rows, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_true_everywhere_changes_nothing(kind):
    x, output, _ = made()
    everywhere = jnp.ones(x.shape, bool)
    np.testing.assert_array_equal(KINDS[kind](x, output, where=everywhere), KINDS[kind](x, output))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("junk", [jnp.nan, jnp.inf, 1e30])
def test_what_does_not_count_reaches_neither_value_nor_gradient(kind, junk):
    x, output, where = made()
    value = lambda x, output: KINDS[kind](x, output, where=where).sum()  # noqa: E731
    junked = jnp.where(where, x, junk)
    assert value(x, output) == value(junked, output)
    for clean, dirty in zip(jax.grad(value, (0, 1))(x, output), jax.grad(value, (0, 1))(junked, output), strict=True):
        np.testing.assert_array_equal(clean, dirty)
        assert (clean[~where] == 0).all() and (clean[where] != 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_of_another_shape_is_refused(kind):
    x, output, where = made()
    with pytest.raises(AssertionError, match=r"\(3, 2, 2, 1\)"):
        KINDS[kind](x, output, where=where[..., :1])
