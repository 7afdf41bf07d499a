"""Random access to a prepared TFDS set, without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgen.data.picture import decode
from jaxgen.data.tfds_example import first_values
from jaxgen.data.tfds_prepared import INSTALL, import_tfds

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's names by number of channels


class Source:
    """The images, and the labels if any, of one split of a prepared set.

    Rows are decoded when they are asked for, so a set larger than the memory can be streamed. Records
    are parsed and pictures decoded here, in a third of TFDS's time; any number of threads may read at once.

    Args:
      folder: of the prepared set, as `tfds_prepared.find` returns it.
      split: of the set, "train" for one; TFDS's slices, "train[:10%]", work too.

    Raises:
      ValueError: for an unknown split, a set without one image feature, or a form that needs TensorFlow.
    """

    def __init__(self, folder: Path, split: str):
        tfds = import_tfds(folder.parent.name)
        self.name = f"{folder.parent.name} {folder.name}"
        builder = tfds.builder_from_directory(folder)
        self.image_key, self.label_key = _keys(tfds, self.name, builder.info.features)
        self._records = _records(tfds, self.name, builder, split)
        self.splits = tuple(builder.info.splits)
        self.classes = tuple(builder.info.features[self.label_key].names) if self.label_key else None
        height, width, channels = builder.info.features[self.image_key].shape
        self.channels = channels or 3
        self.size = (height, width) if height and width else None  # None: as the first image turns out

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """One row: ``image`` uint8 [H, W, C] and ``label`` int32 []."""
        return {key: array[0] for key, array in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> dict[str, np.ndarray]:
        """Several rows at once, far faster than one by one: ``image`` [N, H, W, C] and ``label`` [N].

        Raises:
          ValueError: when their images differ in size or are not of 8 bits.
        """
        indices = [int(i) for i in indices]
        rows = [self._parse(i, record) for i, record in zip(indices, self._records.__getitems__(indices), strict=True)]
        arrays = {"image": self._decode(indices, [row[self.image_key] for row in rows])}
        if self.label_key:
            arrays["label"] = np.array([row[self.label_key] for row in rows], np.int32)
        return arrays

    def _parse(self, index: int, record: bytes) -> dict[str, bytes | int]:
        try:
            values = first_values(record)
        except ValueError as error:
            raise ValueError(f"{self.name}, row {index}: {error}") from error
        for key in (self.image_key, self.label_key):
            if key and key not in values:
                raise ValueError(f"{self.name}, row {index}: expected the feature {key}, got {sorted(values)}")
        return values

    def _decode(self, indices: Sequence[int], encoded: Sequence[bytes]) -> np.ndarray:
        images, mode = None, MODES[self.channels]
        for i, data in enumerate(encoded):
            try:
                image = decode(data, mode)
            except ValueError as error:
                raise ValueError(f"{self.name}, row {indices[i]}: {error}") from error
            if images is None:
                images = np.empty((len(encoded), *(self.size or image.shape[:2]), self.channels), np.uint8)
            if image.shape[:2] != images.shape[1:3]:
                raise ValueError(
                    f"{self.name}: expected images of one size, got {images.shape[1:3]} and {image.shape[:2]}; "
                    "resize them into a folder and use folder:PATH"
                )
            images[i] = image
        return images


def _keys(tfds, name: str, features) -> tuple[str, str | None]:
    """The names of the image feature and of the label feature, the latter None where absent."""

    def only(kind: type, usual: str) -> str | None:
        found = [key for key in features if isinstance(features[key], kind)]
        return usual if usual in found else found[0] if len(found) == 1 else None

    image = only(tfds.features.Image, "image")
    if image is None:
        raise ValueError(f"{name}: expected one image feature, got the features {sorted(features)}")
    if features[image].np_dtype != np.uint8:
        raise ValueError(f"{name}: expected uint8 images, got {np.dtype(features[image].np_dtype)}")
    return image, only(tfds.features.ClassLabel, "label")


def _records(tfds, name: str, builder, split: str):
    if split.partition("[")[0] not in builder.info.splits:
        raise ValueError(f"{name}: expected a split of {sorted(builder.info.splits)}, got {split!r}")
    try:
        return builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    except NotImplementedError as error:
        kind = builder.info.file_format.value
        raise ValueError(
            f"{name}: expected a set prepared in array_record form, got {kind}, which needs TensorFlow to read; "
            "prepare it anew with --file_format=array_record"
        ) from error
    except ImportError as error:
        raise ValueError(f"{name}: reading it needs {error.name or error}: {INSTALL}") from error
