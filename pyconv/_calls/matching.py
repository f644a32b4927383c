"""Matching: the correlation coefficient of a template with each window of an array."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._calls.coefficients import Coefficients, Template
from pyconv._calls.missing.mask import split_mask
from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.dtypes import is_integer, supported
from pyconv._engine.output_arrays import (
    check_out,
    empty,
    is_masked,
    plain_array,
    writable_in_place,
)
from pyconv._engine.planning import check_nan, prepare
from pyconv._engine.problem import CallOptions, Problem, memory_limit


def match_template(
    image: npt.ArrayLike,
    template: npt.ArrayLike,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    fill_value: float = 0,
    axes: int | Sequence[int] | None = None,
    mask: npt.ArrayLike | None = None,
    image_mask: npt.ArrayLike | None = None,
    nan_policy: str = "raise",
    out: npt.NDArray[Any] | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> npt.NDArray[Any]:
    r"""Return how much each window of an image is like a template.

    .. math:: y[i] = \frac{\sum_u (x[i + u] - \bar x_i) \, (t[u] - \bar t)}
              {\sqrt{\sum_u (x[i + u] - \bar x_i)^2 \; \sum_u (t[u] - \bar t)^2}}

    with the means over the window and the template: the correlation coefficient, which is 1 for a
    window that is the template at any brightness and contrast, and −1 for its negative.

    Parameters
    ----------
    image : array_like
        Real array. A masked array brings its mask as `image_mask`.
    template : array_like
        Real array of 1, 2 or 3 dimensions; finite where its mask does not leave samples out. A
        masked array brings its mask as `mask`.
    mode, boundary, fill_value
        As for `correlate`: which windows there are, and what is read outside. With ``same`` the
        result has the image's shape, and ``y[i]`` belongs to the window around ``i``.
    axes : int or sequence of int, optional
        Axis of the image that each axis of the template lies along; by default the last ones. The
        others are batch axes.
    mask : array_like of bool, optional
        True for samples of the template to leave out; of its shape. All sums run over the others.
    image_mask : array_like of bool, optional
        True for samples of the image to leave out, whatever they hold; it is broadcast to the shape
        of `image`. The coefficient of a window is that of the pairs that are left, their means
        too, and NaN where these are fewer than two, or than a quarter of the template.
    nan_policy : {'raise', 'propagate', 'omit'}, optional
        What happens to NaN and infinity in the image: ``raise`` refuses them, ``propagate`` makes
        NaN of windows that hold them, ``omit`` leaves them out as `image_mask` does; with a
        `fill_value` that is NaN, what is outside is left out too.
    out : ndarray, optional
        Array that receives the result: its shape and dtype must be those of the result. It may
        overlap `image` and `template`.
    max_memory : int, optional
        Bytes of workspace that the call may take at most, besides the arrays that it is given and
        the result: windows are matched a part of the image at a time. By default all are at once,
        in arrays of the size of the image.
    workers : int, optional
        Threads to use at most, as for `correlate`.

    Returns
    -------
    ndarray
        Coefficients from −1 to 1: float32, or float64 if the image or the template is float64 or
        has integers of more than 16 bits. 0 where a window, or the template, is constant,
        but for NaN where too few pairs are left. `out` if that was given.

    Raises
    ------
    ValueError
        For values that are not finite, a template that is larger than the image, a mask of
        another shape or one that leaves nothing, and as `correlate`.
    TypeError
        For complex or other dtypes.
    MemoryError
        If `max_memory` is too little; the message names the least that would do.

    See Also
    --------
    xcorr : for signals.

    Notes
    -----
    A window is judged by itself: its coefficient is that of the formula above, in double precision
    and of the samples less one of them, within 5e-5 in float32 and 1e-9 in float64, whatever else
    the image holds.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> image = np.array([[1, 1, 1, 1, 1], [1, 4, 6, 2, 1], [1, 8, 3, 5, 9], [1, 1, 1, 7, 1]])
    >>> y = pyconv.match_template(image, image[1:3, 2:4])
    >>> np.unravel_index(y.argmax(), y.shape)
    (np.int64(1), np.int64(2))
    >>> bool(np.isclose(y.max(), 1))
    True

    A dead pixel is left out of the windows that hold it:

    >>> dead = image == 8
    >>> pyconv.match_template(image, image[1:3, 1:3], image_mask=dead).round(2)[1, 1]
    np.float64(1.0)
    """
    t, left_out = _split_template(template, mask)
    x, missing = _split_image(image, image_mask)
    _check_arrays(x, t)
    check_nan(nan_policy, "image", np.empty(0, x.dtype))
    outside = nan_policy == "omit" and _is_nan(fill_value)
    fill_value = 0 if outside else fill_value
    options = CallOptions(
        mode=mode, boundary=boundary, axes=axes, dtype=float, fill_value=fill_value
    )
    problem = prepare(x, t, options).problem
    result = _result_dtype(x.dtype, t.dtype)
    if out is not None:
        check_out(out, problem.y_shape, result)
    granted = None if max_memory is None else memory_limit(max_memory)
    matched = _matched(t, left_out)
    call = _Match(problem, t, matched, left_out, outside, nan_policy)
    boxes, room = _parts(problem, granted)
    if nan_policy == "raise" and x.dtype.kind == "f" and len(boxes) > 1:
        for box in boxes:  # before any result is written
            call.read(x, missing, box)
    read = [a for a in (x, missing) if a is not None]
    direct = out is not None and writable_in_place(out, *read)
    y = out if direct and out is not None else empty(problem.y_shape, result)
    for box in boxes:
        call.fill(y, x, missing, box, room, workers)
    if out is None or y is out:
        return y
    out[...] = y
    return out


#: Bytes for each sample that windows of a part read, and for each tap of the template, that the
#: arrays take which coefficients are made of; bytes that the sums of a part take at least.
SAMPLE_BYTES, TAP_BYTES, SUMS_BYTES = 200, 200, 4 << 20

Box = tuple[tuple[int, int], ...]


def _check_arrays(x: np.ndarray, t: np.ndarray) -> None:
    """Raise TypeError or ValueError for an image and a template that are not matched."""
    for name, array in (("image", x), ("template", t)):
        if supported(array.dtype, name).kind == "c":
            raise TypeError(f"{name} has dtype {array.dtype}; real dtypes are allowed")
    if not 1 <= t.ndim <= min(3, x.ndim) or 0 in t.shape:
        raise ValueError(
            f"template has shape {t.shape} and image {x.shape}: templates of 1 to 3 dimensions, no "
            "more than the image has, and of at least one sample are allowed"
        )


def _parts(problem: Problem, max_memory: int | None) -> tuple[list[Box], int | None]:
    """Return boxes of results within memory, and the bytes that are left for their sums."""
    if max_memory is None or 0 in problem.y_shape:
        return [tuple((0, n) for n in problem.y_shape)], None
    taps = [1] * len(problem.y_shape)
    for a in problem.spatial:
        taps[a.axis] = a.taps
    steps = [*problem.y_shape]

    def taken() -> int:
        read = math.prod(n + k - 1 for n, k in zip(steps, taps, strict=True))
        return SAMPLE_BYTES * read + TAP_BYTES * math.prod(taps)

    # A quarter is for sums, and what they need at least.
    room = max_memory - max(SUMS_BYTES, max_memory // 4)
    while taken() > room and max(steps) > 1:
        axis = max(range(len(steps)), key=lambda i: (steps[i] > 1) * steps[i] / taps[i])
        steps[axis] = -(-steps[axis] // 2)
    if taken() > room:
        raise MemoryError(
            f"max_memory={max_memory} is too little workspace to match this template; the least "
            f"that would do is {max(SUMS_BYTES + taken(), -(-4 * taken() // 3))} bytes"
        )
    along = [
        [(start, min(start + step, n)) for start in range(0, n, step)]
        for n, step in zip(problem.y_shape, steps, strict=True)
    ]
    return list(itertools.product(*along)), max_memory - taken()


class _Match:
    """A template and where its windows lie, without the image."""

    def __init__(
        self,
        problem: Problem,
        t: np.ndarray,
        matched: np.ndarray | None,
        left_out: np.ndarray | None,
        outside: bool,
        nan_policy: str,
    ) -> None:
        self._problem, self._outside, self._nan_policy = problem, outside, nan_policy
        # Batch axes, then the template's in the order of the image's.
        spatial = [a.axis for a in problem.spatial]
        batch = [axis for axis in range(len(problem.x_shape)) if axis not in spatial]
        self._order = batch + sorted(spatial)
        turn = np.argsort(spatial)
        self._constant = matched is None
        self._template = Template(
            np.ascontiguousarray(
                (np.zeros(t.shape) if matched is None else matched).transpose(turn)
            ),
            None if left_out is None else ~left_out.transpose(turn),
        )

    def fill(
        self,
        y: np.ndarray,
        x: np.ndarray,
        missing: np.ndarray | None,
        box: Box,
        max_memory: int | None,
        workers: int | None,
    ) -> None:
        """Write the coefficients of a box of windows to that part of ``y``."""
        read = self.read(x, missing, box)
        into = y[tuple(slice(*part) for part in box)].transpose(self._order)
        n = self._template.values.ndim
        shape = (math.prod(into.shape[:-n]), *into.shape[-n:])
        part = into.reshape(shape) if into.flags.c_contiguous else empty(shape, y.dtype)
        if part.size:
            coefficients = Coefficients(self._template, y.dtype, workers, max_memory)
            samples, *masks = (_as_batch(a, self._order, n) for a in read)
            _fill(part, self._template, samples, masks, self._constant, coefficients)
        if not into.flags.c_contiguous:
            into[...] = part.reshape(into.shape)

    def read(
        self, x: np.ndarray, missing: np.ndarray | None, box: Box
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return what windows read, where samples are missing, and where they are not finite."""
        problem, nan_policy = self._problem, self._nan_policy
        if missing is not None or self._outside:
            missing = np.broadcast_to(np.False_, x.shape) if missing is None else missing
            missing = _padded(missing, problem, self._outside, box)
        x = _padded(x, problem, problem.fill_value, box)
        unsound = _unsound(x, missing, nan_policy)
        if nan_policy == "omit" and unsound is not None:
            missing = unsound if missing is None else missing | unsound
            unsound = None
        return x, None if missing is None or not missing.any() else missing, unsound


def _fill(
    y: np.ndarray,
    template: Template,
    x: Any,
    masks: list[np.ndarray | None],
    constant: bool,
    coefficients: Coefficients,
) -> None:
    """Write the coefficients to ``y``; NaN where a window holds what is not finite."""
    missing, unsound = masks
    if unsound is not None:
        x = np.where(unsound, _any_sound(x, unsound), x)
    if not constant:
        coefficients.fill(x, y, missing)
    else:
        y[...] = 0
        if missing is not None:
            _, few = coefficients.holed(missing)
            y[few] = np.nan
    if unsound is not None:
        seen = np.ones(template.values.shape, np.bool) if template.seen is None else template.seen
        y[coefficients.sum(unsound, seen) > 0] = np.nan


def _as_batch(a: np.ndarray | None, order: list[int], ndim: int) -> np.ndarray | None:
    """Return an array with one batch axis, then its last axes in an order."""
    if a is None:
        return None
    turned = a.transpose(order)
    return turned.reshape(math.prod(turned.shape[:-ndim]), *turned.shape[-ndim:])


def _is_nan(value: object) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _split_template(
    template: npt.ArrayLike, mask: npt.ArrayLike | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the template as a plain array, and what is masked of it."""
    own = None
    if is_masked(template):
        supported(template.dtype, "template")
        own, template = np.ma.getmaskarray(template), np.asarray(template.data)
    t = plain_array(template, "template")
    left_out = _template_mask(mask, t)
    if own is not None:
        left_out = own if left_out is None else own | left_out
        if left_out.size and left_out.all():
            raise ValueError("mask leaves nothing of the template")
        left_out = left_out if left_out.any() else None
    return t, left_out


def _split_image(
    image: npt.ArrayLike, mask: npt.ArrayLike | None
) -> tuple[np.ndarray, np.ndarray | None]:
    if not is_masked(image):
        image = plain_array(image, "image")
    return split_mask(image, mask, "image", "image_mask")


def _unsound(x: np.ndarray, missing: np.ndarray | None, nan_policy: str) -> np.ndarray | None:
    """Return where seen samples are NaN or infinite; ValueError if they may not be."""
    if x.dtype.kind != "f" or not x.size:
        return None
    with np.errstate(all="ignore"):
        if missing is None and np.isfinite(x.min()) and np.isfinite(x.max()):
            return None
    unsound = ~np.isfinite(x)
    if missing is not None:
        unsound &= ~missing
    if not unsound.any():
        return None
    if nan_policy == "raise":
        raise ValueError(
            "image holds NaN or infinity; nan_policy='propagate' makes NaN of windows that hold "
            "them, 'omit' leaves them out"
        )
    return unsound


def _any_sound(x: np.ndarray, unsound: np.ndarray) -> np.ndarray:
    """Return a finite sample, or 0."""
    sound = x[~unsound]
    return sound[0] if sound.size else np.zeros((), x.dtype)


def _result_dtype(x: np.dtype, t: np.dtype) -> np.dtype:
    wide = any(d.itemsize > (2 if is_integer(d) else 4) for d in (x, t))
    return np.dtype(np.float64 if wide else np.float32)


def _template_mask(mask: npt.ArrayLike | None, t: np.ndarray) -> np.ndarray | None:
    if mask is None:
        return None
    given = plain_array(mask, "mask")
    if given.dtype != bool:
        raise TypeError(f"mask has dtype {given.dtype}; bool is allowed, True to leave out")
    if given.shape != t.shape:
        raise ValueError(f"mask has shape {given.shape}, but the template has shape {t.shape}")
    if given.all():
        raise ValueError("mask leaves nothing of the template")
    return given if given.any() else None


def _matched(t: np.ndarray, left_out: np.ndarray | None) -> np.ndarray | None:
    """Return the template with mean 0 and norm 1, None if it is constant."""
    seen = t.ravel() if left_out is None else t[~left_out]
    if not np.isfinite(seen).all():
        raise ValueError("template holds NaN or infinity")
    low, high = seen.min(), seen.max()
    if low == high:
        return None
    # Less one of its samples before anything is rounded, and scaled so that no square overflows.
    about = _less(seen, low)
    about = about / about.max()
    about -= about.mean()
    about -= about.mean()
    about /= np.sqrt(np.square(about).sum())
    if left_out is None:
        return about.reshape(t.shape)
    matched = np.zeros(t.shape)
    matched[~left_out] = about
    return matched


def _less(x: np.ndarray, low: Any) -> np.ndarray:
    """Return how much samples are above the least, in float64."""
    if is_integer(x.dtype) and x.dtype.itemsize == 8:
        return (x.astype(np.uint64) - np.uint64(int(low) % 2**64)).astype(np.float64)
    wide = x.astype(np.float64)
    with np.errstate(over="ignore"):
        above: np.ndarray = wide - np.float64(low)
    return above if np.isfinite(above).all() else wide / 2 - np.float64(low) / 2


def _padded(x: np.ndarray, problem: Problem, fill: Any, box: Box) -> np.ndarray:
    """Return what a box of windows reads of ``x``, its pads written out."""
    spatial = {a.axis: a for a in problem.spatial}
    for axis, (start, stop) in enumerate(box):
        a = spatial.get(axis)
        before = (slice(None),) * axis
        first, last = (start, stop) if a is None else (start - a.low, stop - a.low + a.taps - 1)
        if first >= 0 and last <= x.shape[axis]:
            x = x[(*before, slice(first, last))]
        elif a is not None:
            read = BOUNDARIES[a.boundary].index(np.arange(first, last), a.size)
            x = x.take(read, axis)  # FILL = −1 reads the last sample
            x[(*before, read == FILL)] = fill
    return x
