"""What a layer asks of the shape that it is given."""

from jaxgen.bijectors.base import Array


def vectors(x: Array, layer: str) -> None:
    """Raise ValueError, in the layer's name, for x that is not of shape [B, D]."""
    if x.ndim != 2:
        raise ValueError(f"{layer}: expected vectors [B, D], got shape {x.shape}")
