"""convolve_fft: kernels of any size, infinities missing as NaN are, double results.

Which algorithm sums is pyconv's choice. What the sizes of astropy's transforms decide is what lies
outside: with ``psf_pad=False`` they are one period of the samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.fft

from pyconv._astropy import theirs
from pyconv._astropy.direct import LEAST_SUM, check_boundary, scaled, sums_of
from pyconv._astropy.samples import (
    bare,
    check_kernel,
    check_treatment,
    filled,
    is_complex,
    number,
    samples_of,
    weights_of,
)
from pyconv._astropy.windows import Windows
from pyconv._calls.missing.mask import holds_nan
from pyconv._engine.problem import MAX_SPATIAL, boundary_names, spatial_axes

#: Transforms whose results are those of any other one.
KNOWN = (np.fft.fftn, np.fft.ifftn, scipy.fft.fftn, scipy.fft.ifftn)
#: Bytes of a transform from which it has to be allowed.
HUGE = 1_000_000_000
#: The part of the weights up to which an output has seen nothing, as astropy has it.
NOTHING = 10 * float(np.finfo(np.float64).eps)
#: The boundaries that astropy knows, None beside them.
THEIRS = ("fill", "wrap", "extend")


def passed_on(
    array: Any,
    kernel: Any,
    extra: bool,
    crop: object,
    return_fft: object,
    fftn: object,
    ifftn: object,
    complex_dtype: Any,
) -> str | None:
    """Say why astropy's own function answers a call, None if it does not."""
    if return_fft:
        return "return_fft is set"
    if not crop:
        return "crop is not set"
    if not any(fftn is each for each in KNOWN) or not any(ifftn is each for each in KNOWN):
        return "of the caller's own transform"
    if np.dtype(complex_dtype) != np.complex128:
        return f"complex_dtype is {np.dtype(complex_dtype)}"
    for name, values in (("array", array), ("kernel", kernel)):
        if is_complex(values):
            return f"{name} is complex"
    shape = bare_shape(array)
    if not extra and (not 1 <= len(shape) <= MAX_SPATIAL or 0 in shape):
        return f"array has the shape {shape}"
    return None


def convolve_fft(
    array: Any,
    kernel: Any,
    boundary: str | Sequence[str] | None = "fill",
    fill_value: float = 0.0,
    nan_treatment: str = "interpolate",
    normalize_kernel: bool | Callable[[np.ndarray], Any] = True,
    normalization_zero_tol: float = 1e-8,
    preserve_nan: bool = False,
    mask: Any = None,
    crop: bool = True,
    return_fft: bool = False,
    fft_pad: bool | None = None,
    psf_pad: bool | None = None,
    min_wt: float = 0.0,
    allow_huge: bool = False,
    fftn: Callable[..., Any] = np.fft.fftn,
    ifftn: Callable[..., Any] = np.fft.ifftn,
    complex_dtype: Any = complex,
    dealias: bool = False,
    *,
    axes: int | Sequence[int] | None = None,
    single: bool = False,
    workers: int | None = None,
) -> Any:
    """Return what `pyconv.astropy.convolve_fft` does, for anything but `NDData`."""
    check_kernel(kernel)
    if isinstance(kernel, theirs.Kernel) and isinstance(array, theirs.Kernel):
        raise TypeError("convolve_fft takes no two kernels; convolve does")
    check_treatment(nan_treatment)
    known = boundary is None or (isinstance(boundary, str) and boundary in THEIRS)
    extra = axes is not None or not known
    reason = passed_on(array, kernel, extra, crop, return_fft, fftn, ifftn, complex_dtype)
    if reason is not None:
        if extra or single:
            raise NotImplementedError(
                f"astropy's convolve_fft answers the call, as {reason}: it takes no axes=, "
                "single=True and other boundaries"
            )
        return theirs.convolve_fft(
            array, kernel, boundary, fill_value, nan_treatment, normalize_kernel,
            normalization_zero_tol, preserve_nan, mask, crop, return_fft, fft_pad, psf_pad, min_wt,
            allow_huge, fftn, ifftn, complex_dtype, dealias,
        )  # fmt: skip
    x, w = samples_of(array, mask), weights_of(kernel)
    if axes is None and x.ndim != w.ndim:
        raise ValueError(
            f"array and kernel differ in their number of dimensions, {x.ndim} and {w.ndim}; "
            "axes= takes a kernel of fewer"
        )
    where = spatial_axes(axes, w.ndim, x.shape)
    check_huge(x.shape, allow_huge)
    interpolates = nan_treatment == "interpolate"
    min_wt = number(min_wt, "min_wt")
    w = np.where(np.isfinite(w), w, 0.0)
    scale = scales(w, normalize_kernel, normalization_zero_tol, interpolates)
    fill = number(fill_value, "fill_value", TypeError if interpolates else ValueError)
    frame = frame_of(x, w, where, boundary, fill, fft_pad, psf_pad, dealias, allow_huge)
    missing = not_finite(x)
    if missing is not None and not interpolates:
        if not math.isfinite(fill):
            raise ValueError(f"fill_value={fill_value!r} in the place of NaN spoils all results")
        x = filled(x, missing, fill)
    elif missing is not None:
        x = filled(x, missing, np.nan)
    y = summed(x, w, where, frame, scale, interpolates, min_wt, single, workers)
    if preserve_nan and missing is not None:
        y[missing] = np.nan
    if y.dtype != np.float64 and not single:
        y = y.astype(np.float64)
    unit = getattr(array, "unit", None)
    return y if unit is None else y << unit


def summed(
    x: np.ndarray,
    w: np.ndarray,
    axes: tuple[int, ...],
    frame: Frame,
    scale: Scale,
    interpolates: bool,
    min_wt: float,
    single: bool,
    workers: int | None,
) -> np.ndarray:
    """Return the results for samples that are numbers, or NaN where they are left out."""
    fill, cut = frame.fill, None
    if not math.isfinite(fill):  # what lies outside is missing, or nothing
        fill = np.nan if interpolates else 0.0
    if frame.period is not None:
        x, cut = framed(x, axes, frame.period, fill)
    if scale.is_sum:
        w, norm = scaled(w, scale.norm)
        scale = scale._replace(norm=norm)
    names = boundary_names(frame.boundary, w.ndim, fill)
    windows = Windows(sums_of(w, x, single), axes, names, fill, False, workers)
    has_nan = interpolates and holds_nan(x)
    if has_nan or windows.outside_is_missing:
        y = averaged(windows, x, has_nan, scale, min_wt)
    else:
        y = windows.plain(x)
        # Of a function's number only that of the interpolation, which divides by the sum.
        factor = scale.factor / (windows.total if interpolates else scale.norm)
        if factor != 1:
            y *= factor
        if interpolates and min_wt > 0 and windows.total / scale.norm < min_wt - nothing(windows):
            y[...] = np.nan
    return y if cut is None else np.ascontiguousarray(y[cut])


def bare_shape(array: Any) -> tuple[int, ...]:
    """Return the shape of an array; TypeError for what has none."""
    try:
        return np.shape(bare(array))
    except ValueError as error:
        raise TypeError(f"an array of real numbers is needed: {error}") from error


def not_finite(x: np.ndarray) -> np.ndarray | None:
    """Return where samples are NaN or infinite; None if none is."""
    if x.dtype.kind != "f":
        return None
    with np.errstate(all="ignore"):
        if np.isfinite(np.sum(x, dtype=np.float64)):
            return None
    missing = ~np.isfinite(x)
    return missing if missing.any() else None


class Scale(NamedTuple):
    """By what results are multiplied, and by what weights are divided before."""

    factor: float
    norm: float
    #: Whether weights are divided by their sum, and that is all.
    is_sum: bool = False


class Frame(NamedTuple):
    """What lies outside of the samples."""

    boundary: Any
    fill: float
    #: The lengths after which samples repeat themselves, where those are not the array's.
    period: list[int] | None = None


def scales(w: np.ndarray, normalize_kernel: Any, tolerance: float, interpolates: bool) -> Scale:
    """Return how results are normalised.

    A function normalises the weights only in what is called coverage: its number comes back.
    """
    total = float(w.sum())
    divides = (
        f"the kernel sums to {total:.3g}: nan_treatment='interpolate' divides by that, and 'fill' "
        "does not"
    )
    if normalize_kernel is True:
        if total < LEAST_SUM:
            raise ValueError(
                f"the kernel sums to {total:.3g}, which is too little to divide by: "
                "normalize_kernel=False leaves it as it is, or a function gives another number"
                + (", with nan_treatment='fill'" if interpolates else "")
            )
        return Scale(1.0, total, True)
    if normalize_kernel:
        if not callable(normalize_kernel):
            raise TypeError(
                f"normalize_kernel={normalize_kernel!r}: True, False or a function is allowed"
            )
        if interpolates and abs(total) < tolerance:
            raise ValueError(divides)
        value = normalize_kernel(w.astype(np.complex128))
        try:
            value = complex(value)
        except TypeError as error:
            raise TypeError(f"normalize_kernel gives {value!r}: a number is needed") from error
        if value.imag or not value.real:
            raise ValueError(f"normalize_kernel gives {value}: a real number but 0 is allowed")
        return Scale(value.real, value.real)
    if abs(total) < tolerance:
        if interpolates:
            raise ValueError(divides)
        return Scale(1.0, 1.0)
    return Scale(total, total)


def frame_of(
    x: np.ndarray,
    w: np.ndarray,
    axes: tuple[int, ...],
    boundary: Any,
    fill: float,
    fft_pad: bool | None,
    psf_pad: bool | None,
    dealias: bool,
    allow_huge: bool,
) -> Frame:
    """Return what lies outside.

    Lengths of transforms are astropy's: those of the array and the kernel together where a fill is
    read, the greater of both where results go round.
    """
    if isinstance(boundary, str) and boundary == "extend":
        raise NotImplementedError(
            "convolve_fft has no boundary='extend' in astropy; here boundary='nearest' is the same"
        )
    if boundary is None:
        theirs.warn_of_no_boundary()
        psf_pad = True if psf_pad is None else psf_pad
        fft_pad = True if fft_pad is None else fft_pad
    elif isinstance(boundary, str) and boundary == "wrap":
        for name, value in (("psf_pad", psf_pad), ("fft_pad", fft_pad), ("dealias", dealias)):
            if value:
                raise ValueError(f"{name}={value!r} is not allowed with boundary='wrap'")
        psf_pad, fft_pad, fill = False, False, 0.0
    elif isinstance(boundary, str) and boundary == "fill":
        if psf_pad is False:
            theirs.warn_of_no_padding()
        else:
            psf_pad = True
        fft_pad = True if fft_pad is None else fft_pad
    else:
        check_boundary(boundary, fill)
        return Frame(boundary, fill)
    lengths = []
    for axis, k in zip(axes, w.shape, strict=True):
        n = x.shape[axis]
        length = n + k if psf_pad else max(n, k)
        length += math.ceil(length / 2) if dealias else 0
        lengths.append(scipy.fft.next_fast_len(length) if fft_pad else length)
    batch = math.prod(n for axis, n in enumerate(x.shape) if axis not in axes)
    check_huge((batch, *lengths), allow_huge)
    if psf_pad:
        return Frame("constant", fill)
    sizes = [x.shape[axis] for axis in axes]
    return Frame("wrap", fill, None if sizes == lengths else lengths)


def check_huge(shape: tuple[int, ...], allow_huge: bool) -> None:
    """Raise ValueError for complex arrays that astropy would not make without being told to."""
    size = math.prod(shape) * np.dtype(np.complex128).itemsize
    if size > HUGE and not allow_huge:
        raise ValueError(
            f"transforms of {size / HUGE:.1f} GB: allow_huge=True allows them; ours take less"
        )


def framed(
    x: np.ndarray, axes: tuple[int, ...], lengths: list[int], outside: float
) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Return the samples in the middle of a period, and where they are."""
    shape, at = list(x.shape), [slice(None)] * x.ndim
    for axis, length in zip(axes, lengths, strict=True):
        n = x.shape[axis]
        shape[axis] = length
        start = length // 2 - n // 2
        at[axis] = slice(start, start + n)
    whole = np.full(shape, outside, np.float32 if x.dtype.char in "ef" else np.float64)
    whole[tuple(at)] = x
    return whole, tuple(at)


def nothing(windows: Windows) -> float:
    """Return the part of the weights up to which an output has seen nothing.

    The sum of weights that nearly cancel has the roundings of their magnitudes.
    """
    return NOTHING * max(1.0, float(np.abs(windows.w).sum()) / abs(windows.total))


def averaged(
    windows: Windows, x: np.ndarray, has_nan: bool, scale: Scale, min_wt: float
) -> np.ndarray:
    """Return the results of windows that may miss samples, 0 or NaN where they miss too many."""
    y = windows.means(x, has_nan)
    lost = np.isnan(y)
    if min_wt > 0:
        # A window that misses nothing has seen all, but for roundings.
        covered = windows.coverage(x) * (windows.total / scale.norm)
        lost |= covered < min_wt - nothing(windows)
    elif not windows.alike:
        lost |= np.abs(windows.coverage(x)) < NOTHING
    factor = scale.factor / windows.total
    if factor != 1:
        y *= factor
    if min_wt > 0 or lost.any():
        y[lost] = np.nan if min_wt > 0 else 0.0
    return y
