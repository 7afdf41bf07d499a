import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models.vgg import layer_places, normalise, vgg_features

WIDTH = 2
IMAGE = jax.random.uniform(jax.random.key(0), (2, 34, 37, 3))


def weights(depth=16, seed=0):
    random, arrays, inputs = np.random.RandomState(seed), {}, 3
    for name, place in layer_places(depth).items():
        outputs = WIDTH * (1, 2, 4, 8, 8)[int(name[4]) - 1]
        scale = np.sqrt(2 / (9 * inputs))
        arrays[f"features.{place}.weight"] = (scale * random.randn(outputs, inputs, 3, 3)).astype(np.float32)
        arrays[f"features.{place}.bias"] = random.randn(outputs).astype(np.float32) / 10
        inputs = outputs
    return arrays


def saved(path, arrays):
    np.savez(path / "vgg.npz", **arrays)
    return path / "vgg.npz"


def by_lax(arrays, depth, image):
    """All maps by JAX's own convolution and pooling, in torch's order of dimensions."""
    mean, deviation = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).reshape(2, 1, 1, 1, 3)
    x = jnp.moveaxis(jnp.asarray((image - mean) / deviation, jnp.float32), -1, 1)
    maps = {}
    for name, place in layer_places(depth).items():
        if name.endswith("_1") and name != "relu1_1":
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        kernel, bias = arrays[f"features.{place}.weight"], arrays[f"features.{place}.bias"]
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), [(1, 1), (1, 1)], dimension_numbers=("NCHW", "OIHW", "NCHW")
        )
        x = jnp.maximum(x + bias.reshape(1, -1, 1, 1), 0)
        maps[name] = jnp.moveaxis(x, 1, -1)
    return maps


@pytest.mark.parametrize("depth", [pytest.param(16, marks=pytest.mark.slow), 19])
def test_every_layer_equals_convolutions_and_poolings_in_torchs_order(depth, tmp_path):
    arrays = weights(depth)
    layers = tuple(layer_places(depth))
    found = vgg_features(saved(tmp_path, arrays), layers, width=WIDTH)(IMAGE)
    expected = jax.jit(partial(by_lax, arrays, depth))(IMAGE)
    for name, one in zip(layers, found, strict=True):
        np.testing.assert_allclose(one, expected[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_layers_are_where_torchvision_has_them():
    assert tuple(layer_places(16).values()) == (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    assert tuple(layer_places(19).values()) == (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
    assert layer_places(19)["relu4_2"] == 21


def test_layers_come_in_the_order_asked_for_and_have_gradients(tmp_path):
    apply = vgg_features(saved(tmp_path, weights()), ("relu2_2", "relu1_1"), width=WIDTH)
    deep, shallow = jax.jit(apply)(IMAGE)
    assert deep.shape == (2, 17, 18, 4) and shallow.shape == (2, 34, 37, 2)
    assert (jax.jit(jax.grad(lambda x: apply(x)[0].sum()))(IMAGE) != 0).mean() > 0.5


def test_grey_images_are_three_equal_channels(tmp_path):
    apply = vgg_features(saved(tmp_path, weights()), ("relu1_2",), width=WIDTH)
    grey = IMAGE[..., :1]
    np.testing.assert_array_equal(apply(grey)[0], apply(jnp.repeat(grey, 3, axis=-1))[0])
    np.testing.assert_allclose(normalise(jnp.array([0.485, 0.456, 0.406]).reshape(1, 1, 1, 3)), 0, atol=1e-6)


def test_the_head_of_a_full_file_is_left_out(tmp_path):
    arrays = weights() | {"classifier.6.weight": np.zeros((10, 5), np.float32), "classifier.6.bias": np.zeros(10)}
    assert len(vgg_features(saved(tmp_path, arrays), width=WIDTH)(IMAGE)) == 3


def changed(**arrays):
    return {name: array for name, array in (weights() | arrays).items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (changed(**{"features.5.bias": None}), "1 are missing: features.5.bias"),
        (changed(extra=np.zeros(1)), "1 are unknown: extra"),
        (
            changed(**{"features.0.weight": np.zeros((3, 3, 3, 2), np.float32)}),
            r"features.0.weight to be floats \[2, 3, 3, 3\], got float32 \[3, 3, 3, 2\]",
        ),
        (changed(**{"features.0.bias": np.zeros(2, int)}), r"floats \[2\], got int64 \[2\]"),
        (changed(**{"features.0.bias": np.full(2, np.nan)}), "finite numbers in features.0.bias"),
        (changed(**{"features.0.bias": np.array([{}, {}])}), "expected plain arrays as numpy.savez writes them"),
    ],
)
def test_files_that_are_not_its_weights_are_refused_in_one_line(arrays, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        vgg_features(saved(tmp_path, arrays), width=WIDTH)
    assert "\n" not in str(caught.value)


def test_other_files_layers_and_images_are_refused(tmp_path):
    path = saved(tmp_path, weights())
    with pytest.raises(ValueError, match=r"expected layers of relu1_1, .*relu5_3, got \['relu5_4'\]"):
        vgg_features(path, ("relu1_1", "relu5_4"), width=WIDTH)
    with pytest.raises(ValueError, match="got none"):
        vgg_features(path, (), width=WIDTH)
    with pytest.raises(ValueError, match=re.escape("C of 1 or 3, got shape (1, 8, 8, 2)")):
        vgg_features(path, width=WIDTH)(jnp.zeros((1, 8, 8, 2)))
    with pytest.raises(ValueError, match="halved this often, got a map of 1 x 1"):
        vgg_features(path, ("relu5_1",), width=WIDTH)(jnp.zeros((1, 8, 8, 3)))
    with pytest.raises(ValueError, match="expected a file, got nothing"):
        vgg_features(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="expected a file, got a folder"):
        vgg_features(tmp_path)
    for name, message in (("a.pth", "pickles are never opened"), ("a.npz", "no zip archive")):
        (tmp_path / name).write_bytes(b"\x80\x04K\x01.")
        with pytest.raises(ValueError, match=message):
            vgg_features(tmp_path / name)


def test_a_safetensors_file_gives_the_same_or_names_the_extra(tmp_path):
    path = tmp_path / "vgg.safetensors"
    try:
        from safetensors.numpy import save_file
    except ImportError:
        path.write_bytes(b"")
        with pytest.raises(ValueError, match=re.escape("jaxgen[vgg]")):
            vgg_features(path, width=WIDTH)
        return
    save_file(weights(), path)
    for one, other in zip(
        vgg_features(path, width=WIDTH)(IMAGE),
        vgg_features(saved(tmp_path, weights()), width=WIDTH)(IMAGE),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    path.write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="expected a safetensors file"):
        vgg_features(path, width=WIDTH)
