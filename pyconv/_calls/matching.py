"""Matching: the correlation coefficient of a template with each window of an array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._calls.coefficients import Coefficients, Template
from pyconv._calls.correlation import correlate
from pyconv._calls.missing.mask import split_mask
from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.dtypes import is_integer, supported
from pyconv._engine.output_arrays import empty, is_masked, plain_array
from pyconv._engine.planning import check_nan, prepare
from pyconv._engine.problem import CallOptions, Problem


def match_template(
    image: npt.ArrayLike,
    template: npt.ArrayLike,
    mode: str | Sequence[tuple[int, int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    fill_value: float = 0,
    axes: int | Sequence[int] | None = None,
    mask: npt.ArrayLike | None = None,
    image_mask: npt.ArrayLike | None = None,
    nan_policy: str = "raise",
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
    workers : int, optional
        Threads to use at most, as for `correlate`.

    Returns
    -------
    ndarray
        Coefficients from −1 to 1: float32, or float64 if the image or the template is float64 or
        has integers of more than 16 bits. 0 where a window, or the template, is constant,
        but for NaN where too few pairs are left.

    Raises
    ------
    ValueError
        For values that are not finite, a template that is larger than the image, a mask of
        another shape or one that leaves nothing, and as `correlate`.
    TypeError
        For complex or other dtypes.

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
    for name, array in (("image", x), ("template", t)):
        if supported(array.dtype, name).kind == "c":
            raise TypeError(f"{name} has dtype {array.dtype}; real dtypes are allowed")
    if not 1 <= t.ndim <= min(3, x.ndim) or 0 in t.shape:
        raise ValueError(
            f"template has shape {t.shape} and image {x.shape}: templates of 1 to 3 dimensions, no "
            "more than the image has, and of at least one sample are allowed"
        )
    check_nan(nan_policy, "image", np.empty(0, x.dtype))
    outside = nan_policy == "omit" and _is_nan(fill_value)
    fill_value = 0 if outside else fill_value
    options = CallOptions(
        mode=mode, boundary=boundary, axes=axes, dtype=float, fill_value=fill_value
    )
    problem = prepare(x, t, options).problem
    result = _result_dtype(x.dtype, t.dtype)
    matched = _matched(t, left_out)
    x, missing, unsound = _read(x, missing, outside, problem, nan_policy)
    # Batch axes, then the template's in the order of the image's.
    spatial = [a.axis for a in problem.spatial]
    order = [axis for axis in range(x.ndim) if axis not in spatial] + sorted(spatial)
    turn = np.argsort(spatial)
    shape = [problem.y_shape[axis] for axis in order]
    y = empty((math.prod(shape[: -t.ndim]), *shape[-t.ndim :]), result)
    if y.size:
        found = Template(
            np.ascontiguousarray(
                (np.zeros(t.shape) if matched is None else matched).transpose(turn)
            ),
            None if left_out is None else ~left_out.transpose(turn),
        )
        samples, *masks = (_as_batch(a, order, t.ndim) for a in (x, missing, unsound))
        _fill(y, found, samples, masks, matched is None, workers)
    return np.ascontiguousarray(y.reshape(shape).transpose(np.argsort(order)))


def _fill(
    y: np.ndarray,
    template: Template,
    x: Any,
    masks: list[np.ndarray | None],
    constant: bool,
    workers: int | None,
) -> None:
    """Write the coefficients to ``y``; NaN where a window holds what is not finite."""
    missing, unsound = masks
    if unsound is not None:
        x = np.where(unsound, _any_sound(x, unsound), x)
    coefficients = Coefficients(template, y.dtype, workers)
    if not constant:
        coefficients.fill(x, y, missing)
    else:
        y[...] = 0
        if missing is not None:
            _, few = coefficients.holed(missing)
            y[few] = np.nan
    if unsound is not None:
        seen = np.ones(template.values.shape, np.bool) if template.seen is None else template.seen
        y[correlate(unsound, seen, workers=workers) > 0] = np.nan


def _read(
    x: np.ndarray, missing: np.ndarray | None, outside: bool, problem: Problem, nan_policy: str
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return an image with its pads, where samples are missing, and where they are not finite."""
    if missing is not None or outside:
        missing = np.zeros(x.shape, np.bool) if missing is None else missing
        missing = _padded(missing, problem, outside)
    x = _padded(x, problem, problem.fill_value)
    unsound = _unsound(x, missing, nan_policy)
    if nan_policy == "omit" and unsound is not None:
        missing = unsound if missing is None else missing | unsound
        unsound = None
    return x, None if missing is None or not missing.any() else missing, unsound


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


def _padded(x: np.ndarray, problem: Problem, fill: Any) -> np.ndarray:
    """Return ``x`` with its pads written out, or cropped."""
    for a in problem.spatial:
        if a.low or a.high:
            read = BOUNDARIES[a.boundary].index(np.arange(-a.low, a.size + a.high), a.size)
            x = x.take(read, a.axis)  # FILL = −1 reads the last sample
            x[(slice(None),) * a.axis + (read == FILL,)] = fill
    return x
