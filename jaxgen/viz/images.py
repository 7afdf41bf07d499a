"""Batches of images as one picture.

A canvas is a uint8 array [H, W, 3]. Images come as [N, H, W, C] (or [R, K, H, W, C], R rows of K) with one channel
(grey) or three (red, green, blue), floats in [0, 1] or uint8.
"""

import io
from pathlib import Path

import numpy as np

from jaxgen.viz import files

SIDE = 900  # neither side of a canvas is enlarged beyond this many pixels
BACKGROUND = 160  # the grey between the tiles, apart from both black and white images
NOT_FINITE = (214, 39, 40)  # the red of a pixel that is no number


def to_uint8(images) -> np.ndarray:
    """Pixels as bytes, of the same shape.

    Floats are clipped to [0, 1], scaled and rounded to the nearest byte, so that ``to_uint8(u / 255) == u``; NaN
    becomes 0. uint8 passes through.

    Raises:
      ValueError: for any other type of number.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    if "float" not in images.dtype.name:  # by name, for bfloat16 is no np.floating
        raise ValueError(f"to_uint8: expected floats in [0, 1] or uint8, got {images.dtype}")
    images = np.clip(np.nan_to_num(images.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return np.rint(images * 255.0).astype(np.uint8)


def to_rgb(images) -> np.ndarray:
    """Images [..., H, W, C] with C of 1 or 3 as bytes [..., H, W, 3].

    A pixel that is not finite is red: a picture of a failing model must not fail too, but tell.

    Raises:
      ValueError: if the last axis is neither 1 nor 3, or a type `to_uint8` refuses.
    """
    images = np.asarray(images)
    drawn = to_uint8(images)
    if images.ndim < 3 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images: expected [..., H, W, C] with C of 1 or 3, got shape {images.shape}")
    drawn = np.broadcast_to(drawn, (*images.shape[:-1], 3))
    if images.dtype == np.uint8:
        return drawn
    finite = np.isfinite(images.astype(np.float32)).all(-1, keepdims=True)
    return drawn if finite.all() else np.where(finite, drawn, np.array(NOT_FINITE, np.uint8))


def fit(rows: int, columns: int, height: int, width: int, pad: int) -> int:
    """The largest whole enlargement that keeps a grid of images within `SIDE` pixels on both sides, at least 1."""
    return max(1, min((SIDE - pad - n * pad) // (n * size) for n, size in ((rows, height), (columns, width))))


def tile(images, *, columns: int | None = None, pad: int = 2, scale: int | None = None) -> np.ndarray:
    """One canvas of many images, each enlarged `scale` times by repeating its pixels.

    The image in row r and column k begins at pixel ``(pad + r * (pad + H * scale), pad + k * (pad + W * scale))``.

    Args:
      images: [N, H, W, C], laid out row by row, or [R, K, H, W, C], R rows of K columns; C of 1 or 3.
      columns: images a row, the rounded-up square root of N by default; not taken with [R, K, H, W, C].
      pad: pixels of grey around every image.
      scale: the whole factor of enlargement; by default the largest that keeps both sides within `SIDE` pixels.

    Returns:
      uint8 [rows * (pad + H * scale) + pad, columns * (pad + W * scale) + pad, 3]; places without an image are grey.

    Raises:
      ValueError: for another shape, no images, or columns, pad or scale out of range.
    """
    images = to_rgb(images)
    if images.ndim not in (4, 5) or 0 in images.shape:
        raise ValueError(f"tile: expected images [N, H, W, C] or [R, K, H, W, C], none empty, got shape {images.shape}")
    if images.ndim == 5:
        if columns is not None:
            raise ValueError(f"tile: columns is set by the shape {images.shape} [R, K, H, W, C], got columns={columns}")
        columns = images.shape[1]
        images = images.reshape(-1, *images.shape[2:])
    count, height, width, _ = images.shape
    columns = int(np.ceil(np.sqrt(count))) if columns is None else columns
    if columns < 1 or pad < 0 or (scale is not None and scale < 1):
        raise ValueError(f"tile: expected columns >= 1, pad >= 0, scale >= 1, got {columns=}, {pad=}, {scale=}")
    rows = -(-count // columns)
    scale = fit(rows, columns, height, width, pad) if scale is None else scale

    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    cell = (pad + height * scale, pad + width * scale)
    canvas = np.full((pad + rows * cell[0], pad + columns * cell[1], 3), BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        top, left = pad + index // columns * cell[0], pad + index % columns * cell[1]
        canvas[top : top + height * scale, left : left + width * scale] = image
    return canvas


def encode(canvas) -> bytes:
    """The PNG of one canvas [H, W, 3] (or of one image [H, W, 1]); the bytes depend on the pixels alone.

    Raises:
      ValueError: if the canvas is not one picture.
    """
    from PIL import Image

    canvas = to_rgb(canvas)
    if canvas.ndim != 3 or 0 in canvas.shape:
        raise ValueError(f"canvas: expected one picture [H, W, C], not empty, got shape {canvas.shape}")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(canvas)).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def save(path, canvas) -> Path:
    """Write a canvas as a PNG, whole or not at all, and return the path; missing folders are made.

    Raises:
      ValueError: if the name does not end in .png or the canvas is not one picture.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise ValueError(f"save: expected a name that ends in .png, got {path.name!r}")
    return files.write(path, encode(canvas))
