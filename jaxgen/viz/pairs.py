"""Batches beside one another: originals above their reconstructions."""

import numpy as np

from jaxgen.viz.images import BACKGROUND, fit, tile, to_rgb

GAP = 8  # pixels between one block of rows and the next
INK = (20, 20, 20)


def beside(*batches, labels=None, columns: int | None = None, pad: int = 2, scale: int | None = None) -> np.ndarray:
    """One canvas in which image i of every batch stands in one column, the first batch on top.

    With originals and reconstructions the rows are: originals, reconstructions, a gap, the next originals, and so on.

    Args:
      *batches: images [N, H, W, C] of one N, H and W; C of 1 or 3 may differ between them.
      labels: a name for each batch, written to the left of its rows.
      columns: images a row; by default so that the canvas is about square.
      pad: pixels of grey around every image.
      scale: the whole factor of enlargement, chosen as in `tile` by default.

    Returns:
      uint8 [H', W', 3]; places without an image are grey.

    Raises:
      ValueError: for no batches, shapes that differ, or labels that are not one a batch.
    """
    shapes = [np.shape(batch) for batch in batches]
    if not batches or any(len(s) != 4 or 0 in s or s[:3] != shapes[0][:3] for s in shapes):
        raise ValueError(f"beside: expected batches [N, H, W, C] of one N, H and W, none empty, got shapes {shapes}")
    if labels is not None and len(labels) != len(batches):
        raise ValueError(f"beside: expected {len(batches)} labels, one a batch, got {len(labels)}")
    if columns is not None and columns < 1:
        raise ValueError(f"beside: expected columns >= 1, got {columns}")
    stack = np.stack([to_rgb(batch) for batch in batches])  # [B, N, H, W, 3]
    kinds, count, height, width, _ = stack.shape
    columns = min(count, columns or int(np.ceil(np.sqrt(count * kinds))))
    blocks = -(-count // columns)
    scale = fit(blocks * kinds, columns, height, width, pad) if scale is None else scale

    empty = np.full((kinds, blocks * columns - count, height, width, 3), BACKGROUND, np.uint8)
    stack = np.concatenate([stack, empty], axis=1)
    gap = np.full((GAP, columns * (pad + width * scale) + pad, 3), BACKGROUND, np.uint8)
    parts = []
    for block in range(blocks):
        parts += [gap] * (block > 0)
        parts.append(tile(stack[:, block * columns : (block + 1) * columns], pad=pad, scale=scale))
    canvas = np.concatenate(parts)
    if labels is None:
        return canvas
    centres = [
        block * (len(parts[0]) + GAP) + pad + kind * (pad + height * scale) + height * scale / 2
        for block in range(blocks)
        for kind in range(kinds)
    ]
    return np.concatenate([_margin(list(labels) * blocks, centres, len(canvas)), canvas], axis=1)


def _margin(labels, centres, height: int) -> np.ndarray:
    """A grey strip [height, W, 3] with every label written at its height, against the right edge."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=18)
    width = int(np.ceil(max(font.getlength(str(label)) for label in labels))) + 16
    strip = Image.new("RGB", (width, height), (BACKGROUND,) * 3)
    draw = ImageDraw.Draw(strip)
    for label, centre in zip(labels, centres, strict=True):
        draw.text((width - 8, centre), str(label), fill=INK, font=font, anchor="rm")
    return np.asarray(strip)
