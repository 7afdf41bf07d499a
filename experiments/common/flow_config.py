"""The options of every experiment with a normalizing flow."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from experiments.common.autoencoders import ACTIVATIONS, check_range, check_widths
from jaxgen.bijectors.coupling import Net
from jaxgen.nn.conditioner import ConvConditioner, DenseConditioner, ResidualConditioner
from jaxgen.run.experiment import Common


@dataclass(frozen=True)
class FlowConfig(Common):
    """Options of every experiment with a normalizing flow."""

    data: str = "moons"
    """data set: an embedded one, tfds:NAME, folder:PATH, npz:PATH or table:PATH"""
    batch_size: int | None = 256
    """examples a step"""
    hidden: tuple[int, ...] = (64, 64)
    """widths of the networks of vectors"""
    width: int = 64
    """channels of the networks of images"""
    blocks: int = 2
    """residual blocks of the networks of images that have them"""
    activation: Literal["relu", "tanh", "silu"] = "relu"
    """activation of the networks"""
    components: int = 0
    """normal distributions in the noise, a mixture that is learned too, for data in separate modes; 0 for one, fixed"""
    alpha: float = 1e-3
    """images enter by the logit of alpha + (1 - 2 alpha) x; the more pixels are black or white, the less: MNIST 1e-6"""
    flip: bool = False
    """mirror each training image left to right with probability one half"""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to zero as a cosine"""
    clip: float = 0.0
    """cut the norm of a gradient at this; 0 for no cut"""
    ema: float = 0.0
    """decay a step of the parameters' average, which is what is scored; 0 for none"""
    temperatures: tuple[float, ...] = (0.5, 0.7, 0.85, 1.0)
    """scales of the noise that the last picture of samples compares"""
    dequantise: Literal["uniform", "variational"] = "uniform"
    """noise that makes images continuous: uniform, or that of a flow of its own (Ho et al. 2019, "Flow++")"""
    bound_samples: int = 1
    """draws of that noise in the final score of an image"""
    integral_points: int = 512
    """a side of the grid over the plane that the density is summed on in the end; 0 for no sum"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        if self.integral_points < 0 or self.integral_points % 2:
            raise ValueError(f"--integral-points must be even and not negative, got {self.integral_points}")
        check_widths(self, "hidden", "width", "blocks", "bound_samples")
        check_range(self, "components", 0)
        check_range(self, "alpha", 0, 0.5)
        check_range(self, "ema", 0, 1)
        for name in ("learning_rate", "clip"):
            check_range(self, name, 0)
        if not self.temperatures or min(self.temperatures) <= 0:
            raise ValueError(f"--temperatures must be above 0, one at least, got {self.temperatures}")

    def dense(self, **options) -> Net:
        """Return the maker of networks of vectors."""
        return partial(DenseConditioner, hidden=self.hidden, activation=ACTIVATIONS[self.activation], **options)

    def conv(self) -> Net:
        """Return the maker of Glow's networks of images."""
        return partial(ConvConditioner, width=self.width, activation=ACTIVATIONS[self.activation], **self.types)

    def residual(self) -> Net:
        """Return the maker of residual networks of images."""
        return partial(
            ResidualConditioner,
            width=self.width,
            blocks=self.blocks,
            activation=ACTIVATIONS[self.activation],
            **self.types,
        )
