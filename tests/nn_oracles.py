"""The definitions of pyconv.nn, written a second time: every window by itself, in Python.

Windows are lists of positions along an axis, those outside it included; the rest follows from
them alone.
"""

import itertools
import math

import numpy as np


def windows(size, k, stride, pad, dilation, ceil_mode):
    """Return the positions that each window reads along one axis."""
    found, start = [], -pad
    while True:
        inside = start + (k - 1) * dilation < size + pad
        # What is left over after the last whole window gets one more, if that begins before the
        # end of the samples.
        left_over = ceil_mode and start < size and not _reaches_end(found, size + pad)
        if not (inside or left_over):
            return found
        found.append([start + u * dilation for u in range(k)])
        start += stride


def _reaches_end(found, end):
    return bool(found) and found[-1][-1] + 1 >= end


def parts(size, n):
    """Return the positions of each of n adaptive windows along one axis."""
    return [list(range(math.floor(o * size / n), math.ceil((o + 1) * size / n))) for o in range(n)]


def pool_windows(sizes, k, stride=None, pad=0, dilation=1, ceil_mode=False):
    """Return the windows of each axis."""
    n = len(sizes)
    spread = [np.broadcast_to(v, n).tolist() for v in (k, k if stride is None else stride, pad,
                                                      dilation)]  # fmt: skip
    return [windows(size, *each, ceil_mode) for size, *each in zip(sizes, *spread, strict=True)]


def each_window(x, axes):
    """Yield, for each output, its index, and the positions of its samples in order."""
    for o in itertools.product(*(range(len(axis)) for axis in axes)):
        yield o, list(itertools.product(*(axis[i] for axis, i in zip(axes, o, strict=True))))


def is_inside(position, sizes):
    """Return whether a position is a sample."""
    return all(0 <= p < size for p, size in zip(position, sizes, strict=True))


def max_pool(x, axes):
    """Return the largest samples and their indices: the first of equals, the last NaN."""
    n = len(axes)
    lead, sizes = x.shape[:-n], x.shape[-n:]
    y = np.full((*lead, *map(len, axes)), -np.inf, x.dtype)
    where = np.full(y.shape, -1)
    for plane in np.ndindex(lead):
        for o, positions in each_window(x, axes):
            for p in filter(lambda p: is_inside(p, sizes), positions):
                value, best = x[(*plane, *p)], y[(*plane, *o)]
                if where[(*plane, *o)] < 0 or value > best or np.isnan(value):
                    y[(*plane, *o)] = value
                    where[(*plane, *o)] = np.ravel_multi_index(p, sizes)
    return y, where


def sum_pool(x, axes):
    """Return the sum of each window, in float64."""
    n = len(axes)
    lead, sizes = x.shape[:-n], x.shape[-n:]
    y = np.zeros((*lead, *map(len, axes)))
    for o, positions in each_window(x, axes):
        for p in filter(lambda p: is_inside(p, sizes), positions):
            y[(..., *o)] += x[(..., *p)]
    return y


def counts(axes, sizes, pad, count_include_pad):
    """Return by what the sum of each window is divided."""
    n = len(axes)
    pads = np.broadcast_to(pad, n)
    counted = np.zeros(tuple(map(len, axes)))
    for o, positions in each_window(None, axes):
        for p in positions:
            padded = all(q < s + b for q, s, b in zip(p, sizes, pads, strict=True))
            counted[o] += padded if count_include_pad else is_inside(p, sizes)
    return counted


def unfold(x, axes):
    """Return the columns of the windows."""
    n = len(axes)
    lead, sizes = x.shape[: -n - 1], x.shape[-n:]
    columns = []
    for _, positions in each_window(x, axes):
        samples = [
            x[(..., *p)] if is_inside(p, sizes) else np.zeros(x.shape[:-n], x.dtype)
            for p in positions
        ]
        column = np.stack(samples, axis=-1)
        columns.append(column.reshape(*lead, x.shape[-n - 1] * len(positions)))
    return np.stack(columns, axis=-1)


def log_softmax(x, axis):
    """Return the logarithm of the shares, in long double."""
    x = np.asarray(x, np.longdouble)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


def cross_entropy(x, target, w, ignore_index, smoothing):
    """Return the loss of each target, and what the mean divides their sum by."""
    x = np.asarray(x, np.float64)
    axis = min(1, x.ndim - 1)
    classes = x.shape[axis]
    logarithms = np.moveaxis(log_softmax(x, axis), axis, -1).astype(np.float64)
    shares = np.moveaxis(target, axis, -1) if target.dtype.kind == "f" else None
    losses, total = np.zeros(logarithms.shape[:-1]), 0.0
    for i in np.ndindex(losses.shape):
        if shares is None and target[i] == ignore_index:
            continue
        given = shares[i] if shares is not None else np.eye(classes)[target[i]]
        q = w * ((1 - smoothing) * given + smoothing / classes)
        losses[i] = -(q * logarithms[i]).sum()
        total += 1 if shares is not None else w[target[i]]
    return losses, total


def numerical_gradient(f, x, dy, step=1e-6):
    """Return the gradient of Σ f(x)·dy by central differences in float64."""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] += step
        below[i] -= step
        gradient[i] = ((f(above) - f(below)) * dy).sum() / (2 * step)
    return gradient
