"""Flows of autoregressive layers: MAF, and its splines."""

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.autoregressive import Autoregressive, Net
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain, Repeat
from jaxgen.bijectors.elementwise import Elementwise, affine, softplus_scale
from jaxgen.bijectors.linear import Linear
from jaxgen.bijectors.permute import Reverse


def maf(net: Net, *, layers: int) -> Bijector:
    """Return a masked autoregressive flow: y = x * scale + shift of each number, the scale by softplus."""
    return autoregressive_flow(net, affine(softplus_scale, shift_first=False), layers=layers)


def autoregressive_flow(net: Net, elementwise: Elementwise, *, layers: int, mix: bool = False) -> Bijector:
    """Return masked autoregressive layers (Papamakarios et al. 2017, "MAF", section 3). x: [B, D] -> z [B, D].

    Each with actnorm before it, in the place of the paper's batch normalisation, and between them the order reversed,
    or with `mix` an invertible linear map (Durkan et al. 2019, section 5.1). Raises ValueError for no layers.
    """
    if layers < 1:
        raise ValueError(f"a flow needs at least one layer, got {layers}")
    return Repeat(Chain([ActNorm(), Autoregressive(net, elementwise), Linear() if mix else Reverse()]), layers)
