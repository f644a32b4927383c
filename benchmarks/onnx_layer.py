"""A layer in ONNX's format, whose field numbers are https://onnx.ai/onnx/repo-docs/IR.html's.

Written by hand, so that a comparison does not need the onnx package.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.layer_cases import Layer


def _varint(value: int) -> bytes:
    groups = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([g | 128 for g in groups[:-1]] + groups[-1:])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _message(*fields: tuple[int, int | str | bytes]) -> bytes:
    return b"".join(_field(number, value) for number, value in fields)


def _attribute(name: str, values: Sequence[int]) -> bytes:
    return _message((1, name), *((8, v) for v in values), (20, 7))


def _tensor(name: str, a: np.ndarray) -> bytes:
    raw = a.astype("<f4").tobytes()
    return _message(*((1, n) for n in a.shape), (2, 1), (8, name), (9, raw))


def _value(name: str, shape: Sequence[int]) -> bytes:
    dimensions = _message(*((1, _message((1, n))) for n in shape))
    return _message((1, name), (2, _message((1, _message((1, 1), (2, dimensions))))))


def onnx_model(layer: Layer, w: np.ndarray, b: np.ndarray) -> bytes:
    """Return a float32 layer as a model of one Conv node, weights inside."""
    group = _message((1, "group"), (3, layer.groups), (20, 2))
    node = _message(
        *((1, name) for name in "xwb"),
        (2, "y"),
        (4, "Conv"),
        (5, _attribute("strides", (layer.stride,) * layer.ndim)),
        (5, _attribute("pads", (layer.padding,) * 2 * layer.ndim)),
        (5, group),
    )
    graph = _message(
        (1, node),
        (2, "layer"),
        (5, _tensor("w", w)),
        (5, _tensor("b", b)),
        (11, _value("x", layer.x_shape)),
        (12, _value("y", layer.y_shape)),
    )
    return _message((1, 8), (7, graph), (8, _message((1, ""), (2, 17))))
