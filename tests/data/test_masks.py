from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import masks

KEY = jax.random.key(0)
HALVES = {"left": masks.left, "right": masks.right, "top": masks.top, "bottom": masks.bottom}


def test_a_random_mask_hides_each_pixel_at_its_rate():
    seen = masks.random(KEY, (2000, 3, 4, 3), hidden=0.3)
    assert seen.shape == (2000, 3, 4, 1) and seen.dtype == bool
    assert (abs(seen.mean(0) - 0.7) < 5 * np.sqrt(0.21 / 2000)).all()


@pytest.mark.parametrize("shape", [(2, 4, 6, 1), (2, 5, 7, 3)])
def test_halves_hide_their_side(shape):
    rows, columns = np.mgrid[: shape[1], : shape[2]]
    height, width = shape[1] // 2, shape[2] // 2
    hidden = {
        "left": columns < width,
        "right": columns >= shape[2] - width,
        "top": rows < height,
        "bottom": rows >= shape[1] - height,
    }
    for name, mask in HALVES.items():
        seen = mask(KEY, shape)
        assert seen.shape == (*shape[:3], 1)
        np.testing.assert_array_equal(seen, np.broadcast_to(~hidden[name][None, ..., None], seen.shape))


def test_half_is_each_of_the_four_sides_about_as_often():
    seen = masks.half(KEY, (4000, 4, 4, 1))
    each = np.array([(seen == mask(KEY, (1, 4, 4, 1))).all((1, 2, 3)).mean() for mask in HALVES.values()])
    assert each.sum() == 1.0
    assert (abs(each - 0.25) < 5 * np.sqrt(0.1875 / 4000)).all()


def test_a_block_hides_its_size_in_every_image():
    seen = masks.block(KEY, (50, 6, 5, 1), height=2, width=3)
    np.testing.assert_array_equal((~seen).sum((1, 2, 3)), 6)
    assert len({np.asarray(one).tobytes() for one in seen}) > 3


def test_any_of_gives_all_kinds_to_different_images():
    seen = masks.any_of(KEY, (2000, 4, 4, 1), (masks.left, masks.top, masks.right))
    each = [(seen == mask(KEY, (1, 4, 4, 1))).all((1, 2, 3)).mean() for mask in (masks.left, masks.top, masks.right)]
    assert sum(each) == 1.0 and min(each) > 0.28


def test_a_fixed_mask_follows_the_example_not_the_batch():
    mask = partial(masks.random, hidden=0.5)
    all_of = masks.fixed(jnp.arange(20), (20, 4, 4, 1), mask, seed=3)
    some = masks.fixed(jnp.array([7, 2]), (2, 4, 4, 1), mask, seed=3)
    np.testing.assert_array_equal(some, all_of[jnp.array([7, 2])])
    assert len({np.asarray(one).tobytes() for one in all_of}) == 20
    assert (all_of != masks.fixed(jnp.arange(20), (20, 4, 4, 1), mask, seed=4)).any()


@pytest.mark.parametrize(
    ("mask", "shape", "message"),
    [
        (partial(masks.random, hidden=1.0), (1, 4, 4, 1), "above 0 and below 1, got 1.0"),
        (partial(masks.random, hidden=0.0), (1, 4, 4, 1), "above 0 and below 1, got 0.0"),
        (partial(masks.random, hidden=0.95), (1, 4, 4, 1), "and not all, in the mean, got a share of 0.95"),
        (partial(masks.random, hidden=0.05), (1, 4, 4, 1), "at least one pixel of 4 x 4"),
        (partial(masks.random, hidden=float("nan")), (1, 4, 4, 1), "got nan"),
        (partial(masks.block, height=4, width=4), (1, 4, 4, 1), "got 4 x 4"),
        (partial(masks.block, height=0, width=2), (1, 4, 4, 1), "got 0 x 2"),
        (masks.left, (1, 4, 1, 1), "got 4 x 1"),
        (masks.bottom, (1, 1, 4, 1), "got 1 x 4"),
        (masks.top, (3, 8), r"got shape \(3, 8\)"),
        (partial(masks.random, hidden=0.5), (3, 8), r"got shape \(3, 8\)"),
        (partial(masks.any_of, masks=()), (1, 4, 4, 1), "at least one"),
    ],
)
def test_masks_of_all_or_nothing_are_refused(mask, shape, message):
    with pytest.raises(ValueError, match=message):
        mask(KEY, shape)
