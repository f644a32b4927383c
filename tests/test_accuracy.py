"""Every algorithm keeps to the bound that `docs/dtypes.rst` states for it, on hostile data."""

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import source_tree
from arrays import noise

import pyconv
from pyconv import kernels, nn
from pyconv._engine.algorithms import ALGORITHMS, RATE_ALGORITHMS

#: Where it is granted for Gaussians, for each axis.
RECURSIVE_RTOL = 1e-3


def loud_million(rng, shape):
    x = rng.standard_normal(shape)
    x[tuple(n // 2 for n in shape)] = 1e6
    return x


def loud_fill(rng, shape):
    x = np.ones(shape)
    x[tuple(n // 3 for n in shape)] = 1e20
    return x


def thirty_decades(rng, shape):
    return 10 ** rng.uniform(-15, 15, shape)


def stairs(rng, shape):
    return rng.standard_normal(shape) * np.geomspace(1e-15, 1e15, shape[-1])


def alternating(rng, shape):
    return np.where(np.indices(shape).sum(axis=0) % 2, -1.0, 1.0) * (1 + 1e-3 * rng.random(shape))


DATA = [loud_million, loud_fill, thirty_decades, stairs, alternating]

#: Samples and taps; of the last there are more than 512.
SHAPES = [((1000,), (65,)), ((40, 44), (9, 11)), ((14, 15, 16), (5, 4, 3)), ((32, 33), (23, 23))]


def random_weights(rng, shape):
    return rng.standard_normal(shape)


def product_weights(rng, shape):
    sides = [rng.standard_normal(n) for n in shape]
    w = sides[0]
    for side in sides[1:]:
        w = np.multiply.outer(w, side)
    return w


def equal_weights(rng, shape):
    return np.full(shape, 1 / math.prod(shape))


def gaussian_weights(rng, shape):
    sides = [kernels.gaussian(max(1.0, n / 9), ndim=1) for n in shape]
    w = sides[0]
    for side in sides[1:]:
        w = np.multiply.outer(w, side)
    return w


def windows(x, shape):
    """Return the windows of an array, their samples on the last axes."""
    return np.lib.stride_tricks.sliding_window_view(x, shape)


def sums_of(x, w):
    """Return the sums in extended precision, Σ|x||w| of each window and its largest sample."""
    x, w = x.astype(np.longdouble), w.astype(np.longdouble)
    total = scale = np.zeros([n - k + 1 for n, k in zip(x.shape, w.shape, strict=True)], x.dtype)
    for u in itertools.product(*map(range, w.shape)):
        seen = x[tuple(slice(i, i + n) for i, n in zip(u, total.shape, strict=True))]
        total, scale = total + seen * w[u], scale + abs(seen * w[u])
    largest = abs(x)
    for axis, taps in enumerate(w.shape):
        largest = np.lib.stride_tricks.sliding_window_view(largest, taps, axis).max(axis=-1)
    return total, scale, largest


def plain(x, w, eps):
    _, scale, _ = sums_of(x, w)
    terms = w.size + 2 if w.size <= 512 else 3 * math.sqrt(w.size) + 514
    return terms * eps * scale


def boxes(x, w, eps):
    return (w.size + 2) * eps * sums_of(x, w)[1]


def separable(x, w, eps):
    terms = w.size + 2 if w.size <= 512 else 3 * math.sqrt(w.size) + 514
    return terms * eps * sums_of(x, w)[2] * np.abs(w).sum()


def transforms(x, w, eps):
    return 64 * eps * sums_of(x, w)[2] * np.abs(w).sum()


def recursive(x, w, eps):
    return RECURSIVE_RTOL * w.ndim * np.abs(x).max() * np.abs(w).sum()


#: Of each algorithm: what it is held against, and the weights that it takes.
BOUNDS = {
    "direct": (plain, random_weights),
    "im2col": (plain, random_weights),
    "reference": (plain, random_weights),
    "box": (boxes, equal_weights),
    "separable": (separable, product_weights),
    "fft": (transforms, random_weights),
    "recursive": (recursive, gaussian_weights),
}


def test_every_algorithm_has_its_bound():
    """In the table of the documentation, and here."""
    page = source_tree.file("docs/dtypes.rst").read_text(encoding="utf-8")
    table = page.partition("   * - algorithm")[2].partition("\nA ")[0]
    rows = re.findall(r"^   \* - (.*)$", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"``(\w+)``", row)}
    between_rates = {a.name for a in RATE_ALGORITHMS}
    assert named == {a.name for a in ALGORITHMS} | between_rates | {"winograd"}
    assert set(BOUNDS) == {a.name for a in ALGORITHMS}
    assert set(RATE_BOUNDS) == between_rates


#: Of each algorithm between two rates: what it is held against.
RATE_BOUNDS = {"polyphase": plain, "direct": plain, "fft": transforms, "reference": plain}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("method", RATE_BOUNDS)
def test_stated_bound_between_two_rates(rng, method, data, dtype):
    """Against the definition: zeros between the samples, and every so many of its results."""
    up, down, n, taps = 3, 2, 400, 65
    w = random_weights(rng, (taps,)).astype(dtype)
    x = np.zeros((n - 1) * up + 1, dtype)
    with np.errstate(over="ignore", under="ignore"):
        x[::up] = np.clip(data(rng, (n,)), -1e30, 1e30).astype(dtype)
    y = pyconv.correlate(x[::up].copy(), w, stride=Fraction(down, up), method=method)
    total = sums_of(x, w)[0][::down]
    bound = RATE_BOUNDS[method](x, w, np.longdouble(np.finfo(dtype).eps))[::down]
    assert y.shape == total.shape
    assert (abs(y - total) <= bound).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("method", BOUNDS)
def test_stated_bound(rng, method, data, dtype):
    """Of every result, in one, two and three dimensions, with few taps and many."""
    bound, weights = BOUNDS[method]
    options = {} if method != "recursive" else {"rtol": RECURSIVE_RTOL}
    solved = 0
    for shape, taps in SHAPES:
        x, w = data(rng, shape).astype(dtype), weights(rng, taps).astype(dtype)
        if any(k > n for k, n in zip(w.shape, shape, strict=True)):
            continue
        if method == "recursive":
            options["rtol"] = RECURSIVE_RTOL * w.ndim
        try:
            y = pyconv.correlate(x, w, method=method, **options)
        except ValueError as error:
            if "cannot solve this problem" not in str(error):
                raise
            continue
        solved += 1
        exact = sums_of(x, w)[0]
        assert (abs(y - exact) <= bound(x, w, np.finfo(dtype).eps)).all(), (shape, taps)
    assert solved >= 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("method", "side", "units"), [("winograd4", 4, 64), ("winograd2", 2, 4)])
def test_stated_bound_of_winograd(rng, method, side, units, data, dtype):
    """In units of the largest Σ|x||w| of the results that a tile may hold."""
    x, w = data(rng, (1, 4, 16, 17)).astype(dtype), noise(rng, (4, 4, 3, 3), dtype)
    y = nn.functional.conv2d(x, w, method=method)
    exact, scale = (np.zeros(y.shape, np.longdouble) for _ in range(2))
    for k, c in itertools.product(range(4), repeat=2):
        total, size, _ = sums_of(x[0, c], w[k, c])
        exact[0, k] += total
        scale[0, k] += size
    near = np.pad(scale, [(0, 0), (0, 0), (side - 1, side - 1), (side - 1, side - 1)])
    near = windows(near, (1, 1, 2 * side - 1, 2 * side - 1)).max(axis=(-4, -3, -2, -1))
    assert (abs(y - exact) <= units * np.finfo(dtype).eps * near).all()
