"""The classic coupling flows: NICE, RealNVP on vectors and images, Glow."""

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain, Repeat
from jaxgen.bijectors.coupling import Coupling, MaskedCoupling, Net, alternate, checkerboard, other
from jaxgen.bijectors.elementwise import Elementwise, additive, affine, sigmoid_scale
from jaxgen.bijectors.linear import Linear
from jaxgen.bijectors.multiscale import MultiScale
from jaxgen.bijectors.permute import Deal
from jaxgen.bijectors.scaling import Scaling
from jaxgen.bijectors.squeeze import Squeeze
from jaxgen.nn.conditioner import LinearConditioner


def nice(net: Net, *, pairs: int = 2) -> Bijector:
    """Return additive couplings of every other number, and a last scaling (Dinh et al. 2015, "NICE", section 5.1).

    x: [B, D] -> z [B, D]. pairs: of couplings; the paper has two, each network of five layers of 1000 on MNIST.
    """
    couplings = [MaskedCoupling(net, additive(), mask) for mask in (alternate, other(alternate))]
    return Chain([Repeat(Chain(couplings), pairs), Scaling()])


def vector_flow(net: Net, elementwise: Elementwise, *, layers: int, mix: bool = False, norm: bool = True) -> Bijector:
    """Return couplings of vectors in pairs, the two halves in turn: RealNVP, spline flows. x: [B, D] -> z [B, D].

    layers: of couplings, an even number. After each pair the numbers are dealt into other halves; or with `mix` an
    invertible linear map goes before it (Durkan et al. 2019, "Neural spline flows", section 5.1). norm: actnorm before
    each pair. Raises ValueError for an odd number of layers.
    """
    if layers < 2 or layers % 2:
        raise ValueError(f"couplings come in pairs, got {layers} layers")
    pair = [Coupling(net, elementwise), Coupling(net, elementwise, flip=True)]
    before = [ActNorm()] * norm + [Linear()] * mix
    return Repeat(Chain([*before, *pair, *[Deal()] * (not mix)]), layers // 2)


def image_realnvp(net: Net, shape: tuple[int, int, int], *, levels: int = 2) -> Bijector:
    """Return the multi-scale RealNVP of images [B, H, W, C] -> [B, H W C] (Dinh et al. 2017, section 3.6).

    Each level: three couplings of a checkerboard, a squeeze, three of the channels, with actnorm in the place of the
    paper's batch normalisation; the last has four of a checkerboard. net: of kept pixels, by outputs. Raises
    ValueError for sizes that the squeezes do not divide.
    """
    check_levels(shape, levels)

    def board(number: int) -> list[Bijector]:
        masks = [checkerboard, other(checkerboard)]
        return [part for n in range(number) for part in (ActNorm(), MaskedCoupling(net, affine(), masks[n % 2]))]

    def channels() -> list[Bijector]:
        return [part for n in range(3) for part in (ActNorm(), Coupling(net, affine(), flip=n % 2 == 1))]

    ends = [Chain([*board(3), Squeeze(), *channels()]) for _ in range(levels - 1)]
    return MultiScale([*ends, Chain([*board(4), Squeeze()])], shape)


def glow(net: Net, shape: tuple[int, int, int], *, levels: int = 3, depth: int = 32) -> Bijector:
    """Return Glow of images [B, H, W, C] -> [B, H W C] (Kingma and Dhariwal 2018, figure 2).

    depth: steps a level, each actnorm, an invertible 1x1 convolution and an affine coupling; they are a loop that is
    compiled once. What leaves between levels has a learned prior given what goes on. net: of kept pixels, by outputs.
    Raises ValueError for sizes that the squeezes do not divide.
    """
    check_levels(shape, levels)

    def level(last: bool) -> Bijector:
        step = Chain([ActNorm(), Linear(), Coupling(net, affine(sigmoid_scale))])
        prior = [] if last else [Coupling(LinearConditioner, affine())]
        return Chain([Squeeze(), Repeat(step, depth), *prior])

    return MultiScale([level(number == levels - 1) for number in range(levels)], shape)


def check_levels(shape: tuple[int, ...], levels: int) -> None:
    """Raise ValueError for images [H, W, C] that `levels` squeezes do not divide."""
    if levels < 1:
        raise ValueError(f"a multi-scale flow needs at least one level, got {levels}")
    if len(shape) != 3 or any(side % 2**levels or side < 2**levels for side in shape[:2]):
        raise ValueError(f"{levels} levels need images [H, W, C] with sides that {2**levels} divides, got {shape}")
