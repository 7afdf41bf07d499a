"""What a network asks of the condition that it is given: one for each example, like the one it was made with."""

import math

import flax.linen as nn
import jax

Array = jax.Array


def check_condition(net: nn.Module, x: Array, condition: Array | None, made: str | None, came: str) -> None:
    """Raise ValueError, in the network's name, for a condition of another batch than x's or of another kind.

    made: the kind that the parameters were made with, in words; None where it is not known. came: what came, in words.
    """
    name = type(net).__name__
    if condition is not None and condition.shape[:1] != x.shape[:1]:
        raise ValueError(f"{name}: expected a condition for each of {len(x)} examples, got shape {condition.shape}")
    if made is not None and made != came and not net.is_initializing():
        raise ValueError(
            f"{name}: expected the condition that the parameters were made with, {made}, got {came} "
            f"beside x of shape {x.shape}, or this x is of another shape than theirs"
        )


def check_numbers(net: nn.Module, x: Array, condition: Array | None, others: int) -> None:
    """Do the same for a condition [B, ...] that goes, flattened, into the first layer of the network's MLP.

    others: how many numbers that layer reads beside the condition's.
    """
    params = net.variables.get("params", {})
    first = params.get("MLP_0", params).get("Dense_0")  # without hidden layers, the last is the first
    made = None if first is None else first["kernel"].shape[0] - others
    known = made is not None and made >= 0
    check_condition(net, x, condition, numbers(made or None) if known else None, numbers(count(condition) or None))


def count(condition: Array | None) -> int | None:
    """Return how many numbers an example's condition has, None for no condition."""
    return None if condition is None else math.prod(condition.shape[1:])


def numbers(n: int | None) -> str:
    """Return how a message names a condition of n numbers, None for no condition."""
    return "none" if n is None else f"one of {n} numbers"
