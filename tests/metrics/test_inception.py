"""The Inception network read from a file: what it is given, and what is refused."""

import numpy as np
import pytest

from jaxgen.metrics.features import Features
from jaxgen.metrics.inception import Inception

torch = pytest.importorskip("torch", reason="the Inception network needs PyTorch: pip install 'jaxgen[inception]'")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # these files are of that time


class Stand(torch.nn.Module):
    """In the place of the network: mean bytes of each channel, or shares of the red ones in halves of the image."""

    def forward(self, img, return_features: bool = False, use_fp16: bool = False, no_output_bias: bool = False):
        img = img.to(torch.float32)
        if return_features:
            return img.mean(dim=[2, 3])
        if not no_output_bias:
            return img
        halves = torch.stack(
            [img[:, 0, :, : img.shape[3] // 2].mean([1, 2]), img[:, 0, :, img.shape[3] // 2 :].mean([1, 2])]
        )
        return (halves / halves.sum(0)).T


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "stand.pt"
    torch.jit.script(Stand()).save(str(path))
    return path


def test_images_arrive_as_bytes_with_channels_first(file):
    images = np.random.default_rng(0).uniform(size=(5, 4, 6, 3)).astype(np.float32)
    network = Inception(file)
    np.testing.assert_allclose(network.features(images), np.round(255 * images).mean((1, 2)), rtol=1e-5)
    red = np.round(255 * images[..., 0])
    left, right = red[:, :, :3].mean((1, 2)), red[:, :, 3:].mean((1, 2))
    np.testing.assert_allclose(network.probabilities(images)[:, 0], left / (left + right), rtol=1e-5)


def test_grey_images_count_as_three_equal_channels(file):
    grey = np.random.default_rng(0).uniform(size=(2, 4, 4, 1)).astype(np.float32)
    network = Inception(file)
    np.testing.assert_array_equal(network.features(grey), network.features(np.repeat(grey, 3, axis=-1)))


def test_numbers_beyond_black_and_white_are_cut(file):
    images = np.stack([np.full((4, 4, 3), value, np.float32) for value in (-0.5, 1.5)])
    np.testing.assert_array_equal(Inception(file).features(images), [[0, 0, 0], [255, 255, 255]])


def test_it_serves_as_features(file):
    images = np.random.default_rng(0).uniform(size=(7, 4, 4, 3)).astype(np.float32)
    network = Inception(file)
    found = Features("inception", network.features).of(images, batch_size=3)
    np.testing.assert_allclose(found, network.features(images), rtol=1e-6)


def test_what_is_no_such_network_is_refused(file, tmp_path):
    with pytest.raises(ValueError, match=r"no file .*missing.pt"):
        Inception(tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("weights")
    with pytest.raises(ValueError, match=r"text\.pt is no TorchScript file"):
        Inception(tmp_path / "text.pt")
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "linear.pt"))
    with pytest.raises(
        ValueError, match=r"expected a network with return_features, no_output_bias, .* takes \['input'\]"
    ):
        Inception(tmp_path / "linear.pt")
    with pytest.raises(ValueError, match=r"1 or 3 channels, got \(2, 4, 4, 2\)"):
        Inception(file).features(np.zeros((2, 4, 4, 2)))
