"""Every bijector, from one table of constructors, under every law."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.chain import Chain, Inverse, Repeat
from jaxgen.bijectors.continuous import Continuous, Drift
from jaxgen.bijectors.coupling import Coupling, MaskedCoupling, alternate, checkerboard, other
from jaxgen.bijectors.elementwise import additive, affine, sigmoid_scale, softplus_scale
from jaxgen.bijectors.flatten import Flatten
from jaxgen.bijectors.linear import Linear
from jaxgen.bijectors.logit import Logit
from jaxgen.bijectors.multiscale import MultiScale
from jaxgen.bijectors.permute import Deal, Reverse, Shuffle
from jaxgen.bijectors.planar import Planar
from jaxgen.bijectors.radial import Radial
from jaxgen.bijectors.scaling import Scaling
from jaxgen.bijectors.spline import rational_quadratic
from jaxgen.bijectors.squeeze import Squeeze
from jaxgen.models.autoregressive_flows import autoregressive_flow, maf
from jaxgen.models.coupling_flows import glow, image_realnvp, nice, vector_flow
from jaxgen.nn.conditioner import ConvConditioner, DenseConditioner, ResidualConditioner
from jaxgen.nn.masked import MADE
from tests.bijectors.laws import (
    LAWS,
    compiled_is_eager,
    condition_matters,
    every_parameter_gets_a_gradient,
    inverse_undoes_forward,
    log_det_is_that_of_the_jacobian,
)

DENSE = partial(DenseConditioner, hidden=(8,), activation=nn.tanh, param_dtype=jnp.float64)
CONV = partial(ConvConditioner, width=4, activation=nn.tanh, param_dtype=jnp.float64)
RESIDUAL = partial(ResidualConditioner, width=4, blocks=1, activation=nn.tanh, param_dtype=jnp.float64)
MASKED = partial(MADE, (8, 8), activation=nn.tanh, param_dtype=jnp.float64)
SPLINE = rational_quadratic(3)
WIDE = rational_quadratic(3, bound=30.0)  # deep layers meet no tails, where parameters have no gradient
VECTOR, ODD, IMAGE, TINY = (4,), (5,), (4, 4, 2), (4, 4, 1)
TOLD, SEEN = (3,), (4, 4, 1)  # conditions: a vector and an image

TABLE = {  # bijector, shape of x, and of the condition
    "actnorm of vectors": (ActNorm(), VECTOR),
    "actnorm of images": (ActNorm(), IMAGE),
    "linear": (Linear(), ODD),
    "1x1 convolution": (Linear(), IMAGE),
    "scaling": (Scaling(), VECTOR),
    "logit": (Logit(), IMAGE),
    "flatten": (Flatten(IMAGE), IMAGE),
    "squeeze": (Squeeze(), IMAGE),
    "reverse": (Reverse(), VECTOR),
    "reverse of images": (Reverse(), IMAGE),
    "deal": (Deal(), VECTOR),
    "deal of odd sizes": (Deal(), ODD),
    "shuffle": (Shuffle(3), VECTOR),
    "shuffle of images": (Shuffle(3), IMAGE),
    "planar": (Planar(), VECTOR),
    "planar of one number": (Planar(), (1,)),
    "radial": (Radial(), VECTOR),
    "radial of one number": (Radial(), (1,)),
    "planar, told": (Planar(DENSE), (3,), (2,)),
    "radial, told": (Radial(DENSE), (3,), (2,)),
    "planar and radial, told": (Repeat(Chain([Planar(DENSE), Radial(DENSE)]), 2), (3,), (2, 1)),
    "additive coupling": (Coupling(DENSE, additive()), VECTOR),
    "affine coupling, tanh": (Coupling(DENSE, affine()), ODD),
    "affine coupling, flipped": (Coupling(DENSE, affine(), flip=True), ODD),
    "affine coupling, shifted last": (Coupling(DENSE, affine(shift_first=False)), ODD),
    "affine coupling, sigmoid": (Coupling(DENSE, affine(sigmoid_scale)), VECTOR),
    "affine coupling, softplus": (Coupling(DENSE, affine(softplus_scale, shift_first=False)), VECTOR),
    "affine coupling, told": (Coupling(DENSE, affine()), VECTOR, TOLD),
    "spline coupling": (Coupling(DENSE, SPLINE), VECTOR),
    "coupling of channels": (Coupling(CONV, affine()), IMAGE),
    "coupling of channels, told": (Coupling(CONV, affine()), IMAGE, TOLD),
    "coupling of channels, shown": (Coupling(RESIDUAL, affine()), IMAGE, (8, 8, 1)),
    "spline coupling of channels": (Coupling(CONV, SPLINE), IMAGE),
    "alternate mask": (MaskedCoupling(DENSE, affine(), alternate), ODD),
    "alternate mask, told": (MaskedCoupling(DENSE, affine(), alternate), ODD, TOLD),
    "spline under a mask": (MaskedCoupling(DENSE, SPLINE, alternate), ODD),
    "checkerboard": (MaskedCoupling(RESIDUAL, affine(), checkerboard), IMAGE),
    "the other checkerboard": (MaskedCoupling(CONV, affine(), other(checkerboard)), IMAGE),
    "checkerboard, shown": (MaskedCoupling(CONV, affine(), checkerboard), IMAGE, SEEN),
    "MAF": (Autoregressive(MASKED, affine()), VECTOR),
    "MAF, told": (Autoregressive(MASKED, affine()), VECTOR, TOLD),
    "IAF": (Autoregressive(MASKED, affine(), inverted=True), VECTOR),
    "IAF, shown": (Autoregressive(MASKED, affine(), inverted=True), VECTOR, (2, 2)),
    "MAF in reversed order": (Autoregressive(partial(MASKED, order="reversed"), affine()), VECTOR),
    "additive IAF": (Autoregressive(MASKED, additive(), inverted=True), (3,)),
    "MAF of splines": (Autoregressive(MASKED, SPLINE), (3,)),
    "MAF of one number": (Autoregressive(MASKED, affine()), (1,)),
    "MAF of one number, told": (Autoregressive(MASKED, affine()), (1,), TOLD),
    "IAF of one number": (Autoregressive(MASKED, affine(), inverted=True), (1,)),
    "chain": (Chain([ActNorm(), Linear(), Coupling(DENSE, affine())]), VECTOR),
    "inverse": (Inverse(Scaling()), VECTOR),
    "repeat": (Repeat(Chain([ActNorm(), Coupling(DENSE, affine())]), 3), VECTOR),
    "repeat, told": (Repeat(Coupling(DENSE, affine()), 2), VECTOR, TOLD),
    "multi-scale": (MultiScale([Chain([Squeeze(), ActNorm()]), Squeeze()], IMAGE), IMAGE),
    "planar and radial": (Repeat(Chain([Planar(), Radial()]), 3), (3,)),
    "NICE": (nice(DENSE), ODD),
    "RealNVP of vectors": (vector_flow(DENSE, affine(), layers=4, mix=True), ODD),
    "dealt couplings": (vector_flow(DENSE, affine(), layers=4), ODD),
    "splines of vectors": (vector_flow(DENSE, WIDE, layers=4, mix=True), VECTOR),
    "deep MAF": (maf(MASKED, layers=2), VECTOR),
    "deep MAF, told": (autoregressive_flow(MASKED, affine(), layers=2), VECTOR, TOLD),
    "deep MAF of splines": (autoregressive_flow(MASKED, WIDE, layers=2, mix=True), (3,)),
    "deep IAF": (Repeat(Chain([Autoregressive(MASKED, affine(), inverted=True), Shuffle(1)]), 2), VECTOR),
    "RealNVP of images": (image_realnvp(CONV, TINY, levels=2), TINY),
    "RealNVP of images, shown": (image_realnvp(CONV, TINY, levels=1), TINY, SEEN),
    "Glow": (glow(CONV, TINY, levels=2, depth=2), TINY),
    "Glow, told": (glow(CONV, TINY, levels=2, depth=2), TINY, TOLD),
    "Glow, shown": (glow(CONV, TINY, levels=2, depth=2), TINY, SEEN),
    "continuous": (Continuous(Drift((8,), nn.tanh), tolerance=1e-11), (2,)),
    "continuous, told": (Continuous(Drift((8,), nn.tanh), tolerance=1e-11), (2,), TOLD),
}

FIXED = (  # no parameters
    *("logit", "flatten", "squeeze", "deal", "deal of odd sizes"),
    *("reverse", "reverse of images", "shuffle", "shuffle of images"),
)
BLIND = ("MAF of one number", "MAF of one number, told", "IAF of one number")  # their networks see no number
LONG = (  # to compile: under laws SHORT alone
    *("coupling of channels, shown", "checkerboard", "MAF of splines", "NICE"),
    *("RealNVP of vectors", "deep MAF", "deep IAF", "planar and radial"),
)
LONGEST = (  # there and back alone
    *("spline coupling of channels", "splines of vectors", "deep MAF, told", "deep MAF of splines"),
    *("RealNVP of images", "Glow"),
)
STEPWISE = (  # whose eager steps take long
    *("coupling of channels", "coupling of channels, told", "the other checkerboard", "checkerboard, shown"),
    *("multi-scale", "1x1 convolution", "spline coupling", "spline under a mask"),
)
SHORT = (inverse_undoes_forward, log_det_is_that_of_the_jacobian)
IMAGED = ("RealNVP of images, shown", "Glow, shown")  # every level must take the condition


def slow(name, law):
    """Say whether it takes long, and other cases prove a part of it. Continuous flows: test_continuous.py."""
    if name in IMAGED:
        return law not in (log_det_is_that_of_the_jacobian, condition_matters)
    if name in LONG:
        return law not in SHORT
    if name in LONGEST:
        return law is not inverse_undoes_forward
    if "continuous" in name or name in ("Glow, told", "planar and radial, told"):
        return True
    return name in STEPWISE and law is compiled_is_eager


def cases():
    """Return each name with each of its laws."""
    found = []
    for name, (_, _, *condition) in TABLE.items():
        laws = [*LAWS, *[condition_matters] * len(condition)]
        if name in FIXED + BLIND:
            laws.remove(every_parameter_gets_a_gradient)
        for law in laws:
            marks = [pytest.mark.slow] * slow(name, law)
            found.append(pytest.param(name, law, id=f"{name}-{law.__name__}", marks=marks))
    return found


@pytest.mark.parametrize(("name", "law"), cases())
def test_laws(name, law):
    with jax.enable_x64(True):
        law(*TABLE[name])
