"""The definition, written a second time and independently: pad with NumPy, then sum.

    y[i] = Σ_u pad(x)[i·s + u·d] · conj(w[u])

Integers are summed as Python integers, so that nothing wraps or rounds; floats in float64 or
complex128, twice the precision of what is tested where that is float32.
"""

import itertools

import numpy as np

#: Our boundary names → the modes of np.pad.
PAD_MODES = {
    "constant": "constant",
    "nearest": "edge",
    "symmetric": "symmetric",
    "mirror": "reflect",
    "wrap": "wrap",
}


def pads_of(mode, spans):
    """Return the (low, high) pads of each axis."""
    if mode == "valid":
        return [(0, 0) for _ in spans]
    if mode == "same":
        return [(k // 2, (k - 1) // 2) for k in spans]
    if mode == "full":
        return [(k - 1, k - 1) for k in spans]
    return list(mode)


def pad_axis(x, axis, low, high, boundary, fill_value):
    """Pad one axis, or crop it where a pad is negative."""
    widths = [(0, 0)] * x.ndim
    widths[axis] = (max(low, 0), max(high, 0))
    keywords = {"constant_values": fill_value} if boundary == "constant" else {}
    x = np.pad(x, widths, PAD_MODES[boundary], **keywords)
    if x.dtype == object:  # np.pad adds NumPy's integers, which wrap
        x = np.frompyfunc(int, 1, 1)(x)
    crop = [slice(None)] * x.ndim
    # Where more is cropped than there is, nothing is left: a negative end would count backwards.
    crop[axis] = slice(max(-low, 0), max(0, x.shape[axis] - max(-high, 0)))
    return x[tuple(crop)]


def wide(a):
    """Return ``a`` in a dtype in which sums are exact, or much more exact."""
    if a.dtype == object:
        return a
    if a.dtype.kind in "biu":
        return np.array(a.astype(object) * 1, dtype=object)
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)


def small_enough(x, w, fill_value):
    """Return whether every sum of products of Python's integers is one of 62 bits."""
    if not (x.dtype == w.dtype == object and isinstance(fill_value, int | np.integer)):
        return False
    largest = max(map(abs, (*x.flat, int(fill_value))))
    return largest * max(map(abs, w.flat), default=0) * w.size < 2**62


def correlate(
    x,
    w,
    mode="valid",
    boundary="constant",
    *,
    fill_value=0,
    axes=None,
    stride=1,
    dilation=1,
    flip=False,
):
    """Return the result in a wide dtype, and Σ |x||w| over each window."""
    x, w = wide(np.asarray(x)), wide(np.asarray(w))
    if object in (x.dtype, w.dtype) and x.dtype != w.dtype:
        x = x.astype(w.dtype if x.dtype == object else x.dtype)
        w = w.astype(x.dtype)
    if exact := small_enough(x, w, fill_value):  # the same sums, many times as fast
        x, w = x.astype(np.int64), w.astype(np.int64)
    n = w.ndim
    axes = range(x.ndim - n, x.ndim) if axes is None else np.atleast_1d(axes)
    axes = [int(a) % x.ndim for a in axes]
    stride, dilation = (np.broadcast_to(v, n).tolist() for v in (stride, dilation))
    boundary = [boundary] * n if isinstance(boundary, str) else boundary
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape, dilation, strict=True)]
    for axis, (low, high), rule in zip(axes, pads_of(mode, spans), boundary, strict=True):
        x = pad_axis(x, axis, low, high, rule, fill_value)
    weights = np.flip(w) if flip else (w.conj() if w.dtype.kind == "c" else w)
    total = scale = 0
    for u in itertools.product(*map(range, w.shape)):
        window = [slice(None)] * x.ndim
        for axis, k, s, d, span in zip(axes, u, stride, dilation, spans, strict=True):
            window[axis] = slice(k * d, max(0, x.shape[axis] - span + 1) + k * d, s)
        samples = x[tuple(window)]
        total = total + samples * weights[u]
        scale = scale + abs(samples) * abs(weights[u])
    return (total.astype(object), scale.astype(object)) if exact else (total, scale)


def resample(
    x, w, up, down, mode="valid", boundary="constant", *, fill_value=0, axis=-1, dilation=1,
    flip=False,
):  # fmt: skip
    """Return the same between two rates: zeros between samples, the sum, every `down`-th of it.

    What is outside the samples has zeros in between as well.
    """
    x, w = np.asarray(x), np.asarray(w)
    ((low, high),) = pads_of(mode, [(w.size - 1) * dilation + 1])
    places = (x.shape[axis] - 1) * up + 1 + low + high
    before, after = (max(0, -(-pad // up)) for pad in (low, high))
    x = np.moveaxis(pad_axis(wide(x), axis, before, after, boundary, fill_value), axis, -1)
    grid = np.zeros((*x.shape[:-1], x.shape[-1] * up), x.dtype)
    grid[..., ::up] = x
    first = before * up - low
    grid = grid[..., first : first + places]
    sums = correlate(grid, w, stride=down, dilation=dilation, flip=flip)
    return tuple(np.moveaxis(each, -1, axis) for each in sums)
