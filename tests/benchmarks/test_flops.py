"""Operations counted in a traced function equal the counts by hand."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.flops import matmul_flops

A, B = jnp.ones((3, 5)), jnp.ones((5, 7))


def test_a_product_costs_two_operations_a_multiply_add():
    assert matmul_flops(jnp.matmul, A, B) == 2 * 3 * 5 * 7


def test_a_batched_product_counts_each_of_the_batch():
    assert matmul_flops(jnp.matmul, jnp.ones((4, 3, 5)), jnp.ones((4, 5, 7))) == 4 * 2 * 3 * 5 * 7


def test_the_gradient_of_a_product_costs_one_product_an_argument():
    def total(a, b):
        return (a @ b).sum()

    assert matmul_flops(jax.value_and_grad(total, (0, 1)), A, B) == 3 * 2 * 3 * 5 * 7


def test_a_scan_counts_its_body_once_a_turn():
    def chained(x):
        return jax.lax.scan(lambda c, _: (jax.jit(jnp.matmul)(c, x), None), x, length=6)[0]

    assert matmul_flops(chained, jnp.ones((3, 3))) == 6 * 2 * 27


def test_a_condition_counts_its_dearest_branch():
    def either(a, b):
        return jax.lax.cond(a[0, 0] > 0, lambda: a @ b, lambda: jnp.zeros((3, 7)))

    assert matmul_flops(either, A, B) == 2 * 3 * 5 * 7


def test_a_product_in_a_while_loop_is_refused():
    def loop(x):
        return jax.lax.while_loop(lambda c: c[0, 0] < 3, lambda c: c @ c, x)

    with pytest.raises(ValueError, match="while loop"):
        matmul_flops(loop, jnp.ones((3, 3)))


def test_what_no_output_depends_on_is_not_counted():
    assert matmul_flops(lambda a, b: ((a @ b) @ b.T, a @ b)[1], A, B) == 2 * 3 * 5 * 7


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_costs_its_kernel_at_each_output(groups):
    def conv(x, k):
        return jax.lax.conv_general_dilated(
            x, k, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups
        )

    kernel = jnp.ones((3, 3, 4 // groups, 6))
    assert matmul_flops(conv, jnp.ones((2, 9, 9, 4)), kernel) == 2 * (2 * 4 * 4 * 6) * (3 * 3 * 4 // groups)
