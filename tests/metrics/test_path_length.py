import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.metrics.path_length import interpolate, path_length

RANDOM = np.random.default_rng(0)
A = RANDOM.normal(size=(3, 5))
START, END, T = RANDOM.normal(size=(7, 3)), RANDOM.normal(size=(7, 3)), RANDOM.random(7)


def linear(z):
    return z @ A


def same(x):
    return x


@pytest.mark.parametrize("epsilon", [1e-4, 1e-2])
@pytest.mark.parametrize("batch_size", [3, 100])
def test_a_linear_generator_has_the_squared_length_of_its_step(epsilon, batch_size):
    found = path_length(linear, same, START, END, T, epsilon=epsilon, batch_size=batch_size)
    truth = (((START - END) @ A) ** 2).sum(1)
    assert found.mean == pytest.approx(truth.mean(), rel=1e-10)
    assert found.error == pytest.approx(truth.std(ddof=1) / np.sqrt(7), rel=1e-10)
    assert found[2:] == (7, epsilon, "lerp")


def test_features_count_not_images():
    weights = np.arange(1.0, 6.0)
    found = path_length(linear, lambda x: (x * weights).reshape(-1, 5, 1), START, END, T)
    assert found.mean == pytest.approx(((((START - END) @ A) * weights) ** 2).sum(1).mean(), rel=1e-10)


def test_a_curve_is_measured_where_t_says():
    """f(z) = z^2 in one dimension has the squared speed (2 z (end - start))^2 in the limit."""
    start, end, t = np.zeros((2, 1)), np.full((2, 1), 3.0), np.array([0.25, 0.75])
    found = path_length(np.square, same, start, end, t, epsilon=1e-6)
    assert found.mean == pytest.approx(np.mean((2 * 9 * t) ** 2), rel=1e-5)
    at_ends = path_length(np.square, same, start, end, np.array([0.0, 1.0]), epsilon=1e-6)
    assert at_ends.mean == pytest.approx((2 * 9) ** 2 / 2, rel=1e-5)


def test_a_great_arc_has_the_chord_of_its_angle():
    angle, epsilon = np.array([0.5, 1.0, 3.0]), 1e-2
    start = np.tile([2.0, 0.0], (3, 1))
    end = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = path_length(same, same, start, end, np.array([0.0, 0.4, 1.0]), path="slerp", epsilon=epsilon)
    assert found.mean == pytest.approx(np.mean((4 * np.sin(angle * epsilon / 2) / epsilon) ** 2), rel=1e-9)


def test_slerp_keeps_to_the_sphere_and_both_paths_meet_their_ends():
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (START, END)]
    np.testing.assert_allclose(np.linalg.norm(interpolate(*unit, T, path="slerp"), axis=1), 1, rtol=1e-12)
    for path in ("lerp", "slerp"):
        np.testing.assert_allclose(interpolate(START, END, np.zeros(7), path=path), START, atol=1e-12)
        np.testing.assert_allclose(interpolate(START, END, np.ones(7), path=path), END, atol=1e-12)


@pytest.mark.parametrize("angle", [1e-5, 1e-3, 0.09, 1.0, 3.1415])
def test_slerp_is_a_rotation_in_the_plane_at_every_angle(angle):
    turned = np.array([np.cos(0.3 * angle), np.sin(0.3 * angle)])
    found = interpolate([[1.0, 0.0]], [[np.cos(angle), np.sin(angle)]], [0.3], path="slerp")
    np.testing.assert_allclose(found[0], turned, rtol=1e-11)


def test_slerp_of_parallel_latents_is_lerp_also_just_beside_them():
    for beside in (0.0, 1e-12, 1e-5):
        end = 2 * START + beside
        np.testing.assert_allclose(
            interpolate(START, end, T, path="slerp"), interpolate(START, end, T, path="lerp"), rtol=1e-7
        )


def test_compiled_float32_networks_agree():
    a = jnp.asarray(A, jnp.float32)
    found = path_length(jax.jit(lambda z: z @ a), jax.jit(same), START, END, T, epsilon=1e-2)
    assert found.mean == pytest.approx((((START - END) @ A) ** 2).sum(1).mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("start", "end", "t", "options", "message"),
    [
        (START, END[:5], T, {}, r"got \(7, 3\), \(5, 3\), \(7,\)"),
        (START[:1], END[:1], T[:1], {}, "N >= 2"),
        (START, END, T[:, None], {}, r"\(7, 1\)"),
        (START, END, T + 1, {}, r"t in \[0, 1\], got 1\."),
        (START, END, T, {"epsilon": 0.0}, "epsilon in \\(0, 1\\), got 0.0"),
        (START, END, T, {"path": "curve"}, "lerp or slerp, got 'curve'"),
        (START, -2 * START, T, {"path": "slerp"}, "opposite latents"),
        (START, 0 * START, T, {"path": "slerp"}, "a length above 0"),
    ],
)
def test_what_is_no_path_is_refused(start, end, t, options, message):
    with pytest.raises(ValueError, match=message):
        path_length(linear, same, start, end, t, **options)
