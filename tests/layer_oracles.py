"""The definition of a layer, written a second time: pad with NumPy, then sum over the taps.

    y[n, k, i] = b[k] + Σ_c Σ_u pad(x)[n, c, i·s + u·d] · w[k, c, u]

Sums are float64 or complex128, exact where the data are small integers.
"""

import itertools

import numpy as np
from oracles import pad_axis

#: torch's words → our boundaries.
BOUNDARIES = {
    "zeros": "constant",
    "reflect": "mirror",
    "replicate": "nearest",
    "circular": "wrap",
}


def pads_of(padding, spans):
    """Return the (low, high) pads of each axis from any spelling of them."""
    if padding == "valid":
        return [(0, 0) for _ in spans]
    if padding == "same":
        return [((k - 1) // 2, k // 2) for k in spans]
    if isinstance(padding, int):
        return [(padding, padding) for _ in spans]
    return [(p, p) if isinstance(p, int) else p for p in padding]


def windows(x, taps, stride, padding, dilation, padding_mode):
    """Yield each tap and what it reads of ``x`` (N, C, spatial…), one sample for each result."""
    n = len(taps)
    stride, dilation = (np.broadcast_to(v, n).tolist() for v in (stride, dilation))
    spans = [(k - 1) * d + 1 for k, d in zip(taps, dilation, strict=True)]
    for axis, (low, high) in enumerate(pads_of(padding, spans), start=2):
        x = pad_axis(x, axis, low, high, BOUNDARIES[padding_mode], 0)
    for u in itertools.product(*map(range, taps)):
        window = [slice(None), slice(None)]
        for i in range(n):
            begin = u[i] * dilation[i]
            window.append(slice(begin, x.shape[2 + i] - spans[i] + 1 + begin, stride[i]))
        yield u, x[tuple(window)]


def conv(x, w, bias=None, stride=1, padding=0, dilation=1, groups=1, padding_mode="zeros"):
    """Return the result of a layer in float64 or complex128, and Σ |x||w| over each window."""
    wide = np.complex128 if "c" in (x.dtype.kind, w.dtype.kind) else np.float64
    x, w = x.astype(wide), w.astype(wide)
    total = scale = 0
    for u, samples in windows(x, w.shape[2:], stride, padding, dilation, padding_mode):
        tap = w[(slice(None), slice(None), *u)]
        total = total + by_group(tap, samples, groups)
        scale = scale + by_group(abs(tap), abs(samples), groups)
    if bias is not None:
        total = total + np.asarray(bias).reshape(-1, *[1] * (x.ndim - 2))
    return total, scale


def by_group(tap, samples, groups):
    """Return one tap's products, summed over the channels of each group."""
    channels = samples.shape[1] // groups
    outs = tap.shape[0] // groups
    parts = [
        np.einsum(
            "kc,nc...->nk...",
            tap[g * outs : (g + 1) * outs],
            samples[:, g * channels : (g + 1) * channels],
        )
        for g in range(groups)
    ]
    return np.concatenate(parts, axis=1)


def weight_gradient(x, w_shape, dy, stride=1, padding=0, dilation=1, groups=1, mode="zeros"):
    """Return dw[k, c, u] = Σ dy[n, k, i] x[n, c, i·s + u·d − p] in float64."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    dw = np.zeros(w_shape)
    outs = w_shape[0] // groups
    for u, samples in windows(x, w_shape[2:], stride, padding, dilation, mode):
        for k in range(w_shape[0]):
            first = k // outs * w_shape[1]
            of_group = samples[:, first : first + w_shape[1]]
            axes = (0, *range(2, x.ndim))
            dw[(k, slice(None), *u)] = (of_group * dy[:, k : k + 1]).sum(axes)
    return dw
