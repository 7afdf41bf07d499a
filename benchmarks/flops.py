"""Floating-point operations of matrix products and convolutions, counted in a traced function.

The compiler's own count misses how often a loop runs its body; here the body of a scan counts once a turn. What no
output depends on is not counted, as no compiler leaves it in.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core


def matmul_flops(function: Callable, *arguments: Any) -> int:
    """Return the operations (two a multiply-add) of all products of function(*arguments).

    arguments: arrays, or their shapes. Element-wise work is not counted. Raises ValueError for a product
    inside a while loop, whose number of turns is not known.
    """
    return _jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _jaxpr(jaxpr: core.Jaxpr) -> int:
    needed, total = {var for var in jaxpr.outvars if isinstance(var, core.Var)}, 0
    for equation in reversed(jaxpr.eqns):
        if equation.effects or needed.intersection(equation.outvars):
            needed.update(var for var in equation.invars if isinstance(var, core.Var))
            total += _equation(equation)
    return total


def _equation(equation: core.JaxprEqn) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        features = kernel[params["dimension_numbers"].rhs_spec[0]]
        dense = 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) // features
        return dense // math.prod(params["lhs_dilation"])  # products with the zeros between are not work
    inner = [_jaxpr(jaxpr) for jaxpr in _jaxprs(params)]
    if name == "scan":
        return params["length"] * sum(inner)
    if name == "cond":
        return max(inner)
    if name == "while" and any(inner):
        raise ValueError(
            "the operations of a while loop cannot be counted: it has products, and no fixed number of turns"
        )
    return sum(inner)


def _jaxprs(params: dict[str, Any]) -> list[core.Jaxpr]:
    leaves = jax.tree.leaves(params, is_leaf=lambda leaf: isinstance(leaf, core.Jaxpr | core.ClosedJaxpr))
    closed = [leaf.jaxpr if isinstance(leaf, core.ClosedJaxpr) else leaf for leaf in leaves]
    return [leaf for leaf in closed if isinstance(leaf, core.Jaxpr)]
