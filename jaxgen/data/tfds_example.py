"""The features of a serialised ``tf.train.Example``, read without TensorFlow.

The message is ``Example{1: Features{1: repeated {1: name, 2: Feature}}}``, a Feature one of ``{1: BytesList,
2: FloatList, 3: Int64List}``, each of these ``{1: values}`` with packed numbers. TFDS's own parser takes four
times as long, most of it to make arrays of single values.
"""

from collections.abc import Iterator

BYTES, INT64 = 1, 3


def first_values(record: bytes) -> dict[str, bytes | int]:
    """The first value of each feature of bytes or of integers; others, and empty ones, are left out.

    Raises:
      ValueError: when the record is no Example.
    """
    values: dict[str, bytes | int] = {}
    try:
        for _, *features in _fields(record, 0, len(record)):
            for _, *entry in _fields(record, *features):
                (_, *name), (_, *feature) = _fields(record, *entry)
                for kind, *listed in _fields(record, *feature):
                    for _, start, stop in _fields(record, *listed) if kind in (BYTES, INT64) else ():
                        value = record[start:stop] if kind == BYTES else _varint(record, start)[0]
                        values.setdefault(str(record[slice(*name)], "utf-8"), value)
    except (IndexError, ValueError) as error:
        raise ValueError(f"expected a tf.train.Example, got {len(record)} bytes of another form") from error
    return values


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field of a message whose fields all have a length."""
    while at < end:
        tag, at = _varint(data, at)
        length, at = _varint(data, at)
        if tag & 7 != 2 or at + length > end:
            raise ValueError
        yield tag >> 3, at, at + length
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, lowest first, and where it ends; 64 bits in two's complement."""
    value, shift = data[at], 7
    at += 1
    if value < 128:
        return value, at
    value &= 127
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value - 2**64 if value >= 2**63 else value, at
        shift += 7
