"""Tables of models: what each layer makes of an input, how far it sees, and what it costs."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from pyconv import arithmetic

Shape = tuple[int, ...]
#: What a result sees: the windows of the layers so far, or None where it sees all of the input.
Windows = list[dict[str, Any]] | None


class Row(NamedTuple):
    """One layer of a `Summary`."""

    name: str
    kind: str
    output_shape: Shape
    #: Samples of the input along each axis that a result depends on; None for all.
    receptive_field: int | Shape | None
    parameters: int
    #: Additions, products and comparisons for the whole batch.
    flops: int
    #: Bytes of the result and of the weights.
    memory: int


class Summary:
    """The table of a model's layers for one shape of input.

    Attributes
    ----------
    input_shape : tuple of int
        The shape that it is for.
    rows : list of Row
        A row for each layer: name, kind, output_shape, receptive_field, parameters, flops, memory.
    """

    def __init__(self, input_shape: Shape, rows: list[Row]) -> None:
        self.input_shape = input_shape
        self.rows = rows

    @property
    def parameters(self) -> int:
        """The number of weights of all layers."""
        return sum(row.parameters for row in self.rows)

    @property
    def flops(self) -> int:
        """The operations of all layers."""
        return sum(row.flops for row in self.rows)

    @property
    def memory(self) -> int:
        """The bytes of all results, which training keeps, and of all weights."""
        return sum(row.memory for row in self.rows)

    def __repr__(self) -> str:
        """Return the table."""
        head = ("layer", "output shape", "sees", "parameters", "flops", "bytes")
        lines: list[tuple[str, ...]] = [
            head,
            ("input", " × ".join(map(str, self.input_shape)), "", "", "", ""),
        ]
        for row in self.rows:
            words = f"{row.name} {row.kind}".strip(), " × ".join(map(str, row.output_shape))
            lines.append((*words, _field(row.receptive_field), *map(_grouped, row[4:])))
        totals = map(_grouped, (self.parameters, self.flops, self.memory))
        lines.append(("all", "", "", *totals))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        rule = "─" * max(map(len, texts))
        return "\n".join([texts[0], rule, *texts[1:-1], rule, texts[-1]])


def _grouped(number: int) -> str:
    return f"{number:,}"


def _field(field: int | Shape | None) -> str:
    if field is None:
        return "all"
    axes = (field,) if isinstance(field, int) else field
    return str(axes[0]) if len(set(axes)) == 1 else " × ".join(map(str, axes))


class Described(NamedTuple):
    """The rows of a layer, and what it hands on: the shape of its result, and what that sees."""

    rows: list[Row]
    shape: Shape
    windows: Windows


def summary(model: Any, input_shape: Shape) -> Summary:
    """Return the table of a model."""
    shape = tuple(input_shape)
    itemsize = max((p.dtype.itemsize for p in model.parameters()), default=4)
    return Summary(shape, model.describe("", shape, [], itemsize).rows)


def describe(layer: Any, name: str, shape: Shape, windows: Windows, itemsize: int) -> Described:
    """Return the row of a layer that is not made of others."""
    try:
        made, flops = layer.output_shape(shape), layer.flops(shape)
    except ValueError as error:
        raise ValueError(f"layer {name or type(layer).__name__}: {error}") from error
    except NotImplementedError as error:
        raise NotImplementedError(f"layer {name or type(layer).__name__}: {error}") from error
    own, count = layer.window(), layer.parameter_count
    windows = None if windows is None or own is None else [*windows, own]
    field = None if windows is None else arithmetic.receptive_field(windows)
    memory = itemsize * (math.prod(made) + count)
    row = Row(name, type(layer).__name__, made, field, count, flops, memory)
    return Described([row], made, windows)
