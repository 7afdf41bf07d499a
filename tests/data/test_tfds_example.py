"""Serialised Examples: what is written is what is read, and a torn one is refused."""

import struct

import pytest

from jaxgen.data.tfds_example import first_values


def varint(value):
    value, out = value % 2**64, []
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(**features):
    """Serialised as TensorFlow does: a feature is a list of bytes, of integers or of floats."""
    entries = b""
    for name, values in features.items():
        if values and isinstance(values[0], bytes):
            listed = field(1, b"".join(field(1, value) for value in values))
        elif values and isinstance(values[0], float):
            listed = field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
        else:
            listed = field(3, field(1, b"".join(map(varint, values))) if values else b"")
        entries += field(1, field(1, name.encode()) + field(2, listed))
    return field(1, entries)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1, -(2**63)])
def test_integers_come_back(value):
    assert first_values(example(label=[value, 5])) == {"label": value}


@pytest.mark.parametrize("length", [0, 1, 127, 128, 20_000])
def test_bytes_of_any_length_come_back_beside_others(length):
    image = bytes(i % 251 for i in range(length))
    record = example(image=[image, b"second"], weight=[0.5], empty=[], label=[7])
    assert first_values(record) == {"image": image, "label": 7}


def test_a_record_cut_anywhere_or_of_another_form_is_refused():
    record = example(image=[b"picture"], label=[300])
    for length in range(1, len(record)):
        with pytest.raises(ValueError, match=f"tf.train.Example, got {length} bytes"):
            first_values(record[:length])
    with pytest.raises(ValueError, match=r"expected a tf\.train\.Example"):
        first_values(b"\x89PNG\r\n\x1a\n")
