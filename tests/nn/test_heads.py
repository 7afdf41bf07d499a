import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn.heads import Logits
from jaxgen.nn.minibatch import MinibatchDiscrimination, deviation

KEY = jax.random.key(0)
F = jax.random.normal(KEY, (5, 4))
GIVEN = jax.nn.one_hot(jnp.array([0, 2, 1, 1, 0]), 3)


def applied(head, given=None):
    variables = head.init(KEY, F, given, train=True)
    logits, features = head.apply(variables, F, given, train=False)
    np.testing.assert_array_equal(features, F)
    return np.asarray(logits), variables["params"]


def test_one_class_gives_one_logit_an_example():
    logits, params = applied(Logits())
    own = params["Dense_0"]
    assert logits.shape == (5,)
    np.testing.assert_allclose(logits, (np.asarray(F) @ np.asarray(own["kernel"]))[:, 0] + own["bias"][0], rtol=1e-5)


def test_several_classes_give_a_row_each():
    logits, params = applied(Logits(classes=3))
    assert logits.shape == (5, 3)
    np.testing.assert_allclose(logits, np.asarray(F) @ params["Dense_0"]["kernel"], rtol=1e-5, atol=1e-6)


def test_projection_adds_the_inner_product_with_the_conditions_embedding():
    """Miyato and Koyama 2018, equation 3: y.V f + psi(f), row by row."""
    logits, params = applied(Logits(projects=True), GIVEN)
    f, table = np.asarray(F, np.float64), np.asarray(params["Dense_1"]["kernel"], np.float64)
    plain = f @ np.asarray(params["Dense_0"]["kernel"], np.float64)[:, 0]
    for row, label in enumerate([0, 2, 1, 1, 0]):
        np.testing.assert_allclose(logits[row], plain[row] + table[label] @ f[row], rtol=1e-5)


def test_deviation_and_distances_are_appended():
    logits, params = applied(Logits(deviation=True, kernels=2))
    near = MinibatchDiscrimination(2).apply({"params": params["MinibatchDiscrimination_0"]}, F)
    seen = np.concatenate([near, deviation(F)], axis=1)
    assert seen.shape == (5, 4 + 2 + 1)
    np.testing.assert_allclose(logits, (seen @ params["Dense_0"]["kernel"])[:, 0], rtol=1e-5)


def test_a_spectral_head_divides_every_kernel_by_its_largest_singular_value():
    head = Logits(projects=True, spectral=True)
    variables = head.init(KEY, F, GIVEN, train=True)
    params = variables["params"]
    rest = {"batch_stats": variables["batch_stats"]}
    apply = jax.jit(lambda rest: head.apply({"params": params, **rest}, F, GIVEN, train=True, mutable=["batch_stats"]))
    for _ in range(100):
        (logits, _), rest = apply(rest)
    plain, table = (
        np.asarray(params[name]["kernel"]) / np.linalg.svd(params[name]["kernel"], compute_uv=False)[0]
        for name in ("Dense_0", "Dense_1")
    )
    expected = (F @ plain)[:, 0] + (np.asarray(F) * (np.asarray(GIVEN) @ table)).sum(1)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"projects": True}, {"deviation": True, "kernels": 2}])
def test_logits_are_of_full_precision_in_half(options):
    head = Logits(dtype=jnp.bfloat16, **options)
    given = GIVEN if options.get("projects") else None
    logits, _ = head.init_with_output(KEY, F.astype(jnp.bfloat16), given, train=True)[0]
    assert logits.dtype == jnp.float32
