"""Full convolutions and parts of them: what `scipy.signal` means by full, same and valid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._calls import correlation, unsound
from pyconv._dask.door import is_chunked, is_planned
from pyconv._engine.dtypes import DTYPES
from pyconv._engine.planner import CALLS
from pyconv._engine.planning import exact_key, prepare
from pyconv._engine.problem import MAX_SPATIAL, CallOptions
from pyconv._native import loader

Array = npt.NDArray[Any]
#: A planned convolution of arrays of two shapes and dtypes; None for data that it does not take.
Kept = Callable[[Array, Array], Array | None]

MODES = ("valid", "same", "full")


def solved(
    solve: Callable[..., tuple[Array, Kept | None]],
    in1: npt.ArrayLike,
    in2: npt.ArrayLike,
    *options: object,
) -> Array:
    """Return the result of ``solve(in1, in2, *options)``, which comes with what may be kept of it.

    Of small arrays the rest of a call takes several times as long as the sums.
    """
    if (type(in1) is not np.ndarray and is_planned(in1)) or is_chunked(in2):
        from pyconv.signal._pieces import convolve_pieces

        return convolve_pieces(solve, in1, in2, options)
    x, w = np.asarray(in1), np.asarray(in2)
    exact = exact_key(options)
    if exact is not None:
        key = solve, loader.native, x.shape, x.dtype, w.shape, w.dtype, exact
        found: Kept | None = CALLS.found.get(key)
        if found is not None and (y := found(x, w)) is not None:
            return y
    y, run = solve(x, w, *options)
    if exact is not None and run is not None:
        CALLS.keep(key, run)
    return y


class Part(NamedTuple):
    """A run of the outputs of a full convolution along one axis."""

    start: int
    length: int


def known(mode: object) -> None:
    """Raise ValueError for a mode that SciPy does not know."""
    if mode not in MODES:
        raise ValueError(f"acceptable mode flags are 'valid', 'same', or 'full', not mode={mode!r}")


def part_of(mode: str, n: int, k: int) -> Part:
    """Return which outputs exist for n and k samples; those of ``same`` have the length of n."""
    full = n + k - 1
    if mode == "full":
        return Part(0, full)
    length = n if mode == "same" else abs(n - k) + 1
    return Part((full - length) // 2, length)


def swapped(mode: str, shape1: Sequence[int], shape2: Sequence[int], axes: Sequence[int]) -> bool:
    """Return whether in ``valid`` mode the second array is the larger one."""
    if mode != "valid":
        return False
    first = all(shape1[a] >= shape2[a] for a in axes)
    if not (first or all(shape2[a] >= shape1[a] for a in axes)):
        raise ValueError(
            "For 'valid' mode, one must be at least as large as the other in every dimension"
        )
    return not first


def taken(*arrays: Array) -> bool:
    """Return whether the engine has these dtypes; SciPy's own functions have the others.

    Booleans, whose products SciPy joins by or, are among those.
    """
    if all(a.dtype.kind == "b" for a in arrays):
        return False
    return all(a.size > 0 and a.dtype.newbyteorder("=") in DTYPES for a in arrays)


def call_of(
    in1: Array, in2: Array, axes: Sequence[int], parts: Sequence[Part]
) -> tuple[Array, dict[str, Any]]:
    """Return the kernel and the options of `pyconv.convolve` for parts of a full convolution."""
    kernel = in2.reshape([in2.shape[a] for a in axes])
    pads = [
        (k - 1 - part.start, part.start + part.length - in1.shape[a])
        for a, k, part in zip(axes, kernel.shape, parts, strict=True)
    ]
    dtype = np.result_type(in1, in2)
    return kernel, {"mode": pads, "axes": tuple(axes), "dtype": dtype, "overflow": "wrap"}


def convolve_parts(
    in1: Array,
    in2: Array,
    axes: Sequence[int],
    parts: Sequence[Part],
    rtol: float | None = None,
) -> Array:
    """Return parts of the full convolution along ``axes``; ``in2`` has one sample on the others.

    Nothing outside is read along one axis, nor where a transform is granted. Plain sums along more
    axes multiply zeros there, as SciPy's do: by a weight that is NaN or infinite they make NaN.
    """
    if (rtol is None or in2.ndim == 1) and unsound.unsound(in1, in2):
        return unsound.convolve(
            in1, in2, axes, [part.start for part in parts],
            lambda x, w: _convolved(x, w, axes, parts, rtol),
            lambda x, w: _convolved(x, w, axes, parts),
        )  # fmt: skip
    return _convolved(in1, in2, axes, parts, rtol)


def run_of(
    in1: Array,
    in2: Array,
    axes: Sequence[int],
    parts: Sequence[Part],
    rtol: float | None = None,
) -> Kept | None:
    """Return `convolve_parts`, planned, for finite kernels; None for more axes than it takes."""
    if len(axes) > MAX_SPATIAL:
        return None
    kernel, options = call_of(in1, in2, axes, parts)
    prepared = prepare(in1, kernel, CallOptions(flip=True, rtol=rtol, **options))
    shape, looks = kernel.shape, rtol is None or in2.ndim == 1

    def run(x: Array, w: Array) -> Array | None:
        if looks and unsound.unsound(x, w):
            return None
        return prepared.run(x, w.reshape(shape))

    return run


def exchanged(run: Kept | None) -> Kept | None:
    """Return a run whose arrays change places."""
    return None if run is None else lambda x, w: run(w, x)


def _convolved(
    in1: Array,
    in2: Array,
    axes: Sequence[int],
    parts: Sequence[Part],
    rtol: float | None = None,
) -> Array:
    """Do as `convolve_parts`, with products of the zeros outside.

    Kernels of more dimensions than the engine has are summed from smaller ones.
    """
    if len(axes) <= MAX_SPATIAL:
        kernel, options = call_of(in1, in2, axes, parts)
        return correlation.convolve(in1, kernel, rtol=rtol, **options)
    axis, part = axes[0], parts[0]
    taps, size = in2.shape[axis], in1.shape[axis]
    shape = list(in1.shape)
    for a, p in zip(axes, parts, strict=True):
        shape[a] = p.length
    total = np.zeros(shape, np.result_type(in1, in2))
    for u in range(taps):  # output i reads sample i + start − u
        first = max(0, u - part.start)
        last = min(part.length, size + u - part.start)
        if first < last:
            along = (slice(None),) * axis
            read = slice(first + part.start - u, last + part.start - u)
            products = _convolved(
                in1[(*along, read)], in2[(*along, slice(u, u + 1))], axes[1:], parts[1:], rtol
            )
            with np.errstate(invalid="ignore"):  # infinities of both signs
                total[(*along, slice(first, last))] += products
    return total
