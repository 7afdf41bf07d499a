"""Real data inside the wheels of scikit-learn and scikit-image: nothing is downloaded.

The files are opened where the wheels lay them, never through the packages' fetchers, which would try the
network for a file they lack.
"""

import numpy as np

from jaxgen.data.dataset import Dataset
from jaxgen.data.installed import inside
from jaxgen.data.split import split_indices, stratified_indices, take

PATCH = 32
# By photograph, so that no part has seen another's picture. The stereo pair's other half is left out.
PHOTOGRAPHS = {
    "train": ("skimage/astronaut.png", "skimage/chelsea.png", "skimage/coffee.png", "skimage/motorcycle_left.png"),
    "validation": ("skimage/rocket.jpg", "sklearn/flower.jpg"),
    "test": ("sklearn/china.jpg",),
}
PATCHES = {"train": 8000, "validation": 1000, "test": 1000}


def digits() -> Dataset:
    """Handwritten digits of scikit-learn: 1,797 images 8x8x1 with 17 intensities, ten classes."""
    rows = np.loadtxt(inside("sklearn", "datasets/data/digits.csv.gz"), delimiter=",")
    arrays = {
        "image": rows[:, :-1].reshape(-1, 8, 8, 1).astype(np.uint8),
        "label": rows[:, -1].astype(np.int32),
    }
    return Dataset(
        name="digits",
        **take(arrays, stratified_indices(arrays["label"])),
        source="scikit-learn's optical digits (UCI, Alpaydin and Kaynak 1998), split 80/10/10 within classes, seed 0",
        levels=17,
        classes=tuple(str(k) for k in range(10)),
    )


def photos() -> Dataset:
    """Patches 32x32x3 of colour photographs, the parts cut from different photographs; no labels."""
    parts = {}
    for number, (part, files) in enumerate(PHOTOGRAPHS.items()):
        random = np.random.RandomState(number)
        per_file = PATCHES[part] // len(files)
        parts[part] = {"image": np.concatenate([_patches(random, _photograph(file), per_file) for file in files])}
    return Dataset(
        name="photos",
        **parts,
        source="32x32 patches of photographs in scikit-image and scikit-learn, the parts from different photographs: "
        + "; ".join(f"{part} {', '.join(_stem(f) for f in files)}" for part, files in PHOTOGRAPHS.items()),
        levels=256,
    )


def faces() -> Dataset:
    """100 faces 25x25x1 of Labeled Faces in the Wild, as scikit-image ships them; no labels."""
    image = np.load(inside("skimage", "data/lfw_subset.npy"), allow_pickle=False)
    image = image[:100]  # the other hundred are not faces
    image = np.round(255 * image).astype(np.uint8)[..., None]
    return Dataset(
        name="faces",
        **take({"image": image}, split_indices(len(image))),
        source="scikit-image's 100 faces of Labeled Faces in the Wild (Huang et al. 2007), split 80/10/10, seed 0",
        levels=256,
    )


def _photograph(file: str) -> np.ndarray:
    from PIL import Image

    package, _, name = file.partition("/")
    folder = {"skimage": "data", "sklearn": "datasets/images"}[package]
    with Image.open(inside(package, f"{folder}/{name}")) as image:
        return np.asarray(image.convert("RGB"))


def _patches(random: np.random.RandomState, photograph: np.ndarray, n: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(photograph, (PATCH, PATCH), axis=(0, 1))
    rows = random.randint(0, windows.shape[0], n)
    columns = random.randint(0, windows.shape[1], n)
    return np.ascontiguousarray(windows[rows, columns].transpose(0, 2, 3, 1))


def _stem(file: str) -> str:
    return file.partition("/")[2].partition(".")[0]
