"""VGG-16 and VGG-19 (Simonyan and Zisserman 2015) up to their last convolution, frozen, with weights of a file.

Nothing is downloaded. Weights are arrays under torchvision's names, "features.0.weight" [O, I, 3, 3] and
"features.0.bias" [O], in a .npz or a .safetensors file; pickles are never opened.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn.convolution import conv

Array = jax.Array

BLOCKS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # convolutions before each pooling
CHANNELS = (1, 2, 4, 8, 8)  # of each block, in widths
WIDTH = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels, by channel
LAYERS = ("relu1_1", "relu2_1", "relu3_1")
IGNORED = re.compile(r"classifier\.\d+\.(weight|bias)")


def layer_places(depth: int) -> dict[str, int]:
    """Return {"relu1_1": 0, "relu1_2": 2, ...}: where in torchvision's list each layer's convolution is."""
    places, place = {}, 0
    for block, count in enumerate(BLOCKS[depth], 1):
        for number in range(1, count + 1):
            places[f"relu{block}_{number}"] = place
            place += 2  # the convolution and its ReLU
        place += 1  # the pooling
    return places


def vgg_features(
    path: str | Path, layers: Sequence[str] = LAYERS, *, width: int = WIDTH
) -> Callable[[Array], tuple[Array, ...]]:
    """Return the function of images [B, H, W, C], C of 1 or 3, floats in [0, 1], to the maps of `layers`, in order.

    A map of block i is [B, H / 2^(i - 1), W / 2^(i - 1), C_i], sides rounded down. Grey images are repeated to three
    channels and all are normalised by ImageNet's mean and deviation; they keep their size. The depth, 16 or 19, is
    seen from the file. width: channels of the first block; 64 is the published network.
    Raises ValueError for a file of another format, missing, unknown or misshapen weights, or unknown layers.
    """
    weights = read(path)
    depth = _depth(weights)
    places = layer_places(depth)
    if not layers or (unknown := [name for name in layers if name not in places]):
        raise ValueError(f"VGG-{depth}: expected layers of {', '.join(places)}, got {unknown if layers else 'none'}")
    kernels = _kernels(path, weights, depth, width)
    last = max(places[name] for name in layers)

    def apply(image: Array) -> tuple[Array, ...]:
        x, found = normalise(image.astype(jnp.float32)), {}
        for name, place in places.items():
            if place > last:
                break
            if name.endswith("_1") and name != "relu1_1":
                x = halve(x)
            kernel, bias = kernels[name]
            x = jax.nn.relu(conv(x, kernel, 1) + bias.reshape(1, 1, 1, -1))
            found[name] = x
        return tuple(found[name] for name in layers)

    return apply


def normalise(image: Array) -> Array:
    """Return images [B, H, W, 3] with ImageNet's mean zero and deviation one. image: [B, H, W, C], C of 1 or 3."""
    if image.ndim != 4 or image.shape[-1] not in (1, 3):
        raise ValueError(f"VGG: expected images [B, H, W, C] with C of 1 or 3, got shape {tuple(image.shape)}")
    mean, deviation = (jnp.array(value, image.dtype).reshape(1, 1, 1, 3) for value in (MEAN, DEVIATION))
    return (jnp.broadcast_to(image, (*image.shape[:-1], 3)) - mean) / deviation


def halve(x: Array) -> Array:
    """Return the largest of every 2 x 2 block: [B, H, W, C] -> [B, H // 2, W // 2, C]."""
    batch, height, width, channels = x.shape
    if min(height, width) < 2:
        raise ValueError(f"VGG: expected images that can be halved this often, got a map of {height} x {width}")
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of a .npz or .safetensors file by name. Raises ValueError where it is neither."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"weights {path}: expected a file, got {'a folder' if path.is_dir() else 'nothing'}")
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(
            f"weights {path}: expected .npz or .safetensors (pickles are never opened), got {path.suffix!r}"
        )
    return _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("no zip archive")
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"weights {path}: expected plain arrays as numpy.savez writes them, got {error}") from error


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError:
        raise ValueError(
            f"weights {path}: .safetensors files need the extra `vgg`: pip install 'jaxgen[vgg]'"
        ) from None
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"weights {path}: expected a safetensors file, got {error}") from error


def _depth(weights: Mapping[str, np.ndarray]) -> int:
    """Return 19 where the file has a convolution that only VGG-19 has, else 16."""
    only = set(layer_places(19).values()) - set(layer_places(16).values())
    return 19 if any(f"features.{place}.weight" in weights for place in only) else 16


def _kernels(path: str | Path, weights: Mapping[str, np.ndarray], depth: int, width: int) -> dict:
    """Return {layer: (kernel [3, 3, I, O], bias [O])}, checked."""
    shapes, inputs = {}, 3
    for name, place in layer_places(depth).items():
        outputs = CHANNELS[int(name[4]) - 1] * width
        shapes[f"features.{place}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"features.{place}.bias"] = (outputs,)
        inputs = outputs
    names = {name for name in weights if not IGNORED.fullmatch(name)}
    if missing := sorted(shapes.keys() - names):
        raise ValueError(f"weights {path}: expected those of VGG-{depth}, {len(missing)} are missing: {_few(missing)}")
    if unknown := sorted(names - shapes.keys()):
        raise ValueError(f"weights {path}: expected those of VGG-{depth}, {len(unknown)} are unknown: {_few(unknown)}")
    for name, shape in shapes.items():
        if weights[name].shape != shape or weights[name].dtype.kind != "f":
            raise ValueError(
                f"weights {path}: expected {name} to be floats {list(shape)}, "
                f"got {weights[name].dtype} {list(weights[name].shape)}"
            )
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"weights {path}: expected finite numbers in {name}, got nan or infinity")
    return {
        name: (
            jnp.asarray(weights[f"features.{place}.weight"].transpose(2, 3, 1, 0), jnp.float32),
            jnp.asarray(weights[f"features.{place}.bias"], jnp.float32),
        )
        for name, place in layer_places(depth).items()
    }


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
