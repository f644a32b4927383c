"""What the arguments of `scipy.ndimage` mean: modes, origins, axes and `output`, with its errors.

Checks are made in SciPy's order and raise its types, so that code which catches them goes on.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_index

from pyconv._engine.docstrings import paragraphs
from pyconv._engine.output_arrays import check_apart

Array = npt.NDArray[Any]
#: What ``output=`` takes: nothing, a dtype, its name, or the array that receives the result.
Output = Array | npt.DTypeLike | None

#: SciPy's words → ours.
MODES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "mirror": "mirror",
    "nearest": "nearest",
    "constant": "constant",
    "grid-constant": "constant",
    "wrap": "wrap",
    "grid-wrap": "wrap",
}

#: What `scipy.ndimage` filters; complex arrays as two real ones.
REAL_DTYPES = frozenset(map(np.dtype, "?bBhHiIlLqQfd"))

#: Paragraphs of the docstrings of the public functions.
SHARED = paragraphs("""
    $input:
    input : array_like
        Array of bool, integers, float32/64 or complex64/128, of any number of dimensions.
    $weights:
    weights : array_like
        Kernel with one dimension for each filtered axis; of more than three dimensions, too.
    $weights_1d:
    weights : array_like
        Kernel of one dimension.
    $sigmas:
    sigma : float or sequence of float
        Standard deviation in samples.
    $axis:
    axis : int, optional
        The axis that is filtered.
    $axes:
    axes : int or sequence of int, optional
        The axes that are filtered; by default all.
    $output:
    output : ndarray or dtype, optional
        The array that receives the result, which may be `input`, or its dtype. By default that
        of `input`, or the complex one where the result is complex.
    $mode:
    mode : str, optional
        What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
        ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
        (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``).
    $modes:
    mode : str or sequence of str, optional
        What is read outside: ``reflect`` (d c b a | a b c d | d c b a, also ``grid-mirror``),
        ``constant`` (`cval`, also ``grid-constant``), ``nearest``, ``mirror``
        (d c b | a b c d | c b a) or ``wrap`` (also ``grid-wrap``); one each for the $each.
    $cval:
    cval : scalar, optional
        The value that ``mode='constant'`` reads.
    $origin:
    origin : int, optional
        Samples by which the kernel is moved from its middle towards the $end end.
    $origins:
    origin : int or sequence of int, optional
        Samples by which the kernel is moved from its middle towards the $end end.
    $truncate:
    truncate : float, optional
        Standard deviations from the middle at which the kernel ends.
    $kwargs:
    **kwargs
        Options of `gaussian_filter`: `truncate` and `radius`.
    $returns_and_raises:
    Returns
    -------
    ndarray
        The result, with the shape of `input`; `output` if that is an array.

    Raises
    ------
    RuntimeError
        For modes, dtypes and shapes that are not allowed.
    $see_also:
    See Also
    --------
    scipy.ndimage.$name : the same signature, with every parameter at length.
    $examples:
    Examples
    --------
    >>> from pyconv import ndimage
    $array_examples:
    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import ndimage
""")


def boundary_of(mode: object) -> str:
    """Return our word for a mode; RuntimeError for one that SciPy does not know."""
    try:
        return MODES[mode]  # type: ignore[index]
    except (KeyError, TypeError):
        raise RuntimeError(
            f"boundary mode not supported: mode={mode!r}; allowed are {', '.join(MODES)}"
        ) from None


def one_boundary(mode: object) -> str:
    """Return our word for the mode of a filter that takes only one."""
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        raise RuntimeError("A sequence of modes is not supported")
    return boundary_of(mode)


def for_each(value: Any, count: int) -> list[Any]:
    """Return one entry for each axis from a scalar or a sequence of them."""
    if isinstance(value, str) or not np.iterable(value):
        return [value] * count
    entries = list(value)
    if len(entries) != count:
        raise RuntimeError(
            f"sequence argument must have length equal to input rank: {value!r} has "
            f"{len(entries)} entries for {count} axes"
        )
    return entries


def axis_of(axis: int, ndim: int) -> int:
    """Return an axis counted from the front; AxisError for one that is not there."""
    return int(normalize_axis_index(operator.index(axis), ndim))


def axes_of(axes: int | Iterable[int] | None, ndim: int) -> tuple[int, ...]:
    """Return the axes to filter, counted from the front."""
    if axes is None:
        return tuple(range(ndim))
    given: tuple[int, ...]
    if np.isscalar(axes):
        given = (operator.index(axes),)  # type: ignore[arg-type]
    elif isinstance(axes, Iterable):
        given = tuple(operator.index(a) for a in axes)
    else:
        raise ValueError("axes must be an integer, iterable of integers, or None")
    for a in given:
        if not -ndim <= a < ndim:
            raise ValueError(f"specified axis: {a} is out of range")
    where = tuple(a % ndim for a in given)
    if len(set(where)) != len(where):
        raise ValueError("axes must be unique")
    return where


def output_of(output: Output, x: Array, *, is_complex: bool = False) -> Array:
    """Return the array that receives the result: a fresh one, or the caller's."""
    if output is None:
        dtype = np.promote_types(x.dtype, np.complex64) if is_complex else x.dtype.newbyteorder("=")
    elif isinstance(output, type | np.dtype):
        dtype = np.dtype(output)
        if is_complex and dtype.kind != "c":
            warnings.warn("promoting specified output dtype to complex", stacklevel=5)
            dtype = np.promote_types(dtype, np.complex64)
    elif isinstance(output, str):
        dtype = np.dtype(output)
        if is_complex and dtype.kind != "c":
            raise RuntimeError("output must have complex dtype")
        if not issubclass(dtype.type, np.number):
            raise RuntimeError("output must have numeric dtype")
    else:
        given = np.asarray(output)
        if given.shape != x.shape:
            raise RuntimeError(
                f"output shape not correct: {given.shape}, but input has shape {x.shape}"
            )
        if is_complex and given.dtype.kind != "c":
            raise RuntimeError("output must have complex dtype")
        check_apart(given, "output")
        return given
    return np.empty(x.shape, dtype)


def check_dtypes(*arrays: Array) -> None:
    """Raise RuntimeError for dtypes that SciPy does not filter."""
    for array in arrays:
        dtype = array.dtype
        if dtype.kind != "c" and dtype.newbyteorder("=") not in REAL_DTYPES:
            raise RuntimeError(f"array type {dtype!r} not supported")
        if dtype.kind == "c" and dtype.itemsize > 16:
            raise RuntimeError(f"array type {dtype!r} not supported")


def low_pad(taps: int, origin: int, name: str) -> int:
    """Return the samples that the first tap reads before its output."""
    if origin < -(taps // 2) or origin > (taps - 1) // 2:
        raise ValueError(
            f"Invalid origin; origin must satisfy -({name} // 2) <= origin <= ({name}-1) // 2"
        )
    return taps // 2 + operator.index(origin)


def turned(origin: int, taps: int) -> int:
    """Return the origin of a correlation that is the convolution with this one."""
    return -origin - (taps % 2 == 0)


def fill_of(cval: complex, is_complex: bool) -> complex:
    """Return what ``mode='constant'`` reads; TypeError for a complex number among real ones."""
    return complex(cval) if is_complex else float(cval)  # type: ignore[arg-type]


def reads_fill(boundaries: Sequence[str], pads: Sequence[tuple[int, int]]) -> bool:
    """Return whether some output reads the fill value."""
    return any(
        rule == "constant" and (low > 0 or high > 0)
        for rule, (low, high) in zip(boundaries, pads, strict=True)
    )
