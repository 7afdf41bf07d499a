"""Distances between images in the space of a frozen network's features, each [B]."""

from collections.abc import Sequence
from typing import Literal

import chex
import jax

from jaxgen.losses.likelihoods import flat


def feature_distance(
    features: Sequence[jax.Array], others: Sequence[jax.Array], *, over: Literal["sum", "mean"] = "mean"
) -> jax.Array:
    """Return sum_l 1/2 |f_l - g_l|^2 [B], in the squared units of the features (Hou et al. 2017, equation 2).

    features, others: the layers l of two images, f_l and g_l [B, ...], of equal shapes. over: squares are summed over
    a layer's features, or divided by their number, as there; layers are added up.
    """
    if len(features) != len(others) or not features:
        raise ValueError(f"expected two equal numbers of layers, at least one, got {len(features)} and {len(others)}")
    total = 0.0
    for one, other in zip(features, others, strict=True):
        chex.assert_equal_shape([one, other])
        squares = (flat(one) - flat(other)) ** 2
        total = total + 0.5 * (squares.mean(-1) if over == "mean" else squares.sum(-1))
    return total
