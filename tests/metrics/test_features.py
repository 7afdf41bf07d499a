import jax
import numpy as np
import pytest

from jaxgen.metrics.features import PIXELS, Features, find_features

IMAGES = np.random.default_rng(0).random((7, 4, 3, 2)).astype(np.float32)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_pixels_are_the_images_flat(batch_size):
    np.testing.assert_array_equal(PIXELS.of(IMAGES, batch_size=batch_size), IMAGES.reshape(7, 24))


def test_maps_become_flat_rows_in_order():
    mean = Features("mean", jax.jit(lambda image: image.mean((1, 2), keepdims=True)))
    np.testing.assert_allclose(mean.of(IMAGES, batch_size=2), IMAGES.mean((1, 2)), rtol=1e-6)


def test_a_function_of_a_module_is_found(tmp_path, monkeypatch):
    (tmp_path / "own_features.py").write_text(
        "def brightness(image):\n    return image.mean((1, 2, 3))[:, None]\n\nx = 3\n"
    )
    (tmp_path / "broken_features.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = find_features("own_features:brightness")
    assert found.name == "own_features:brightness"
    np.testing.assert_allclose(found.of(IMAGES)[:, 0], IMAGES.mean((1, 2, 3)), rtol=1e-6)
    with pytest.raises(ValueError, match="module 'own_features' has no 'other'"):
        find_features("own_features:other")
    with pytest.raises(ValueError, match="expected a function, 'own_features:x' is of type int"):
        find_features("own_features:x")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        find_features("broken_features:f")


@pytest.mark.parametrize("path", ["pixels", ":f", "module:", ""])
def test_a_path_without_module_and_function_is_refused(path):
    with pytest.raises(ValueError, match=f"expected module:function, got '{path}'"):
        find_features(path)


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no module 'surely_not_here'"):
        find_features("surely_not_here.deep:f")
