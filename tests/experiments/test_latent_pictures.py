"""What the pictures of latent spaces are of: sums of concepts, lines between samples, sweeps of codes."""

import numpy as np

from experiments.common.gan_experiment import arithmetic, strips
from experiments.infogan import sweeps
from jaxgen.models.gan import GAN
from jaxgen.viz.images import tile
from jaxgen.viz.pairs import beside

CODES = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
MIXED = np.random.default_rng(1).normal(size=(4, 4)) / 20
LINEAR = GAN(None, None, lambda key, n: CODES[:n])


def make(z):
    """Make images [B, 2, 2, 1] in [-1, 1], linearly."""
    return (np.asarray(z, np.float64) @ MIXED).reshape(-1, 2, 2, 1)


def pixels(z):
    return make(z) / 2 + 0.5


def assert_same_canvas(one, other):
    """One and the same but for the rounding of a byte."""
    assert one.dtype == other.dtype == np.uint8
    np.testing.assert_allclose(one.astype(int), other.astype(int), atol=1)


def test_concepts_are_means_of_the_three_surest_codes_and_rows_are_a_b_c_and_a_less_b_plus_c():
    def logits(images):
        return 60 * (images.reshape(len(images), -1) - 0.5)  # a class a pixel

    classes = logits(pixels(CODES))
    p = np.exp(classes) / np.exp(classes).sum(1, keepdims=True)
    concepts = []
    for column in p.T:
        best = np.sort(column)[-3:]
        assert np.sort(column)[-4] < best[0] < 1
        concepts.append(CODES[np.isin(column, best)].mean(0))
    triples = [(0, 1, 2), (1, 2, 3), (2, 3, 0), (3, 0, 1)]
    rows = [[a, b, c, a - b + c] for a, b, c in (np.take(concepts, triple, axis=0) for triple in triples)]
    assert abs(make(np.concatenate(rows))).max() < 1  # nothing is clipped
    expected = pixels(np.concatenate(rows)).reshape(4, 4, 2, 2, 1)
    assert_same_canvas(arithmetic(LINEAR, make, logits), tile(expected))


def test_lines_and_great_circles_run_from_code_to_code():
    seen = []

    def recorded(z):
        seen.append(np.asarray(z).reshape(5, 12, 4))
        return make(z)

    picture = strips(LINEAR, recorded)
    straight, circles = seen
    for path in seen:
        np.testing.assert_allclose(path[:, 0], CODES[:5], atol=1e-5)
        np.testing.assert_allclose(path[:, -1], CODES[5:10], atol=1e-5)
    steps = np.diff(straight, axis=1)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), atol=1e-5)

    # Great circles turn by equal angles while lengths change evenly.
    lengths = np.linalg.norm(circles, axis=-1)
    np.testing.assert_allclose(np.diff(lengths, n=2, axis=1), 0, atol=1e-5)
    unit = circles / lengths[..., None]
    cosines = (unit[:, 1:] * unit[:, :-1]).sum(-1)
    whole = np.arccos((unit[:, 0] * unit[:, -1]).sum(-1))
    np.testing.assert_allclose(cosines, np.cos(whole / 11)[:, None] * np.ones(11), atol=1e-5)

    expected = beside(*(pixels(z.reshape(60, 4)) for z in seen), labels=["straight lines", "great circles"], columns=12)
    assert set(picture) == {"interpolation"}
    assert_same_canvas(picture["interpolation"], expected)


def test_sweeps_change_the_category_or_one_code_and_nothing_else():
    z = np.random.default_rng(2).normal(size=(6, 3 + 4 + 2)).astype(np.float32)  # noise, categories, codes
    found = sweeps(z, 4, 2)
    assert set(found) == {"categories", "code 1", "code 2"}
    assert found["categories"].shape == (6, 4, 9)
    for row, noise in enumerate(z):
        for category, swept in enumerate(found["categories"][row]):
            np.testing.assert_array_equal(swept, [*noise[:3], *np.eye(4)[category], *noise[7:]])
    for number in (0, 1):
        swept = found[f"code {number + 1}"]
        assert swept.shape == (4, 10, 9)
        for category in range(4):
            for column, value in enumerate(np.linspace(-2, 2, 10)):
                codes = np.where(np.arange(2) == number, value, 0)
                np.testing.assert_allclose(swept[category, column], [*z[0, :3], *np.eye(4)[category], *codes])
