"""Pools and their gradients against the definition, window by window, in every ISA variant."""

import itertools
import math

import nn_oracles as oracles
import numpy as np
import pytest
from arrays import LAYOUTS, bits, noise, small

from pyconv import nn
from pyconv.nn import functional, grad
from pyconv.nn._functions import pooling

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


# ---- pads of two sides, wide ones, and integers ------------------------------------------------

#: Kernel, stride, (low, high) pads, dilation of one axis; from the fourth on wider than half.
PADS = [
    (3, 1, (1, 0), 1), (3, 2, (0, 1), 2), (4, 3, (2, 1), 1), (3, 1, (3, 0), 1), (2, 1, (0, 4), 1),
    (2, 3, (7, 5), 1), (5, 2, (4, 9), 2), (1, 1, (2, 3), 1), (9, 4, (8, 8), 1), (1, 2, (70, 0), 1),
]  # fmt: skip


def padded_calls(n, dilated=True):
    """Yield the keywords of a pool for sizes, and how many windows there are along each axis."""
    for sizes, (i, case), ceil_mode in itertools.product(SIZES[n], enumerate(PADS), (False, True)):
        cases = [case, PADS[(i + 5) % len(PADS)], PADS[(i + 8) % len(PADS)]][:n]
        k, s, pads, d = zip(*cases, strict=True)
        d = d if dilated else (1,) * n
        out = []
        for size, taps, step, (low, high), apart in zip(sizes, k, s, pads, d, strict=True):
            span = (taps - 1) * apart + 1
            starts = range(0, size + low + high - span + 1, step)
            more = ceil_mode and len(starts) and starts[-1] + span < size + low + high
            out.append(len(starts) + bool(more and starts[-1] + step < size + low))
        if all(out):
            given = {"kernel_size": k, "stride": s, "padding": pads, "ceil_mode": ceil_mode}
            wide = any(max(p) > ((t - 1) * a + 1) // 2 for t, p, a in zip(k, pads, d, strict=True))
            yield sizes, given | ({"dilation": d} if dilated else {}), out, wide


def extended(x, given, value):
    """Return an array with its pads, and so much more that no window sticks out."""
    n = len(given["padding"])
    pads = [(low, high + 40) for low, high in given["padding"]]
    return np.pad(x, [(0, 0)] * (x.ndim - n) + pads, constant_values=value)


def inside(given):
    """Return the same call of an array that is extended."""
    return given | {"padding": 0, "ceil_mode": False}


def first(y, out):
    return y[(..., *map(slice, out))]


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int8"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_pool_of_pads(isa, rng, n, dtype):
    """Samples before, behind and between: those of an array that is extended."""
    pool, scattered = function("max_pool", n), function("max_pool#_input", n, grad)
    for sizes, given, out, wide in padded_calls(n):
        x = rng.integers(-100, 100, (2, *sizes)).astype(dtype)
        places = np.arange(math.prod(sizes)).reshape(1, *sizes)
        floats = extended(x.astype("f8"), given, -np.inf)
        y, where = pool(floats, **inside(given), return_indices=True)
        y, where = first(y, out), first(where, out)
        ours, indices = pool(x, **given, return_indices=True, wide_padding=True)
        assert ours.dtype == dtype
        least = np.iinfo(dtype).min if x.dtype.kind in "iu" else -np.inf
        np.testing.assert_array_equal(ours, np.maximum(y, least))
        at = extended(places, given, -1).ravel()[where]
        np.testing.assert_array_equal(indices, np.where(y == -np.inf, -1, at))
        np.testing.assert_array_equal(pool(x, **given, wide_padding=True), ours)
        dy = rng.integers(-9, 9, ours.shape).astype("f4")
        expected = scattered(floats.shape, where, np.where(y == -np.inf, 0, dy))
        inner = tuple(slice(p[0], p[0] + s) for p, s in zip(given["padding"], sizes, strict=True))
        dx = scattered(x.shape, indices, dy)
        np.testing.assert_array_equal(dx, expected[(..., *inner)])
        if wide:
            with pytest.raises(ValueError, match="more with wide_padding=True"):
                pool(x, **given)
        else:
            np.testing.assert_array_equal(pool(x, **given), ours)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_avg_pool_of_pads(isa, rng, n):
    """Sums of an array that is extended by zeros, divided by what counts; and the adjoint."""
    pool, pool_input = function("avg_pool", n), function("avg_pool#_input", n, grad)
    for sizes, given, out, wide in padded_calls(n, dilated=False):
        x = small(rng, (2, *sizes), "float64")
        sums = inside(given) | {"divisor_override": 1}
        total = first(pool(extended(x, given, 0), **sums), out)
        ones = np.ones((1, *sizes))
        pads = [(0, 0), *given["padding"]]
        whole = {"padding": [(0, 0)] * n}
        for include in (True, False):
            counted = (
                extended(np.pad(ones, pads, constant_values=1), given | whole, 0)
                if include
                else extended(ones, given, 0)
            )
            divisor = first(pool(counted, **sums), out)
            options = given | {"count_include_pad": include, "wide_padding": True}
            with np.errstate(invalid="ignore"):
                np.testing.assert_array_equal(pool(x, **options), total / divisor)
            each = rng.integers(-9, 9, total.shape)
            dx = pool_input(x.shape, each * divisor, **options)
            assert (x * dx).sum() == (total * each).sum()
            assert np.isfinite(dx).all()
        dy = small(rng, total.shape, "float64")
        options = given | {"divisor_override": 1, "wide_padding": True}
        np.testing.assert_array_equal(pool(x, **options), total)
        assert (total * dy).sum() == (x * pool_input(x.shape, dy, **options)).sum()
        if wide:
            with pytest.raises(ValueError, match="more with wide_padding=True"):
                pool(x, **given)
            with pytest.raises(ValueError, match="more with wide_padding=True"):
                pool_input(x.shape, dy, **given)


def test_windows_without_samples():
    x = np.full((1, 2), 5.0)
    wide = {"padding": 3, "wide_padding": True}
    y, indices = functional.max_pool1d(x, 2, 1, **wide, return_indices=True)
    np.testing.assert_array_equal(y, [[-np.inf, -np.inf, 5, 5, 5, -np.inf, -np.inf]])
    np.testing.assert_array_equal(indices, [[-1, -1, 0, 0, 1, -1, -1]])
    y = functional.max_pool1d(x.astype("i1"), 2, 1, **wide)
    np.testing.assert_array_equal(y, [[-128, -128, 5, 5, 5, -128, -128]], strict=False)
    y = functional.avg_pool1d(x, 2, 1, **wide)
    np.testing.assert_array_equal(y, [[0, 0, 2.5, 5, 2.5, 0, 0]])
    y = functional.avg_pool1d(x, 2, 1, **wide, count_include_pad=False)
    np.testing.assert_array_equal(y, [[np.nan, np.nan, 5, 5, 5, np.nan, np.nan]])


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_largest_samples_of_integers(rng, dtype, monkeypatch):
    """Of whole planes, of parts, some planes at a time; in any layout."""
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max + 1, (5, 3, 13, 14)).astype(dtype)
    for name, given in (
        ("max_pool2d", (3, 2, 1)), ("adaptive_max_pool2d", ((4, 5),)), ("global_max_pool", ()),
    ):  # fmt: skip
        pool = getattr(functional, name)
        y, where = pool(x.astype("f4"), *given, return_indices=True)
        for slab in (pooling.SLAB, 400):
            monkeypatch.setattr(pooling, "SLAB", slab)
            for a in (x, np.asfortranarray(x), x[::-1][::-1], np.repeat(x, 2, -1)[..., ::2]):
                ours, indices = pool(a, *given, return_indices=True, workers=2)
                np.testing.assert_array_equal(ours, y.astype(dtype), strict=True)
                np.testing.assert_array_equal(indices, where, strict=True)
                np.testing.assert_array_equal(pool(a, *given), ours, strict=True)
    for empty in ((0, 3, 13, 14), (3, 0, 13, 14)):
        assert functional.max_pool2d(np.empty(empty, dtype), 3).dtype == dtype
    for call, words in (
        (lambda: functional.avg_pool2d(x, 2), "allowed are float16, float32, float64$"),
        (lambda: functional.max_pool2d(x.astype("i2"), 2), "float64, int8, uint8$"),
    ):
        with pytest.raises(TypeError, match=words):
            call()


@pytest.mark.parametrize(
    ("padding", "error", "words"),
    [
        ([(1, 1)], ValueError, "has 1 pairs; the kernel has 2"),
        ([(1, 1, 1), (0, 0)], ValueError, "no .low, high. pair"),
        ([(1, -1), (0, 0)], ValueError, "integers of at least 0"),
        ([(1, 0.5), (0, 0)], TypeError, "padding=0.5: integers"),
        ([(1, 2**60), (0, 0)], ValueError, "from 0 to"),
        ([1, (0, 0)], ValueError, "either integers or"),
        ("same", TypeError, "padding='same': integers"),
        (-1, ValueError, "from 0 to"),
    ],
)
def test_pads_that_are_none(padding, error, words):
    for call in (functional.max_pool2d, functional.avg_pool2d):
        with pytest.raises(error, match=words):
            call(np.ones((1, 9, 9)), 3, padding=padding, wide_padding=True)


def test_layers_take_pads(rng):
    x = rng.standard_normal((2, 3, 9, 10))
    for layer, name in ((nn.MaxPool2d, "max_pool2d"), (nn.AvgPool2d, "avg_pool2d")):
        pads = [(0, 1), (2, 2)]
        pool = layer(3, 2, pads, ceil_mode=True, wide_padding=True)
        y = getattr(functional, name)(x, 3, 2, pads, ceil_mode=True, wide_padding=True)
        np.testing.assert_array_equal(pool(x), y)
        assert pool.output_shape(x.shape) == y.shape
        assert pool.first_seen((0, 1)) == (0, 0)
        dy = rng.standard_normal(y.shape)
        dx = pool.backward(dy)
        assert dx.shape == x.shape
        step = 1e-6 * rng.standard_normal(x.shape)
        change = (getattr(functional, name)(x + step, 3, 2, pads, ceil_mode=True,
                                            wide_padding=True) - y)  # fmt: skip
        np.testing.assert_allclose((change * dy).sum(), (step * dx).sum(), rtol=1e-5)
        assert "wide_padding=True" in repr(pool)
        assert "wide_padding" not in repr(layer(3))
