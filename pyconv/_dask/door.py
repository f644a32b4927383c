"""The door of every public function: whether its array is one of dask's, or is only planned for.

dask is never imported here. An array of its own exists only where it has been.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from pyconv._pieces.plan import PiecePlan, Source

#: Makes the plan of a call on an array of a shape and a dtype.
Planned = Callable[[Source], PiecePlan]


#: The kinds of calls → what makes them of pieces: a module, which is imported for the first such
#: call, and a function of it. Where a call's arguments are normalised its kind is asked for here.
KINDS = {
    "correlate": ("pyconv._calls.correlation_pieces", "correlate_pieces"),
    "coverage": ("pyconv._calls.correlation_pieces", "coverage_pieces"),
    "filter": ("pyconv._calls.filter_pieces", "filter_pieces"),
    "ndimage": ("pyconv.ndimage._pieces", "filter_pieces"),
    "layer": ("pyconv.nn._functions.pieces", "layer_pieces"),
    "line": ("pyconv.signal._line_pieces", "line_pieces"),
    "signal": ("pyconv.signal._pieces", "convolve_pieces"),
}


def in_pieces(kind: str, *arguments: Any) -> Any:
    """Return the plan, or the dask array, of a call of one of the `KINDS`."""
    module, name = KINDS[kind]
    return getattr(importlib.import_module(module), name)(*arguments)


def is_chunked(x: object) -> bool:
    """Return whether an argument is an array of dask's."""
    dask_array = sys.modules.get("dask.array")
    return dask_array is not None and isinstance(x, getattr(dask_array, "Array", ()))


def is_planned(x: object, mask: object = None) -> bool:
    """Return whether a call is not to be run here: it is made of chunks, or only planned."""
    return type(x) is Source or is_chunked(x) or is_chunked(mask)


def answered(
    planned: Planned,
    x: Any,
    *,
    mask: Any = None,
    out: object = None,
    workers: int | None = None,
    argument: str = "x",
    others: tuple[tuple[str, object], ...] = (),
) -> Any:
    """Return the plan of a call on a `Source`, or the dask array of a call on dask arrays.

    Raises
    ------
    TypeError
        For ``out``, which lazy results have no use for, and for ``others``, arguments by name,
        that are dask arrays: their values decide how the call is cut.
    """
    if out is not None:
        raise TypeError(
            f"out={type(out).__name__}: a dask array is made when it is computed; leave out= out, "
            "and write the result with dask.array.store or to_zarr"
        )
    for name, value in others:
        if is_chunked(value):
            raise TypeError(
                f"{name} is a dask array; its values decide how the call is made: pass "
                f"{name}.compute()"
            )
    if type(x) is Source:
        return planned(x)
    from pyconv._dask.graph import lazy

    return lazy(planned, x, mask, workers, argument)
