import numpy as np
import pytest

from jaxgen.metrics.probe import linear_probe

RNG = np.random.default_rng(0)
LABEL = np.repeat(np.arange(3), 40)
CODES = np.eye(3)[LABEL] + 0.05 * RNG.normal(size=(120, 3))


def test_separable_classes_are_read_without_error():
    assert linear_probe(CODES[::2], LABEL[::2], CODES[1::2], LABEL[1::2]) == 1.0


def test_noise_is_read_by_chance():
    codes = RNG.normal(size=(3000, 2))
    label = RNG.integers(0, 4, 3000)
    assert abs(linear_probe(codes[:1500], label[:1500], codes[1500:], label[1500:]) - 0.25) < 0.05


def test_the_xor_of_two_signs_is_not_linear():
    codes = np.tile([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], (100, 1))
    label = (codes[:, 0] * codes[:, 1] > 0).astype(int)
    probe = linear_probe(codes[:200], label[:200], codes[200:], label[200:])
    product = np.concatenate([codes, codes[:, :1] * codes[:, 1:]], axis=1)
    assert probe <= 0.75  # a line has at most three of the four corners right
    assert linear_probe(product[:200], label[:200], product[200:], label[200:]) == 1.0


def test_scale_shift_and_shape_of_codes_do_not_matter():
    noisy = CODES + 0.5 * RNG.normal(size=(120, 3))
    one = linear_probe(noisy[::2], LABEL[::2], noisy[1::2], LABEL[1::2])
    other = (1e3 * noisy + 7).reshape(120, 3, 1)
    assert one == linear_probe(other[::2], LABEL[::2], other[1::2], LABEL[1::2])


def test_a_dead_code_is_no_obstacle():
    assert (
        linear_probe(np.zeros((6, 2)), np.array([0, 0, 0, 0, 1, 1]), np.zeros((4, 2)), np.array([0, 0, 0, 1])) == 0.75
    )


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="one label a code"):
        linear_probe(CODES, LABEL[1:], CODES, LABEL)
    with pytest.raises(ValueError, match="codes of one size"):
        linear_probe(CODES, LABEL, CODES[:, :2], LABEL)
    with pytest.raises(ValueError, match="expected finite codes"):
        linear_probe(CODES * np.nan, LABEL, CODES, LABEL)
    with pytest.raises(ValueError, match="at least two classes in training, got 1"):
        linear_probe(CODES, 0 * LABEL, CODES, LABEL)
