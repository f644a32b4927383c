"""convolve2d and correlate2d of `scipy.signal`: plain sums, with its boundaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.signal

from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine.planning import prepare
from pyconv._engine.problem import CallOptions
from pyconv.signal._extents import (
    Array,
    Kept,
    exchanged,
    known,
    part_of,
    solved,
    swapped,
    taken,
)

#: SciPy's words → ours.
BOUNDARIES = {
    "fill": "constant",
    "pad": "constant",
    "wrap": "wrap",
    "circular": "wrap",
    "symm": "symmetric",
    "symmetric": "symmetric",
}
#: SciPy's own functions, whatever is put in their place later.
_scipy_convolve2d, _scipy_correlate2d = scipy.signal.convolve2d, scipy.signal.correlate2d
_scipy_sepfir2d = scipy.signal.sepfir2d


def convolve2d(
    in1: npt.ArrayLike,
    in2: npt.ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: complex = 0,
) -> Array:
    """Convolve two arrays of two dimensions by plain sums.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of two dimensions.
    mode : {'full', 'valid', 'same'}, optional
        Which outputs exist: all, those that read no zero outside, or the middle ones, as many as
        `in1` has.
    boundary : {'fill', 'wrap', 'symm'}, optional
        What is read outside `in1`: `fillvalue` (also ``pad``), its repetition (also ``circular``)
        or its mirror image, the edge included (also ``symmetric``).
    fillvalue : scalar, optional
        The value that ``boundary='fill'`` reads.

    Returns
    -------
    ndarray
        The convolution, of the dtype ``np.result_type(in1, in2)``.

    Raises
    ------
    ValueError
        For dimensions, modes, boundaries and fill values that are not allowed.

    See Also
    --------
    scipy.signal.convolve2d : the same signature, with every parameter at length.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.convolve2d([[1, 2], [3, 4]], [[1, 1]], "same", "symm")
    array([[2, 3],
           [6, 7]])
    """
    return solved(_convolve2d, in1, in2, mode, boundary, fillvalue)


def _convolve2d(
    x: Array, w: Array, mode: str, boundary: str, fillvalue: complex
) -> tuple[Array, Kept | None]:
    if not x.ndim == w.ndim == 2:
        raise ValueError("convolve2d inputs must both be 2-D arrays")
    turned = swapped(mode, x.shape, w.shape, (0, 1))
    if turned:
        x, w = w, x
    if not taken(x, w):
        _check_samples(x, mode, boundary)
        return _scipy_convolve2d(x, w, mode, boundary, fillvalue), None
    run = _planes(x, w, mode, boundary, fillvalue, flip=True)
    return run(x, w), exchanged(run) if turned else run


def correlate2d(
    in1: npt.ArrayLike,
    in2: npt.ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: complex = 0,
) -> Array:
    """Correlate two arrays of two dimensions by plain sums.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of two dimensions.
    mode : {'full', 'valid', 'same'}, optional
        Which outputs exist: all, those that read no zero outside, or the middle ones, as many as
        `in1` has.
    boundary : {'fill', 'wrap', 'symm'}, optional
        What is read outside `in1`: `fillvalue` (also ``pad``), its repetition (also ``circular``)
        or its mirror image, the edge included (also ``symmetric``).
    fillvalue : scalar, optional
        The value that ``boundary='fill'`` reads.

    Returns
    -------
    ndarray
        The correlation, of the dtype ``np.result_type(in1, in2)``.

    Raises
    ------
    ValueError
        For dimensions, modes, boundaries and fill values that are not allowed.

    See Also
    --------
    scipy.signal.correlate2d : the same signature, with every parameter at length.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.correlate2d([[1, 2], [3, 4]], [[1, 2]], "valid")
    array([[ 5],
           [11]])
    """
    return solved(_correlate2d, in1, in2, mode, boundary, fillvalue)


def _correlate2d(
    x: Array, w: Array, mode: str, boundary: str, fillvalue: complex
) -> tuple[Array, Kept | None]:
    if not x.ndim == w.ndim == 2:
        raise ValueError("correlate2d inputs must both be 2-D arrays")
    turned = swapped(mode, x.shape, w.shape, (0, 1))
    if turned:
        x, w = w, x
    if not taken(x, w):
        _check_samples(x, mode, boundary)
        y = _scipy_correlate2d(x, w, mode, boundary, fillvalue)
        return y[::-1, ::-1] if turned else y, None
    run = _planes(x, w, mode, boundary, fillvalue, flip=False)
    if turned:
        return run(x, w)[::-1, ::-1], lambda x, w: run(w, x)[::-1, ::-1]
    return run(x, w), run


def _check_samples(x: Array, mode: str, boundary: str) -> None:
    """Raise ValueError where SciPy would divide by the samples of an axis that has none."""
    if mode == "full" and 0 in x.shape and boundary != "fill":
        raise ValueError(
            f"in1 has shape {x.shape}: boundary={boundary!r} needs a sample along each axis; "
            "boundary='fill' needs none"
        )


def _planes(
    x: Array, w: Array, mode: str, boundary: str, fillvalue: Any, *, flip: bool
) -> Callable[[Array, Array], Array]:
    """Plan the plain sums of an image that is at least as large as its kernel."""
    return prepare(x, w, options_of(x, w, mode, boundary, fillvalue, flip=flip)).run


def options_of(
    x: Array, w: Array, mode: str, boundary: str, fillvalue: Any, *, flip: bool
) -> CallOptions:
    """Return the options of the plain sums of an image at least as large as its kernel."""
    known(mode)
    if boundary not in BOUNDARIES:
        raise ValueError(
            "Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and 'symmetric' "
            f"(or 'symm'), not {boundary!r}"
        )
    dtype = np.result_type(x, w)
    pads = []
    for n, k in zip(x.shape, w.shape, strict=True):
        part = part_of(mode, n, k)
        # A correlation counts its outputs from the other end of the kernel.
        start = part.start if flip or mode != "same" else k // 2
        pads.append((k - 1 - start, start + part.length - n))
    return CallOptions(
        flip=flip,
        mode=pads,
        boundary=BOUNDARIES[boundary],
        fill_value=_fill(fillvalue, dtype),
        dtype=dtype,
        overflow="wrap",
        rtol=0.0,
    )


def _fill(fillvalue: Any, dtype: np.dtype) -> complex:
    """Return what is read outside, in the dtype of the result."""
    value = np.asarray(fillvalue)
    if value.size != 1:
        raise ValueError("`fillvalue` must be scalar or an array with one element.")
    if not np.can_cast(value.dtype, dtype, "same_kind") and value.dtype.kind == "c":
        raise ValueError("could not cast `fillvalue` directly to the output type (it was complex)")
    return value.astype(dtype).reshape(())[()].item()


def sepfir2d(
    input: npt.ArrayLike,  # noqa: A002 - SciPy's name
    hrow: npt.ArrayLike,
    hcol: npt.ArrayLike,
    /,
) -> Array:
    """Convolve an image with a row and a column of weights, its mirror image outside.

    Parameters
    ----------
    input : array_like
        Array of two dimensions.
    hrow, hcol : array_like
        The weights along the rows and along the columns, odd numbers of them.

    Returns
    -------
    ndarray
        The convolution, of the shape of `input`: float32, float64 or the complex dtype of it.

    Raises
    ------
    ValueError
        For dimensions and lengths that are not allowed.
    TypeError
        For weights of another dtype than can become that of `input`.

    See Also
    --------
    scipy.signal.sepfir2d : the same signature.

    Notes
    -----
    Weights may be more than the samples of an axis, which are then mirrored again; SciPy's
    function writes beside its arrays there.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.sepfir2d([[0.0, 0.0, 4.0], [0.0, 0.0, 4.0]], [0.25, 0.5, 0.25], [1.0])
    array([[0., 1., 3.],
           [0., 1., 3.]])
    """
    if type(input) is not np.ndarray and is_planned(input):
        return in_pieces("line", sepfir2d, input, ("hrow", "hcol"), (hrow, hcol))
    y = np.asarray(input)
    passes = separable(y, np.asarray(hrow), np.asarray(hcol))
    if passes is None:
        return _scipy_sepfir2d(input, hrow, hcol)
    for weights, options in passes:
        y = prepare(y, weights, options).run(y, weights)
    return y


def separable(x: Array, row: Array, column: Array) -> list[tuple[Array, CallOptions]] | None:
    """Return the two passes of `sepfir2d`, in turn; None for calls that are SciPy's."""
    if x.ndim != 2 or not row.ndim == column.ndim == 1:
        return None
    if not (row.size % 2 and column.size % 2 and taken(x)):
        return None
    dtype = np.result_type(x, np.float32)
    if not all(np.can_cast(w.dtype, dtype, "safe") for w in (row, column)):
        return None
    options = CallOptions(flip=True, mode="same", boundary="symmetric", dtype=dtype, rtol=0.0)
    return [(w.astype(dtype), options._replace(axes=axis)) for w, axis in ((row, 1), (column, 0))]
