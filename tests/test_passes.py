"""Passes with known factors: costs of their own sizes, and sums that keep every symmetry."""

import itertools
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.ndimage
from conftest import one_in
from strips import in_strips

from pyconv import filters, kernels, ndimage
from pyconv._engine import separable_passes
from pyconv._engine.algorithms.correlation.passes import Passes
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.planner import clear_cache

#: Single samples, thin arrays, tails of vectors, whole tiles, long lines, volumes.
SHAPES = [(1,), (5,), (64,), (5001,), (9000,), (1, 1), (3, 3), (1, 40), (40, 1), (31, 33),
          (2, 500), (130, 97), (5, 6, 7), (20, 19, 40)]  # fmt: skip
DTYPES = ["float32", "float64", "complex64", ">f2", "uint8"]

#: Filters whose kernels are their own mirror image along every axis.
EVEN = {
    "gaussian": lambda x, **o: filters.gaussian(x, 1.3, **o),
    "wide gaussian": lambda x, **o: filters.gaussian(x, 9, **o),
    "second derivatives": lambda x, **o: filters.gaussian(x, 2, order=2, **o),
    "small box": lambda x, **o: filters.box(x, 5, **o),
    "laplace": filters.laplace,
    "diagonals": lambda x, **o: filters.laplace(x, diagonals=True, **o),
    "edge": filters.edge,
    "sharpen": filters.sharpen,
    "log": lambda x, **o: filters.log(x, 1.5, **o),
    "dog": lambda x, **o: filters.dog(x, 1.5, **o),
    "unsharp": lambda x, **o: filters.unsharp(x, 2, **o),
}
#: Filters whose kernels are the negative of it along one axis.
ODD = {
    "sobel": filters.sobel,
    "prewitt": filters.prewitt,
    "scharr": filters.scharr,
    "slope": lambda x, axis, **o: filters.gaussian(
        x, 2, order=[int(a == axis % x.ndim) for a in range(x.ndim)], **o
    ),
}
DROPINS = {
    "gaussian_filter": lambda x: ndimage.gaussian_filter(x, 1),
    "wide gaussian_filter": lambda x: ndimage.gaussian_filter(x, 8),
    "laplace": ndimage.laplace,
    "gaussian_laplace": lambda x: ndimage.gaussian_laplace(x, 1.5),
    "gaussian_gradient_magnitude": lambda x: ndimage.gaussian_gradient_magnitude(x, 1.5),
    "correlate1d": lambda x: ndimage.correlate1d(x, [0.1, 0.7, 0.7, 0.1, 0.3, 0.1, 0.7, 0.7, 0.1]),
}
ODD_DROPINS = {
    "sobel": ndimage.sobel,
    "prewitt": ndimage.prewitt,
    "gaussian_filter1d": lambda x, axis: ndimage.gaussian_filter1d(x, 1.5, axis, order=1),
    "correlate1d": lambda x, axis: ndimage.correlate1d(x, [-0.3, -0.7, 0, 0.7, 0.3], axis),
}


def mirrored(run, x, axis):
    """Return the filter of a mirrored array, mirrored back."""
    return np.flip(run(np.flip(x, axis)), axis)


def samples(rng, shape, dtype):
    """Return noise in any dtype."""
    x = 100 * rng.random(shape)
    return (x + 1j * rng.random(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


@pytest.mark.parametrize(("dtype", "shape"), one_in(2, DTYPES, SHAPES))
def test_a_mirrored_array_gives_the_mirrored_result(isa, rng, shape, dtype):
    """To the bit, along each axis, for every boundary."""
    x = samples(rng, shape, dtype)
    axes = tuple(range(len(shape)))
    for boundary in BOUNDARIES:
        options = {"axes": axes, "boundary": boundary}
        for name, run in EVEN.items():
            y = run(x, **options)
            for axis in axes:
                image = mirrored(lambda part, run=run, o=options: run(part, **o), x, axis)
                assert np.array_equal(image, y), (name, boundary, axis)
        for name, run in ODD.items():
            y = run(x, -1, **options)
            for axis in axes:
                image = mirrored(lambda part, run=run, o=options: run(part, -1, **o), x, axis)
                assert np.array_equal(image, -y if axis == axes[-1] else y), (name, boundary, axis)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [*SHAPES, (200, 210)])
def test_a_mirrored_array_gives_the_mirrored_result_of_a_drop_in(isa, rng, shape, dtype):
    x = samples(rng, shape, dtype)
    for name, run in DROPINS.items():
        y = run(x)
        for axis in range(x.ndim):
            assert np.array_equal(mirrored(run, x, axis), y), (name, axis)
    for name, run in ODD_DROPINS.items():
        for along in range(x.ndim):
            y = run(x, along)
            for axis in range(x.ndim):
                image = mirrored(lambda part, run=run, a=along: run(part, a), x, axis)
                assert np.array_equal(image, -y if axis == along else y), (name, along, axis)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "float16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_derivative_of_equal_samples_is_zero(isa, shape, dtype):
    """Exactly, for values that have no short binary fraction too."""
    axes = tuple(range(len(shape)))
    for value in (0.1, 1 / 3, 1.7e3):
        x = np.full(shape, value, dtype)
        for axis in axes:
            for name, run in ODD.items():
                assert not run(x, axis, axes=axes).any(), (name, value)
            if dtype in ("float32", "float64"):
                for name, run in ODD_DROPINS.items():
                    assert not run(x, axis).any(), (name, value)
        for name in ("laplace", "diagonals", "edge"):
            if len(shape) == 1 or name == "laplace":
                assert not EVEN[name](x, axes=axes).any(), (name, value)
        assert np.array_equal(filters.sharpen(x, axes=axes), x)


def test_steps_have_no_slope_along_them():
    x = np.zeros((20, 20))
    x[6:] = 0.1
    for run in (ndimage.sobel, ndimage.prewitt, filters.sobel, filters.prewitt, filters.scharr):
        assert not run(x, 1).any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bool", "uint8"])
def test_ones_stay_one(isa, dtype):
    """Means of ones are exactly 1, whatever the width."""
    for shape in ((10, 10), (70, 81), (300,), (6000,)):
        x = np.ones(shape, dtype)
        for sigma in (0.3, 0.7, 1, 1.5, 2, 5, 11, 20, 50, 300):
            assert (filters.gaussian(x, sigma) == 1).all(), sigma
            if dtype in ("float32", "float64"):
                assert (ndimage.gaussian_filter(x, sigma) == 1).all(), sigma
        for size in (2, 3, 7, 9, 16, 17, 49, 101, 2001, 5001):
            assert (filters.box(x, size) == 1).all(), size


@pytest.mark.parametrize("boundary", ["nearest", "mirror", "symmetric", "wrap"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ones_stay_one_under_kernels_longer_than_the_axis(isa, dtype, boundary):
    """Weights that a border reads many times are one weight, and their sum is rounded to 1."""
    mode = {"symmetric": "reflect"}.get(boundary, boundary)
    for shape in ((1,), (2,), (9,), (200, 5), (13, 8), (100, 3, 8), (1, 4, 20)):
        x = np.ones(shape, dtype)
        axes = tuple(range(len(shape)))
        for sigma in (1, 2, 5, 6, 8.3, 10, 20, 37, 100, 300):
            y = filters.gaussian(x, sigma, boundary=boundary, axes=axes)
            assert (y == 1).all(), (shape, sigma)
            y = ndimage.gaussian_filter(x, sigma, mode=mode)
            assert (y == 1).all(), (shape, sigma)
        assert (filters.box(x, 9, boundary=boundary, axes=axes) == 1).all()


def test_weights_sum_to_one_in_the_order_of_the_loop():
    """Each within roundings of what it was, and still its own mirror image."""
    for dtype, boundary, size, sigma in itertools.product(
        (np.float32, np.float64), ("nearest", "mirror", "symmetric", "wrap"), range(1, 40),
        (0.7, 1.5, 5, 8.3, 20, 50, 300),
    ):  # fmt: skip
        row = kernels.gaussian(sigma, ndim=1).astype(float)
        few, _ = separable_passes.narrowed(row, len(row) // 2, size, boundary)
        w = separable_passes.balanced(few, np.dtype(dtype))
        half, odd = divmod(len(w), 2)
        terms = np.concatenate([2 * w[:half], w[half : half + odd]])
        assert np.add.accumulate(terms)[-1] == 1, (dtype, boundary, size, sigma)
        np.testing.assert_array_equal(w, w[::-1])
        assert np.abs(w - few).max() <= 2 * np.finfo(dtype).eps


# ---- rows that are read where they lie ----------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(
    "shape", [(30, 40), (9, 1024), (300, 70), (1, 65), (25, 3, 50), (4, 30, 33)]
)
def test_columns_are_the_same_bits_from_every_layout(isa, rng, shape, dtype):
    """Of a contiguous array tiles read the rows themselves, of others copies of them."""
    x = samples(rng, shape, dtype)
    apart = np.empty((*shape[:-1], 2 * shape[-1]), dtype)[..., ::2]
    apart[...] = x
    turned = np.flip(np.flip(x, 0).copy(), 0)
    for boundary in BOUNDARIES:
        options = {"axes": 0, "boundary": boundary, "fill_value": 7}
        for sigma, order in ((0.5, 0), (0.5, 1), (1, 2), (2, 0), (11, 0)):
            y = filters.gaussian(x, sigma, order, **options)
            for other in (apart, turned):
                assert np.array_equal(filters.gaussian(other, sigma, order, **options), y)
            part = filters.gaussian(x[..., :5], sigma, order, **options)  # less than a vector
            assert np.array_equal(part, y[..., :5])
            if boundary != "constant":
                mode = {"symmetric": "reflect"}.get(boundary, boundary)
                exact = scipy.ndimage.gaussian_filter1d(
                    x.astype(complex), sigma, 0, order=order, mode=mode
                )
                scale = 100 * np.abs(kernels.gaussian(sigma, order, ndim=1)).sum()
                assert np.abs(y - exact).max() <= 2e-5 * scale


# ---- plans that are kept ------------------------------------------------------------------------


def test_numbers_of_other_types_are_not_taken_for_those_that_were_planned(rng):
    """1 == 1.0 == True; what SciPy refuses is refused after an equal number was taken, too."""
    x = rng.random((20, 30))
    for module in (scipy.ndimage, ndimage):
        smooth = module.gaussian_filter(x, 1, order=1)
        for order in (1.0, "1"):
            with pytest.raises(TypeError):
                module.gaussian_filter(x, 1, order=order)
        assert np.array_equal(module.gaussian_filter(x, [1, 1.0], order=np.int64(1)), smooth)
    filters.gaussian(x, 1, 1)
    with pytest.raises(TypeError, match="order"):
        filters.gaussian(x, 1, 1.0)
    with pytest.raises(TypeError, match="sigma"):
        filters.gaussian(x, True)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("shape", [(12, 13), (150, 160)])
def test_a_plan_is_that_of_the_arguments(rng, shape, dtype):
    """Each argument that decides a result is part of what a plan is kept under."""
    x = (100 * rng.random(shape)).astype(dtype)
    calls = [
        (name, arguments, options)
        for name, arguments in (("sobel", ()), ("prewitt", (0,)), ("gaussian_filter", (1,)),
                                ("gaussian_filter", (1.5,)), ("uniform_filter", (3,)),
                                ("uniform_filter", (4,)), ("laplace", ()))
        for options in ({}, {"mode": "constant"}, {"mode": "constant", "cval": 9},
                        {"mode": "wrap"}, {"output": np.float64}, {"output": np.int32})
    ]  # fmt: skip
    for _ in range(2):
        for name, arguments, options in calls:
            y = getattr(ndimage, name)(x, *arguments, **options)
            exact = getattr(scipy.ndimage, name)(x, *arguments, **options)
            assert y.dtype == exact.dtype
            np.testing.assert_allclose(y, exact, rtol=1e-4, atol=1e-3 * (y.dtype.kind == "f"))


# ---- wide kernels -------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(20, 20), (7, 30), (1, 5), (40,), (5, 6, 7)])
def test_kernels_much_wider_than_the_array(isa, rng, shape, boundary):
    mode = {"symmetric": "reflect"}.get(boundary, boundary)
    axes = tuple(range(len(shape)))
    for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-12)):
        x = rng.random(shape).astype(dtype)
        for order in (0, 1):
            y = filters.gaussian(x, 100, order, axes=axes, boundary=boundary)
            exact = scipy.ndimage.gaussian_filter(x.astype(float), 100, order, mode=mode)
            scale = np.abs(kernels.gaussian(100, order, ndim=1)).sum() ** len(shape)
            assert np.abs(y - exact).max() <= tolerance * scale
        y = filters.box(x, 201, axes=axes, boundary=boundary)
        exact = scipy.ndimage.uniform_filter(x.astype(float), 201, mode=mode)
        assert np.abs(y - exact).max() <= tolerance


def test_wide_kernels_take_no_memory_of_their_product():
    x = np.random.default_rng(0).random((20, 20), np.float32)
    tracemalloc.start()
    for sigma in (300, 1000):
        for run in (filters.gaussian, filters.log, filters.dog, filters.unsharp):
            assert np.isfinite(run(x, sigma)).all()
    filters.box(np.ones((500, 350)), 2001)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6


@pytest.mark.parametrize("boundary", ["wrap", "symmetric", "mirror", "nearest", "constant"])
def test_narrowed_weights_read_the_same(rng, boundary):
    """Weights that read a sample many times are one weight; mirror images stay so."""
    for size in (1, 2, 3, 7, 10):
        for taps in (5, 21, 41, 42, 90):
            row = rng.random(taps)
            row = row + row[::-1]
            low = taps // 2
            few, at = separable_passes.narrowed(row, low, size, boundary)
            assert len(few) <= max(2 * size + 3, 5) or len(few) == taps
            if taps % 2:
                assert np.array_equal(few, few[::-1])
            x = rng.random(size)
            index = BOUNDARIES[boundary].index

            def total(w, first, x=x, size=size, index=index):
                padded = np.append(x, 0.5)  # FILL is −1
                return [
                    (padded[index(np.arange(len(w)) + i - first, size)] * w).sum()
                    for i in range(size)
                ]

            np.testing.assert_allclose(total(few, at), total(row, low), rtol=1e-12)


def test_negative_weights_are_not_narrowed():
    row = np.array([-1.0, 0, 1] * 20)
    assert separable_passes.narrowed(row, 30, 3, "wrap")[0] is row


# ---- large samples, and none --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_next_to_the_largest_number(isa, dtype):
    """A sum of two of them would be infinite."""
    most = np.finfo(dtype).max
    x = np.full((40, 50), 0.9 * most, dtype)
    x[3, 4] = 1
    for sigma in (1, 8):
        y = filters.gaussian(x, sigma)
        exact = scipy.ndimage.gaussian_filter((x / most).astype(float), sigma)
        np.testing.assert_allclose(y / most, exact, rtol=1e-5)
    np.testing.assert_allclose(filters.box(x, 3)[20:] / most, 0.9, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_spoil_their_windows_alone(isa, rng, value):
    x = rng.random((90, 80)).astype(np.float32)
    clean = filters.gaussian(x, 2)
    x[40, 30] = value
    y = filters.gaussian(x, 2)
    near = np.zeros(x.shape, bool)
    near[32:49, 22:39] = True
    assert np.array_equal(y[~near], clean[~near])
    assert not np.isfinite(y[near]).any()


# ---- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gaussian", "log", "dog", "unsharp"])
def test_widths_that_mean_nothing(name):
    run = getattr(filters, name)
    x = np.arange(30.0).reshape(5, 6)
    for sigma in (0, -1, np.nan, np.inf, -np.inf, 10**400, 1e300, "2", 1j, [1, 2, 3]):
        with pytest.raises((ValueError, TypeError), match="sigma"):
            run(x, sigma)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if name == "log":
            with pytest.raises(ValueError, match="sigma=1e-300.*wider"):
                run(x, 1e-300)
        else:
            assert np.isfinite(run(x, 1e-300)).all()
    with pytest.raises(ValueError, match="order=65"):
        filters.gaussian(x, 1, order=65)


def test_half_precision_of_either_byte_order(rng):
    x = rng.random((20, 30)).astype(np.float16)
    for run in (*EVEN.values(), filters.gradient_magnitude):
        y = run(x.astype(">f2"))
        assert y.dtype == np.float16
        assert y.dtype.isnative
        assert np.array_equal(y, run(x))


def test_messages_name_arguments_of_the_call():
    x = np.ones((12, 13))
    with pytest.raises(ValueError, match="^wavelengths=1"):
        filters.gabor_bank(x, 1)
    with pytest.raises(TypeError, match="fill_value"):
        filters.gaussian(x, 1, fill_value=[1, 2])
    with pytest.raises(ValueError, match="overflow"):
        filters.gaussian(x, 1, overflow=[1])
    with pytest.raises(ValueError, match="^size"):
        filters.box(x, 10**400)
    with pytest.raises(ValueError, match="^sigma=nan"):
        ndimage.gaussian_filter1d(x, np.nan)
    with pytest.raises(OverflowError, match="^sigma=inf"):
        ndimage.gaussian_filter1d(x, np.inf)
    assert (filters.motion(x, 1e-300) == 1).all()


#: Products of factors that one tile sums, crosses of two of them among them.
IN_ONE_TILE = {
    "sobel down": lambda x, axes=(0, 1), **o: filters.sobel(x, axes[0], axes=axes, **o),
    "sobel across": lambda x, axes=(0, 1), **o: filters.sobel(x, axes[1], axes=axes, **o),
    "prewitt": lambda x, axes=(0, 1), **o: filters.prewitt(x, axes[0], axes=axes, **o),
    "laplace": filters.laplace,
    "gaussian of 3": lambda x, **o: filters.gaussian(x, 0.8, radius=1, **o),
    "gaussian of 5": lambda x, **o: filters.gaussian(x, (0.7, 1.1), radius=2, **o),
    "odd by odd": lambda x, **o: filters.gaussian(x, 0.9, order=1, radius=2, **o),
    "box": lambda x, **o: filters.box(x, (3, 3), **o),
    "drop-in": lambda x, boundary="reflect", **o: ndimage.laplace(x, mode="reflect"),
}
#: Around the rows and columns of tiles of every variant, and of units.
AROUND_TILES = [(1, 1), (3, 2), (15, 16), (17, 33), (64, 5), (70, 2100)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "uint8"])
@pytest.mark.parametrize("shape", AROUND_TILES)
@pytest.mark.parametrize("name", IN_ONE_TILE)
def test_both_passes_in_one_tile_have_the_bits_of_strips(isa, monkeypatch, name, shape, dtype):
    """Whatever the boundary, layout and number of threads; NaN, infinity and sums out of range."""
    del isa
    rng = np.random.default_rng(len(name) * shape[0] + shape[1])
    x = rng.standard_normal(shape) * 50
    x = (abs(x) if dtype == "uint8" else x).astype(dtype)
    if "c" in dtype:
        x = x + x[::-1] * np.complex64(1j)
    loud, spoilt = x.copy(), x.copy()
    if x.dtype.kind in "fc":
        loud.flat[0] = np.finfo(x.dtype).max
        spoilt.flat[shape[1] // 2], spoilt.flat[-1] = np.nan, np.inf
    run = IN_ONE_TILE[name]
    calls = [
        lambda: run(x, boundary="constant"),
        lambda: run(x, boundary="wrap", workers=2),
        lambda: run(x[::-1, ::-1]),
        lambda: run(np.asfortranarray(x)),
        lambda: run(loud),
        lambda: run(spoilt),
    ]
    if dtype == "float32" and name != "drop-in":
        calls += [
            lambda: run(np.stack([x, x + 1, -x], axis=-1), axes=(0, 1)),
            lambda: run(np.stack([x, -x]), axes=(1, 2), boundary="mirror"),
            lambda: run(x, out=np.empty(shape, np.float32)),
            lambda: run(x, dtype=np.int16, overflow="saturate"),
        ]
    for call in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = in_strips(monkeypatch, call)
            np.testing.assert_array_equal(call(), expected)
            np.testing.assert_array_equal(call(), expected)  # by the plan that is kept


def test_the_tile_of_both_passes_runs():
    """Else the comparison above would be one of strips with themselves."""
    for run in IN_ONE_TILE.values():
        clear_cache()
        tiles = []
        original = Passes._tile

        def seen(self, problem, tiles=tiles, original=original):
            tiles.append(original(self, problem))
            return tiles[-1]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Passes, "_tile", seen)
            run(np.ones((20, 20), np.float32))
        clear_cache()
        assert None not in tiles
        assert tiles or run is IN_ONE_TILE["box"]  # its sums go on from one window to the next
