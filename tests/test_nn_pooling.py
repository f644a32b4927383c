"""Pools and their gradients against the definition, window by window, in every ISA variant."""

import itertools
import math

import nn_oracles as oracles
import numpy as np
import pytest
from arrays import LAYOUTS, bits, noise, small

from pyconv.nn import functional, grad

#: Spatial sizes 1 to 5, and around the widths of vectors and of the lanes of long windows.
SIZES = {
    1: [(1,), (2,), (3,), (4,), (5,), (16,), (17,), (33,), (67,), (130,)],
    2: [(1, 1), (1, 5), (2, 3), (3, 2), (4, 4), (5, 1), (5, 5), (4, 31), (3, 35)],
    3: [(1, 1, 1), (1, 2, 5), (3, 3, 2), (2, 4, 19)],
}
#: Kernel, stride, padding, dilation.
WINDOWS = [
    (1, 1, 0, 1), (2, None, 0, 1), (2, 2, 1, 1), (3, 2, 1, 1), (3, 1, 1, 1), (3, 1, 2, 2),
    (4, 3, 2, 1), (2, 1, 1, 2), (5, 4, 2, 1), (3, 5, 1, 2), (2, 3, 0, 1), (1, 2, 0, 3),
]  # fmt: skip
#: Differ from axis to axis.
UNEVEN = {
    2: [((3, 1), (1, 2), (1, 0), (1, 3)), ((2, 4), (3, 1), (0, 2), (2, 1))],
    3: [((1, 2, 3), (2, 1, 2), (0, 1, 1), (1, 2, 1))],
}
LONG = [((64,), 64), ((200,), 63), ((1, 150), (1, 65)), ((9, 9, 9), 9), ((3, 100), (2, 99))]


def calls(n, dilated=True):
    """Yield sizes, the arguments of a pool, and its windows, where there are any."""
    for sizes, (k, s, p, d), ceil_mode in itertools.product(
        SIZES[n], WINDOWS + UNEVEN.get(n, []), (False, True)
    ):
        if not dilated and d != 1:
            continue
        axes = oracles.pool_windows(sizes, k, s, p, d, ceil_mode)
        if all(axes):
            yield sizes, (k, s, p, *((d,) if dilated else ()), ceil_mode), axes
    if n in (1, 2, 3):
        for sizes, k in LONG:
            if len(sizes) == n:
                args = (k, 1, 0, *((1,) if dilated else ()), False)
                yield sizes, args, oracles.pool_windows(sizes, k, 1)


def function(name, n, module=functional):
    """Return a function of a module by the number of spatial axes."""
    head, _, tail = name.partition("#")
    return getattr(module, f"{head}{n}d{tail}")


def peculiar(rng, shape, dtype):
    """Return few different values, with NaN and infinities."""
    x = small(rng, shape, dtype)
    for value in (np.nan, np.inf, -np.inf):
        x[rng.random(shape) < 0.05] = value
    if rng.random() < 0.2:
        x[...] = -np.inf
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_pool(isa, rng, n, dtype):
    """The largest sample of every window and its index, with ties, NaN and infinities."""
    pool = function("max_pool", n)
    for sizes, args, axes in calls(n):
        x = peculiar(rng, (2, *sizes), dtype)
        y, where = oracles.max_pool(x, axes)
        ours, indices = pool(x, *args, return_indices=True)
        assert ours.dtype == dtype
        assert indices.dtype == np.int64
        np.testing.assert_array_equal(ours, y)
        np.testing.assert_array_equal(indices, where)
        np.testing.assert_array_equal(pool(x, *args), y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_avg_pool(isa, rng, n, dtype):
    """One rounding, that of the division: sums of small integers are exact."""
    pool = function("avg_pool", n)
    for sizes, args, axes in calls(n, dilated=False):
        x = small(rng, (2, *sizes), dtype)
        total = oracles.sum_pool(x, axes).astype(dtype)
        for include in (True, False):
            divisor = oracles.counts(axes, sizes, args[2], include).astype(dtype)
            y = pool(x, *args, count_include_pad=include)
            assert y.dtype == dtype
            np.testing.assert_array_equal(y, total / divisor)
        np.testing.assert_array_equal(
            pool(x, *args, divisor_override=-7), total / np.array(-7, dtype)
        )


@pytest.mark.parametrize("n", [1, 2, 3])
def test_adaptive_pools(isa, rng, n):
    """As many parts as samples, fewer and more; None keeps an axis."""
    for sizes, out in itertools.product(SIZES[n], (1, 2, 3, 4, 5, 6, 7, None)):
        axes = [oracles.parts(size, size if out is None else out) for size in sizes]
        x = peculiar(rng, (2, *sizes), "float32")
        y, where = oracles.max_pool(x, axes)
        ours, indices = function("adaptive_max_pool", n)(x, out, return_indices=True)
        np.testing.assert_array_equal(ours, y)
        np.testing.assert_array_equal(indices, where)
        np.testing.assert_array_equal(function("adaptive_max_pool", n)(x, out), y)
        x = small(rng, (2, *sizes), "float32")
        expected = oracles.sum_pool(x, axes).astype("float32") / oracles.counts(
            axes, sizes, 0, True
        ).astype("float32")
        wanted = (out,) * n if n > 1 else out
        np.testing.assert_array_equal(function("adaptive_avg_pool", n)(x, wanted), expected)


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 70), (1, 2, 3, 4), (2, 1, 9, 8, 7)])
def test_global_pools(isa, rng, shape):
    """One window: the plane."""
    spatial = tuple(range(2, len(shape)))
    x = small(rng, shape, "float64")
    count = math.prod(shape[2:])
    np.testing.assert_array_equal(
        functional.global_avg_pool(x), x.sum(axis=spatial, keepdims=True) / count
    )
    y, indices = functional.global_max_pool(x, return_indices=True)
    np.testing.assert_array_equal(y, x.max(axis=spatial, keepdims=True))
    np.testing.assert_array_equal(
        indices.ravel(), x.reshape(*shape[:2], -1).argmax(axis=-1).ravel()
    )
    dy = noise(rng, y.shape, "float64")
    expected = np.broadcast_to(dy / count, shape)
    np.testing.assert_array_equal(grad.global_avg_pool_input(shape, dy), expected)
    dx = grad.global_max_pool_input(shape, indices, dy)
    np.testing.assert_array_equal(dx[dx != 0], dy.ravel())
    np.testing.assert_array_equal(x[dx != 0], y.ravel())


# ---- gradients --------------------------------------------------------------------------------


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_avg_pool_adjoint(isa, rng, n, include):
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩, exactly: no division rounds."""
    pool, pool_input = function("avg_pool", n), function("avg_pool#_input", n, grad)
    for sizes, args, axes in calls(n, dilated=False):
        if oracles.counts(axes, sizes, args[2], True).max() > 125:
            continue
        factor = float(math.lcm(*oracles.counts(axes, sizes, args[2], include).astype(int).flat))
        x = small(rng, (2, *sizes), "float64")
        y = small(rng, (2, *map(len, axes)), "float64") * factor
        dx = pool_input(x.shape, y, *args, count_include_pad=include)
        ones = pool(x, *args, count_include_pad=include)
        exact = np.round(ones * factor)  # whole: what the division has rounded comes back
        assert (exact * (y / factor)).sum() == (x * dx).sum()
        y /= factor
        dx = pool_input(x.shape, y, *args, divisor_override=1)
        assert (pool(x, *args, divisor_override=1) * y).sum() == (x * dx).sum()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_adaptive_avg_pool_adjoint(isa, rng, n):
    """The same for windows that divide an axis."""
    for sizes, out in itertools.product(SIZES[n], (1, 2, 3, 7)):
        axes = [oracles.parts(size, out) for size in sizes]
        divisor = oracles.counts(axes, sizes, 0, True)
        x = small(rng, (2, *sizes), "float64")
        y = small(rng, (2, *map(len, axes)), "float64")
        dx = function("adaptive_avg_pool#_input", n, grad)(x.shape, y * divisor)
        assert (oracles.sum_pool(x, axes) * y).sum() == (x * dx).sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_pool_gradient(isa, rng, n, dtype):
    """Each gradient at its index, added where windows share their largest sample."""
    for sizes, args, axes in calls(n):
        shape = (2, *sizes)
        _, where = oracles.max_pool(small(rng, shape, dtype), axes)
        dy = small(rng, where.shape, dtype)
        expected = np.zeros((2, math.prod(sizes)), dtype)
        for plane in range(2):
            held = where[plane] >= 0
            np.add.at(expected[plane], where[plane][held], dy[plane][held])
        dx = function("max_pool#_input", n, grad)(shape, where, dy)
        assert dx.dtype == dtype
        np.testing.assert_array_equal(dx, expected.reshape(shape), str(args))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradients_by_differences(rng, n):
    """Central differences in float64, of different samples a largest one of which is clear."""
    shape = (1, 2, *(5, 4, 6)[:n])
    x = rng.permutation(math.prod(shape)).reshape(shape) / 8
    pool = function("max_pool", n)
    for args in ((3, 2, 1, 1, True), (2, 1, 1, 2, False)):
        y, indices = pool(x, *args, return_indices=True)
        dy = noise(rng, y.shape, "float64")
        numerical = oracles.numerical_gradient(lambda v, args=args: pool(v, *args), x, dy)
        dx = function("max_pool#_input", n, grad)(shape, indices, dy)
        np.testing.assert_allclose(dx, numerical, rtol=1e-7, atol=1e-7)
    pool = function("adaptive_max_pool", n)
    y, indices = pool(x, 3, return_indices=True)
    dy = noise(rng, y.shape, "float64")
    dx = function("adaptive_max_pool#_input", n, grad)(shape, indices, dy)
    numerical = oracles.numerical_gradient(lambda v: pool(v, 3), x, dy)
    np.testing.assert_allclose(dx, numerical, rtol=1e-7, atol=1e-7)


# ---- every array, every number of threads -----------------------------------------------------

POOLS = {
    "max": lambda x, **k: functional.max_pool2d(x, 3, 2, 1, **k),
    "indices": lambda x, **k: functional.max_pool2d(x, 3, 2, 1, return_indices=True, **k)[1],
    "average": lambda x, **k: functional.avg_pool2d(x, 3, 2, 1, **k),
    "adaptive": lambda x, **k: functional.adaptive_avg_pool2d(x, 4, **k),
    "global": functional.global_avg_pool,
    "average gradient": lambda x, **k: grad.avg_pool2d_input((3, 2, 18, 22), x, 2, **k),
    "max gradient": lambda x, **k: grad.max_pool2d_input(
        (3, 2, 5, 7), np.arange(x.size).reshape(x.shape) % 35, x, **k
    ),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("pool", POOLS)
def test_workers_and_layouts(isa, rng, pool, dtype):
    """The same bits from any memory layout and for every number of threads."""
    x = noise(rng, (3, 2, 9, 11), dtype)
    expected = POOLS[pool](x, workers=1)
    if pool != "indices":
        assert expected.dtype == dtype
    for workers in (None, 2, 3, 7, 1000, -1):
        assert bits(POOLS[pool](x, workers=workers)) == bits(expected)
    for layout in LAYOUTS.values():
        assert bits(POOLS[pool](layout(x))) == bits(expected)


@pytest.mark.parametrize("pool", POOLS)
def test_input_is_not_changed(rng, pool):
    """Nothing is written into an argument."""
    x = noise(rng, (3, 2, 9, 11), "float32")
    before = x.copy()
    POOLS[pool](x)
    np.testing.assert_array_equal(x, before)


def test_half_precision_is_computed_in_single(rng):
    """A sum beyond the largest half is averaged all the same; results that overflow are inf."""
    x = np.full((1, 8, 8), 60000, "float16")
    assert functional.avg_pool2d(x, 8).ravel().tolist() == [60000]
    assert functional.avg_pool2d(x, 8, divisor_override=1).ravel().tolist() == [np.inf]


@pytest.mark.parametrize("lead", [(0, 3), (2, 0), (0,)])
def test_empty_batches(lead):
    """No planes, no results, but their shape."""
    x = np.zeros((*lead, 6, 7), "float32")
    y, indices = functional.max_pool2d(x, 2, return_indices=True)
    assert y.shape == indices.shape == (*lead, 3, 3)
    assert functional.avg_pool2d(x, 3, 1, 1).shape == (*lead, 6, 7)
    assert functional.adaptive_avg_pool2d(x, (2, 3)).shape == (*lead, 2, 3)
    assert grad.max_pool2d_input(x.shape, indices, y).shape == x.shape
    assert grad.avg_pool2d_input(x.shape, y, 2).shape == x.shape
    if len(lead) == 2:
        assert functional.global_avg_pool(x).shape == (*lead, 1, 1)


def test_huge_numbers():
    """Windows that reach far beyond the array are cut off at its ends."""
    x = np.arange(6.0).reshape(1, 6)
    far = 2**58
    assert functional.max_pool1d(x, 2 * far, far, far, ceil_mode=True).ravel()[-1] == 5
    assert functional.max_pool1d(x, 1, far).tolist() == [[0]]
    assert functional.avg_pool1d(x, 2, far, 1, count_include_pad=False).tolist() == [[0]]
