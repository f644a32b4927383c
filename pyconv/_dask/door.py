"""The door of every public function: is its array one of dask's, or none but a shape and a dtype?

dask is never imported here. An array of its own exists only where it has been.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from pyconv._pieces.plan import PiecePlan, Source

#: Makes the plan of a call on an array of a shape and a dtype.
Planned = Callable[[Source], PiecePlan]


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
