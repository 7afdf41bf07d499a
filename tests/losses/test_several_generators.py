"""The losses of several generators at logits as large as they come."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.losses.adversarial import multi_generator

LOGITS = np.array(list(itertools.product([-1e4, 0.0, 1e4], repeat=3)), np.float32)  # of real and of two generators
FAKE = np.stack([LOGITS[::-1], LOGITS], axis=1)  # [B, 2, 3]


def test_they_are_finite_and_never_below_zero():
    for value in multi_generator(jnp.asarray(LOGITS), jnp.asarray(FAKE)):
        assert value.shape == (27,)
        assert np.isfinite(value).all() and (value >= 0).all() and value.max() > 1e4


def test_their_gradients_raise_the_wanted_class_and_lower_the_others():
    """The softmax less one at the wanted class: a class that is 10,000 behind is pulled with its whole weight."""
    one = np.eye(3)
    for side, wanted in ((0, (one[0], one[1:])), (1, (None, one[0]))):
        slopes = jax.grad(lambda r, f, side=side: multi_generator(r, f)[side].sum(), argnums=(0, 1))(LOGITS, FAKE)
        for slope, own, logits, weight in zip(slopes, wanted, (LOGITS, FAKE), (1.0, 0.5), strict=True):
            if own is None:
                assert not slope.any()  # the generators do not see real examples
                continue
            p = np.exp(np.float64(logits) - logits.max(-1, keepdims=True))
            np.testing.assert_allclose(slope, weight * (p / p.sum(-1, keepdims=True) - own), atol=1e-6)
            mine = np.broadcast_to(own == 1, slope.shape)
            assert (slope[mine] <= 0).all() and (slope[~mine] >= 0).all()
            assert np.isclose(slope[mine], -weight).any()
