"""Filters: each is its kernel over the oracle, for every boundary, dtype and choice of axes."""

import itertools
import math
import tracemalloc
import warnings

import numpy as np
import oracles
import pytest
from scipy import ndimage

import pyconv
from pyconv import filters, kernels
from pyconv._engine import planner
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._filters.first_derivatives import OPERATORS
from pyconv.kernels import KERNELS

#: Our boundary names → the modes of scipy.ndimage.
MODES = {
    "constant": "constant",
    "nearest": "nearest",
    "symmetric": "reflect",
    "mirror": "mirror",
    "wrap": "wrap",
}

#: Filter → arguments, and the kernel that it means on n axes.
CASES = {
    "ball": ((1.5,), lambda n: kernels.ball(1.5)),
    "box": ((4,), lambda n: kernels.box(4, ndim=n)),
    "disk": ((2.3,), lambda n: kernels.disk(2.3)),
    "dog": ((0.7,), lambda n: kernels.dog(0.7, ndim=n)),
    "edge": ((), kernels.edge),
    "emboss": ((), lambda n: kernels.emboss()),
    "gabor": ((5.0, 0.0, 1.5), lambda n: kernels.gabor(5.0, 0.0, 1.5, ndim=n)),
    "gaussian": ((0.9,), lambda n: kernels.gaussian(0.9, ndim=n)),
    "laplace": ((), kernels.laplace),
    "log": ((0.8,), lambda n: kernels.log(0.8, ndim=n)),
    "motion": ((3.5, 0.4), lambda n: kernels.motion(3.5, 0.4)),
    "prewitt": ((), lambda n: kernels.prewitt(n - 1, n)),
    "roberts": ((1,), lambda n: kernels.roberts(1)),
    "scharr": ((), lambda n: kernels.scharr(n - 1, n)),
    "sharpen": ((), kernels.sharpen),
    "sobel": ((), lambda n: kernels.sobel(n - 1, n)),
    "unsharp": ((0.8, 1.5), lambda n: kernels.unsharp(0.8, 1.5, ndim=n)),
}
ROWS = [(name, n) for name, row in KERNELS.items() for n in row.ndims]
WHOLE = [name for name, row in CASES.items() if row[1](KERNELS[name].ndims[-1]).dtype.kind == "i"]
SHAPES = {1: (23,), 2: (9, 14), 3: (7, 8, 9)}


def call(name, x, **keywords):
    """Return what a filter makes of an array, derivatives along the last axis filtered."""
    return getattr(filters, name)(x, *CASES[name][0], **keywords)


def agrees(y, x, w, **keywords):
    """Require the result of the oracle, within what the engine promises."""
    exact, scale = oracles.correlate(x, w, "same", **keywords)
    if y.dtype.kind in "iu":
        assert np.array_equal(y, exact)
        return
    eps = np.finfo(y.dtype).eps
    largest = np.abs(np.asarray(x)).max() * np.abs(w).sum()
    bound = (3 * sum(w.shape) + 64) * eps * max(largest, float(np.max(scale)))
    assert np.abs(y - exact.astype(np.result_type(y, np.float64))).max() <= bound


def axes_of(n, ndim=None):
    """Return axes= where it must be said."""
    return {"axes": tuple(range(n))} if n == 3 else {}


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (20, 26)).astype(np.uint8)


# ---- every filter -----------------------------------------------------------------------------


def test_there_is_a_filter_for_every_kernel():
    assert set(CASES) == set(KERNELS) <= set(filters.__all__)
    assert set(filters.__all__) - set(KERNELS) == {"gradient_magnitude", "gabor_bank"}


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("name", "n"), ROWS)
def test_a_filter_is_its_kernel(rng, name, n, boundary):
    x = rng.standard_normal(SHAPES[n])
    fill = {"fill_value": 2.5} if boundary == "constant" else {}
    y = call(name, x, boundary=boundary, **fill, **axes_of(n))
    assert y.dtype == np.float64
    agrees(y, x, CASES[name][1](n), boundary=boundary, **fill)


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "u4", "i8", "f2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize(
    ("name", "n"), [(name, n) for name, n in ROWS if n == KERNELS[name].ndims[-1]]
)
def test_dtypes(rng, name, n, dtype):
    """Whole weights keep integers exact; floats keep their dtype; narrow integers are float32."""
    x = rng.integers(0, 2 if dtype == "?" else 100, SHAPES[n]).astype(dtype)
    if x.dtype.kind == "c":
        x += 1j * rng.integers(0, 100, x.shape).astype(x.real.dtype)
    y = call(name, x, **axes_of(n))
    if x.dtype.kind in "fc":
        assert y.dtype == x.dtype
    elif name in WHOLE:
        assert y.dtype == np.int64
    else:
        assert y.dtype == (np.float32 if x.dtype.itemsize <= 2 else np.float64)
    if dtype != "f2":
        agrees(y, x, CASES[name][1](n), boundary="symmetric")
    else:
        np.testing.assert_array_equal(y, call(name, x.astype("f4"), **axes_of(n)).astype("f2"))


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_channels_are_left_alone(rng, name, n):
    """Filtering along some axes is filtering each array of the others."""
    x = rng.standard_normal((*SHAPES[n], 3))
    y = call(name, x, **along(name, n, tuple(range(n))))
    for c in range(3):
        expected = call(name, x[..., c], **axes_of(n))
        np.testing.assert_allclose(y[..., c], expected, rtol=0, atol=1e-12)
    first = np.moveaxis(x, -1, 0)
    y = call(name, first, axes=tuple(range(-n, 0)))
    np.testing.assert_allclose(y[1], call(name, first[1], **axes_of(n)), rtol=0, atol=1e-12)


def along(name, n, axes):
    """Return the keywords that filter along the axes, derivatives along the last of them."""
    return {"axes": axes} | ({"axis": axes[-1]} if KERNELS[name].direction == "axis" else {})


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_out_receives_the_same_bits(rng, name, n):
    x = rng.standard_normal(SHAPES[n]).astype(np.float32)
    y = call(name, x, **axes_of(n))
    for out in (np.empty_like(x), np.empty(x.shape[::-1], np.float32).T, x.copy()):
        source = out if np.array_equal(out, x) else x
        assert call(name, source, out=out, **axes_of(n)) is out
        np.testing.assert_array_equal(out, y)
    for bad, error in ((np.empty(x.shape), TypeError), (np.empty(3, np.float32), ValueError)):
        with pytest.raises(error, match="^out has"):
            call(name, x, out=bad, **axes_of(n))


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_options_reach_the_engine(rng, name, n):
    x = rng.standard_normal(SHAPES[n]).astype(np.float32)
    one = call(name, x, workers=1, **axes_of(n))
    np.testing.assert_array_equal(call(name, x, workers=2, **axes_of(n)), one)
    agrees(call(name, x, rtol=0, **axes_of(n)), x, CASES[name][1](n), boundary="symmetric")
    wide = call(name, x, dtype=np.float64, **axes_of(n))
    assert wide.dtype == np.float64
    agrees(wide, x.astype(np.float64), CASES[name][1](n), boundary="symmetric")
    for keywords, error in (
        ({"boundary": "reflect"}, "boundary='reflect' is ambiguous"),
        ({"boundary": ("wrap",) * 5}, "has 5 entries"),
        ({"workers": 0}, "workers=0"),
        ({"rtol": -1}, "rtol=-1"),
        ({"boundary": "constant", "fill_value": "k"}, "fill_value='k'"),
    ):
        with pytest.raises((ValueError, TypeError), match=error):
            call(name, x, **keywords, **axes_of(n))


@pytest.mark.parametrize("name", WHOLE)
def test_whole_kernels_obey_the_overflow_policy(name):
    x = np.zeros(SHAPES[KERNELS[name].ndims[-1]], np.uint8)
    x[(3,) * x.ndim] = 255
    keywords = axes_of(x.ndim)
    exact = call(name, x, **keywords)
    with pytest.raises(OverflowError, match="overflow="):
        call(name, x, dtype=np.uint8, **keywords)
    clipped = call(name, x, dtype=np.uint8, overflow="saturate", **keywords)
    np.testing.assert_array_equal(clipped, np.clip(exact, 0, 255))
    wrapped = call(name, x, dtype=np.uint8, overflow="wrap", **keywords)
    np.testing.assert_array_equal(wrapped, exact.astype(np.uint8))
    narrow = call(name, x, dtype=np.int16, **keywords) if name not in ("scharr", "prewitt") else 0
    assert name in ("scharr", "prewitt") or np.array_equal(narrow, exact)


@pytest.mark.parametrize("name", sorted(set(CASES) - set(WHOLE)))
def test_fractional_weights_are_rounded_under_the_policy(rng, name):
    """The same as narrowing a floating-point result, into any array."""
    n = KERNELS[name].ndims[-1]
    x = rng.integers(0, 256, SHAPES[n]).astype(np.uint8)
    exact = np.rint(call(name, x, **axes_of(n)))
    for overflow, expected in (
        ("saturate", np.clip(exact, 0, 255)),
        ("wrap", exact.astype(np.int64)),
    ):
        keywords = {"dtype": np.uint8, "overflow": overflow} | axes_of(n)
        y = call(name, x, **keywords)
        np.testing.assert_array_equal(y, expected.astype(np.uint8), strict=True)
        for out in (np.empty_like(x), x.copy(), np.empty(x.shape[::-1], np.uint8).T):
            source = out if np.array_equal(out, x) else x
            assert call(name, source, out=out, **keywords) is out
            np.testing.assert_array_equal(out, y)
    np.testing.assert_array_equal(call(name, x, dtype=np.int32, **axes_of(n)), exact)
    with pytest.raises(TypeError, match="^out has dtype int8"):
        call(name, x, out=x.view(np.int8), **keywords)
    if KERNELS[name].total == 0 or name == "unsharp":
        with pytest.raises(OverflowError, match="overflow="):
            call(name, x, dtype=np.uint8, **axes_of(n))
    spoiled = x.astype(np.float32)
    spoiled[(2,) * n] = np.nan
    with pytest.raises(OverflowError, match="NaN or infinite"):
        call(name, spoiled, dtype=np.int16, **axes_of(n))
    clipped = call(name, spoiled, dtype=np.int16, overflow="saturate", **axes_of(n))
    assert clipped[(2,) * n] == 0


def test_rounding_on_the_way_changes_no_bit(isa, rng):
    """Integers are those of the floating-point result, for rows around every vector and tile."""
    for shape in ((1, 17), (13, 31), (14, 33), (40, 65), (30, 129), (25, 700), (9, 70, 3)):
        x = rng.integers(0, 256, shape).astype(np.uint8)
        keywords = {"axes": (0, 1)}
        for sigma in (0.6, 1, 3):
            y = filters.gaussian(x, sigma, **keywords)
            rounded = filters.gaussian(x, sigma, dtype=np.uint8, **keywords)
            np.testing.assert_array_equal(rounded, np.rint(y))
        y = filters.log(x, 1, **keywords)
        for dtype in ("int8", "int16", "int32", "int64"):
            rounded = filters.log(x, 1, dtype=dtype, overflow="saturate", **keywords)
            limits = np.iinfo(dtype)
            np.testing.assert_array_equal(rounded, np.rint(y).clip(limits.min, limits.max))


@pytest.mark.parametrize("name", ["ball", "box", "disk", "gaussian", "motion"])
def test_means_stay_in_the_range_of_the_samples(rng, name):
    """Rounding leads no mean out of the dtype of its samples, and asks for no policy."""
    n = KERNELS[name].ndims[-1]
    for dtype in (np.uint8, np.int16):
        for limit in (np.iinfo(dtype).min, np.iinfo(dtype).max):
            x = np.full(SHAPES[n], limit, dtype)
            y = call(name, x, dtype=dtype, **axes_of(n))
            np.testing.assert_array_equal(y, x, strict=True)
    x = np.full(SHAPES[n], 255, np.uint8)
    for size in (1.5, 2.0, 3.7) if name == "gaussian" else (2, 3, 4):
        y = getattr(filters, name)(x, size, dtype=np.uint8, **axes_of(n))
        np.testing.assert_array_equal(y, x, strict=True)
    x = rng.integers(0, 256, SHAPES[n]).astype(np.uint8)
    rounded = np.rint(call(name, x, **axes_of(n)))
    np.testing.assert_array_equal(call(name, x, dtype=np.uint8, **axes_of(n)), rounded)
    plain = call(name, x, dtype=np.uint8, rtol=0, **axes_of(n))
    assert np.abs(plain - rounded).max() <= 1
    for keywords in ({"dtype": np.int8}, {"boundary": "constant", "fill_value": 256.0}):
        with pytest.raises(OverflowError, match="overflow="):
            call(name, x, **({"dtype": np.uint8} | keywords), **axes_of(n))


def test_derivatives_of_means_are_no_means(image):
    with pytest.raises(OverflowError, match="overflow="):
        filters.gaussian(image, 1, 1, dtype=np.uint8)


@pytest.mark.parametrize("name", ["gaussian", "box"])
def test_an_error_that_is_granted_is_held_against_one_kernel(rng, name):
    """rtol=0 allows plain sums only, which passes along the axes are not."""
    x = rng.standard_normal(SHAPES[3])
    w = CASES[name][1](3)
    plain = pyconv.correlate(x, w, "same", "symmetric", rtol=0)
    np.testing.assert_array_equal(call(name, x, rtol=0, **axes_of(3)), plain)
    x = rng.standard_normal((48, 48, 48))
    plain = pyconv.correlate(x, w, "same", "symmetric", rtol=0, method="direct")
    assert not np.array_equal(call(name, x, **axes_of(3)), plain)


# ---- axes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64"])
def test_volumes_that_are_not_finite_are_filtered_in_silence(rng, dtype):
    """Looking for NaN adds what may overflow, or be infinite both ways."""
    x = rng.random((12, 13, 14)).astype(dtype)
    x[2, 3, 4], x[9, 9, 9], x[5, 6, 7] = np.inf, -np.inf, np.finfo(dtype).max
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = filters.gaussian(x, 1.5, axes=(0, 1, 2))
    assert np.isnan(y).any()
    assert np.isfinite(y).any()


@pytest.mark.parametrize("name", ["gradient_magnitude", "unsharp"])
def test_half_precision_overflows_in_silence(name):
    """Results of several sums become infinite as those of one do."""
    x = np.full((6, 9), 60000, np.float16)
    x[2, 3:5] = -60000, np.nan
    options = {"nan_policy": "omit"} if name == "unsharp" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = getattr(filters, name)(x, *([1.0] if name == "unsharp" else []), **options)
    assert np.isinf(y).any()


def test_sigma_belongs_to_its_axis(rng):
    x = rng.standard_normal((10, 3, 12, 2))
    y = filters.gaussian(x, (0.5, 2.0), axes=(2, 0))
    expected = ndimage.gaussian_filter(x, (2.0, 0.5), axes=(0, 2))
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)
    size = filters.box(x, (3, 5), axes=(0, -2))
    np.testing.assert_allclose(size, ndimage.uniform_filter(x, (3, 1, 5, 1)), rtol=0, atol=1e-12)


def test_boundaries_belong_to_their_axes(rng):
    """In two dimensions, and in the passes of three, with what lies outside filtered too."""
    for shape, order in (((8, 9), (1, 0)), ((6, 7, 8), (0, 2, 1)), ((6, 7, 8), (1, 0, 0))):
        n = len(shape)
        x = rng.standard_normal(shape)
        for rules in (("wrap", "constant", "mirror"), ("constant", "nearest", "constant")):
            keywords = {"boundary": rules[:n], "fill_value": 3.0}
            y = filters.gaussian(x, 0.9, order, axes=tuple(range(n)), **keywords)
            agrees(y, x, kernels.gaussian(0.9, order, ndim=n), **keywords)
            turned = filters.gaussian(
                x, 0.9, order[::-1], axes=tuple(range(n))[::-1], boundary=rules[:n][::-1],
                fill_value=3.0,
            )  # fmt: skip
            np.testing.assert_allclose(turned, y, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["sobel", "prewitt", "scharr"])
def test_derivatives_name_their_axis(rng, name):
    x = rng.integers(0, 256, (6, 7, 3, 8)).astype(np.uint8)
    function = getattr(filters, name)
    for axes, axis in itertools.product([(0, 1), (3, 1), (0, 1, 3), (-1,)], (0, 1, 3, -1, -4)):
        where = [a % 4 for a in axes]
        if axis % 4 not in where:
            with pytest.raises(ValueError, match=rf"axis={axis}: one of axes=\("):
                function(x, axis, axes=axes)
            continue
        w = KERNELS[name].make(where.index(axis % 4), len(axes))
        agrees(function(x, axis, axes=axes), x, w, axes=axes, boundary="symmetric")


@pytest.mark.parametrize("name", CASES)
def test_axes_are_not_guessed(name):
    """Three dimensions may be a volume or an image in colours."""
    ndims = KERNELS[name].ndims
    if ndims != (3,):
        with pytest.raises(ValueError, match=r"^x has shape \(5, 6, 3\): axes= says along which"):
            call(name, np.zeros((5, 6, 3)))
    with pytest.raises(ValueError, match=r"^x has 0 dimensions"):
        call(name, 1.0)
    with pytest.raises(ValueError, match=r"names 4 axes; this filter acts on"):
        call(name, np.zeros((2,) * 5), axes=(0, 1, 2, 3))
    with pytest.raises(ValueError, match="twice"):
        call(name, np.zeros((4,) * 4), axes=(0,) * ndims[-1] if ndims[-1] > 1 else (0, 0))
    with pytest.raises(ValueError, match="x has axes -3 to 2"):
        call(name, np.zeros((4,) * 3), axes=(3, 0, 1)[: ndims[-1]])


# ---- SciPy and scikit-image -------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_ndimage_agrees(rng, n, boundary):
    x, mode = rng.standard_normal((12, 13, 14)[:n]), MODES[boundary]
    axes = tuple(range(n))
    ours = {"axes": axes, "boundary": boundary}
    close = {"rtol": 0, "atol": 1e-11}
    for order in (0, 1, (2, 0, 1)[:n]):
        expected = ndimage.gaussian_filter(x, 1.2, order, mode=mode)
        np.testing.assert_allclose(filters.gaussian(x, 1.2, order, **ours), expected, **close)
    for size in (3, 4):
        expected = ndimage.uniform_filter(x, size, mode=mode)
        np.testing.assert_allclose(filters.box(x, size, **ours), expected, **close)
    np.testing.assert_allclose(filters.laplace(x, **ours), ndimage.laplace(x, mode=mode), **close)
    for axis in axes:
        expected = ndimage.sobel(x, axis, mode=mode)
        np.testing.assert_allclose(filters.sobel(x, axis, **ours), expected, **close)
        expected = ndimage.prewitt(x, axis, mode=mode)
        np.testing.assert_allclose(filters.prewitt(x, axis, **ours), expected, **close)
    expected = ndimage.gaussian_gradient_magnitude(x, 1.2, mode=mode)
    magnitude = filters.gradient_magnitude(x, "gaussian", sigma=1.2, **ours)
    np.testing.assert_allclose(magnitude, expected, **close)
    expected = ndimage.gaussian_laplace(x, 1.2, mode=mode)
    np.testing.assert_allclose(filters.log(x, 1.2, **ours), expected, rtol=0, atol=1e-3)


def test_skimage_agrees(image):
    """Its derivatives are divided so that a step of 1 gives 1, half of what a slope of 1 gives."""
    theirs = pytest.importorskip("skimage.filters")
    x = image / 255.0
    close = {"rtol": 0, "atol": 1e-12}
    inside = (slice(1, -1),) * 2  # it leaves out the border
    for name, factor in (("sobel", 4), ("prewitt", 3), ("scharr", 16)):
        for axis in (0, 1):
            expected = getattr(theirs, name)(x, axis=axis)
            y = getattr(filters, name)(x, axis) / factor
            np.testing.assert_allclose(np.abs(y[inside]), np.abs(expected[inside]), **close)
        expected = getattr(theirs, name)(x) * math.sqrt(2)
        y = filters.gradient_magnitude(x, name) / factor
        np.testing.assert_allclose(y[inside], expected[inside], **close)
    expected = theirs.gaussian(x, 1.5, mode="reflect")
    np.testing.assert_allclose(filters.gaussian(x, 1.5), expected, **close)
    expected = theirs.difference_of_gaussians(x, 1.0, 2.0, mode="reflect", truncate=4)
    np.testing.assert_allclose(filters.dog(x, 1.0, 2.0), expected, rtol=0, atol=1e-3)
    expected = theirs.unsharp_mask(x, radius=2.0, amount=1.5, preserve_range=True)
    np.testing.assert_allclose(filters.unsharp(x, 2.0, 1.5), expected, **close)


# ---- the magnitude of the gradient ------------------------------------------------------------


def parts_of(operator, n):
    if operator == "gaussian":
        return [kernels.gaussian(1.1, order, ndim=n) for order in np.eye(n, dtype=int).tolist()]
    if operator == "roberts":
        return [kernels.roberts(0), kernels.roberts(1)]
    return [KERNELS[operator].make(axis, n) for axis in range(n)]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("dtype", ["u1", "i4", "f2", "f4", "f8"])
def test_magnitude_is_the_root_of_the_squares(rng, operator, dtype):
    sigma = {"sigma": 1.1} if operator == "gaussian" else {}
    for n in (2,) if operator == "roberts" else (1, 2, 3):
        x = rng.integers(0, 30, (*SHAPES[n], 2)).astype(dtype)
        where = {"axes": tuple(range(n)), "boundary": "mirror"}
        exact = sum(
            oracles.correlate(x, w.astype(float), "same", **where)[0].astype(float) ** 2
            for w in parts_of(operator, n)
        ) ** 0.5  # fmt: skip
        y = filters.gradient_magnitude(x, operator, **sigma, **where)
        expected = {"u1": "f4", "i4": "f8"}.get(dtype, dtype)
        assert y.dtype == expected
        # Half precision is rounded once, from single.
        eps, sums = np.finfo(expected).eps, np.finfo(np.promote_types(expected, "f4")).eps
        rtol = 0.51 * eps if expected == "f2" else 4 * eps
        np.testing.assert_allclose(y, exact, rtol=rtol, atol=100 * sums * exact.max())
        for out in (np.empty_like(y), x.astype(expected), np.empty(y.shape[::-1], expected).T):
            source = out if np.array_equal(out, x) and out.dtype == x.dtype else x
            assert filters.gradient_magnitude(source, operator, out=out, **sigma, **where) is out
            np.testing.assert_array_equal(out, y)


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e-18, 1e18, 1e35])
def test_magnitude_neither_overflows_nor_vanishes(rng, scale):
    """Squares leave the range of float32 long before what they are squares of."""
    x = (rng.standard_normal((150, 150)) * scale).astype(np.float32)
    y = filters.gradient_magnitude(x)
    exact = filters.gradient_magnitude(x.astype(np.float64))
    tiny = np.finfo(np.float32).smallest_subnormal
    np.testing.assert_allclose(y, exact, rtol=1e-6, atol=2 * tiny + 1e-6 * exact.max())


def test_magnitude_keeps_nan_and_infinity_where_they_are():
    x = np.zeros((40, 40), np.float32)
    x[5, 5], x[30, 30] = np.nan, np.inf
    y = filters.gradient_magnitude(x)
    assert np.isfinite(y).sum() == 40 * 40 - 18
    assert np.isnan(y[4:7, 4:7]).all()


# ---- banks ------------------------------------------------------------------------------------


def test_a_bank_is_its_filters(image):
    x = np.stack([image, image[::-1]], axis=-1)
    bank = filters.gabor_bank(x, (4, 7.5), 3, aspect=0.6, phase=0.2, axes=(0, 1))
    assert bank.shape == (2, 3, *x.shape)
    assert bank.dtype == np.float32
    for i, wave in enumerate((4, 7.5)):
        for j in range(3):
            y = filters.gabor(x, wave, j * math.pi / 3, None, 0.6, 0.2, axes=(0, 1))
            np.testing.assert_array_equal(bank[i, j], y)
    named = filters.gabor_bank(x, 4, [0.0, 1.0], 0.6, 0.2, axes=(0, 1))
    np.testing.assert_array_equal(named[0, 0], bank[0, 0])
    assert named.shape == (1, 2, *x.shape)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_energy_is_that_of_both_phases(image, dtype):
    x = (image / 255).astype(dtype)
    even, odd = (filters.gabor_bank(x, 5, 2, phase=p).astype(float) for p in (0, -math.pi / 2))
    energy = filters.gabor_bank(x, 5, 2, energy=True)
    assert energy.dtype == dtype
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(energy, np.hypot(even, odd), rtol=4 * eps, atol=8 * eps)
    for out in (np.empty_like(energy), np.empty(energy.shape[::-1], dtype).T):
        assert filters.gabor_bank(x, 5, 2, energy=True, out=out) is out
        np.testing.assert_array_equal(out, energy)


def test_energy_is_the_same_all_along_a_wave():
    stripes = np.tile(np.cos(2 * np.pi * np.arange(64) / 8), (40, 1))
    energy = filters.gabor_bank(stripes, 8, 4, energy=True, boundary="wrap")[0]
    np.testing.assert_allclose(energy[0], 0.5, atol=0.01)
    assert energy[0].min() > 3 * energy[1:].max()


# ---- bad input --------------------------------------------------------------------------------

X = np.zeros((6, 7), np.float32)


def test_arrays_without_axes_are_numbers():
    """One width, for all axes."""
    x = np.arange(30.0).reshape(5, 6)
    np.testing.assert_array_equal(filters.gaussian(x, np.array(1.5)), filters.gaussian(x, 1.5))


def test_banks_of_nothing():
    """Results of no samples."""
    assert filters.gabor_bank(np.ones((0, 9, 9)), [4, 6], 3, axes=(1, 2)).shape == (2, 3, 0, 9, 9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: filters.gaussian(X, 0), "sigma=0: positive"),
        (lambda: filters.gaussian(X, (1, 2, 3)), r"sigma=\(1, 2, 3\) has 3 entries"),
        (lambda: filters.gaussian(np.zeros((4, 0)), 1), "x is empty along axis 1"),
        (lambda: filters.gaussian(X, 1, axes=2), "axes=2: x has axes -2 to 1"),
        (lambda: filters.gaussian(X, 1, axes=()), r"axes=\(\) names 0 axes"),
        (lambda: filters.disk(np.zeros(5), 2), r"x has 1 dimensions .* fewer than the 2"),
        (lambda: filters.disk(X, 2, axes=0), "axes=0 names 1 axes; this filter acts on 2"),
        (lambda: filters.ball(X, 2), "x has 2 dimensions"),
        (lambda: filters.sobel(X, 2), r"axis=2: one of axes=\(0, 1\)"),
        (lambda: filters.sobel(X, -3), r"axis=-3: one of axes=\(0, 1\)"),
        (lambda: filters.gradient_magnitude(X, "canny"), "operator='canny' is unknown; allowed"),
        (lambda: filters.gradient_magnitude(X, "gaussian"), "sigma=None: operator='gaussian'"),
        (lambda: filters.gradient_magnitude(X, sigma=1), "sigma=1: operator='gaussian' needs"),
        (lambda: filters.gradient_magnitude(X, out=X[:3]), r"out has shape \(3, 7\)"),
        (lambda: filters.gabor_bank(X, []), r"wavelengths=\[\]: at least one"),
        (lambda: filters.gabor_bank(X, 4, 0), "orientations=0: from 1 to"),
        (lambda: filters.gabor_bank(X, 4, 2, out=X), r"out has shape \(6, 7\)"),
        (lambda: filters.gabor_bank(np.zeros(9), 4), "x has 1 dimensions"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: filters.gaussian(X.astype(object), 1), "x has dtype object"),
        (lambda: filters.gaussian("abc", 1), "x has dtype <U3"),
        (lambda: filters.gaussian(X, 1, dtype="no"), "dtype: 'no' is not a dtype"),
        (lambda: filters.gaussian(X, 1, axes=0.5), "axes=0.5: integers"),
        (lambda: filters.gaussian(X * 1j, 1, dtype=float), "dtype=float64: the result is complex"),
        (lambda: filters.sobel(X, 0.5), "axis=0.5: integers"),
        (lambda: filters.gradient_magnitude(X * 1j), "x has dtype complex64; real"),
        (lambda: filters.gradient_magnitude(X, dtype=int), "dtype=int64: floating-point"),
        (lambda: filters.gradient_magnitude(X, out=np.zeros((6, 7))), "out has dtype float64"),
        (lambda: filters.gabor_bank(X, 4, 2.5), "orientations=2.5: integers"),
        (lambda: filters.gabor_bank(X, "4"), "wavelengths='4': a number"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("name", ["gaussian", "sobel", "gradient_magnitude"])
def test_every_layout_is_taken(rng, name):
    arguments = {"gaussian": (1.0,)}.get(name, ())
    x = rng.standard_normal((20, 30))
    y = getattr(filters, name)(x, *arguments)
    frozen = x.copy()
    frozen.flags.writeable = False
    for given in (np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2], x[::-1][::-1], frozen):
        np.testing.assert_array_equal(getattr(filters, name)(given, *arguments), y)
    swapped = getattr(filters, name)(x.astype(">f8"), *arguments)
    np.testing.assert_array_equal(swapped, y, strict=True)
    assert pyconv.filters is filters


# ---- options of correlate ----------------------------------------------------------------------

#: Filters whose kernel can leave samples out.
MEANS = ("ball", "box", "disk", "gaussian", "motion")


def kept(y, n, strides):
    return y[tuple(slice(None, None, s) for s in strides[:n])]


@pytest.mark.parametrize("strides", [(2, 2, 2), (1, 3, 2), (5, 1, 40)])
@pytest.mark.parametrize(("name", "n"), ROWS)
def test_strides_keep_every_so_many(rng, name, n, strides):
    for x in (
        rng.integers(0, 200, SHAPES[n]).astype(np.uint8),
        rng.standard_normal(SHAPES[n]).astype(np.float32),
        rng.standard_normal((300, 3, 2)[:n]),  # which is filtered with its axes exchanged
    ):
        every = call(name, x, **axes_of(n))
        y = call(name, x, stride=strides[:n], **axes_of(n))
        assert y.dtype == every.dtype
        assert y.shape == kept(every, n, strides).shape
        tolerance = 0 if every.dtype.kind == "i" else 32 * np.finfo(every.dtype).eps
        largest = float(np.abs(x).max()) * np.abs(CASES[name][1](n)).sum()
        np.testing.assert_allclose(y, kept(every, n, strides), rtol=0, atol=tolerance * largest)
        out = np.empty(y.shape[::-1], y.dtype).T
        assert call(name, x, stride=strides[:n], out=out, **axes_of(n)) is out
        np.testing.assert_array_equal(out, y)


@pytest.mark.parametrize("size", [3, 40])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_strides_keep_rounded_means(rng, size, dtype):
    for shape in ((40, 50), (700, 3)):
        x = rng.integers(0, 256, shape).astype(np.uint8)
        every = filters.box(x, size, dtype=dtype)
        for s in (1, 2, 7):
            y = filters.box(x, size, dtype=dtype, stride=s)
            np.testing.assert_array_equal(y, every[::s, ::s], strict=True)


def test_several_kernels_take_strides(image):
    y = filters.gradient_magnitude(image, stride=(2, 3))
    np.testing.assert_allclose(y, filters.gradient_magnitude(image)[::2, ::3], rtol=1e-6)
    y = filters.gabor_bank(image, [4, 8], 2, energy=True, stride=2)
    np.testing.assert_allclose(
        y, filters.gabor_bank(image, [4, 8], 2, energy=True)[..., ::2, ::2], rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("method", ["direct", "im2col", "fft", "reference"])
@pytest.mark.parametrize(("name", "n"), ROWS)
def test_a_method_is_that_of_one_kernel(rng, name, n, method):
    x = rng.standard_normal(SHAPES[n]).astype(np.float32)
    w = CASES[name][1](n).astype(np.float32)
    expected = pyconv.correlate(x, w, "same", "symmetric", method=method)
    np.testing.assert_array_equal(call(name, x, method=method, **axes_of(n)), expected)
    with pytest.raises(ValueError, match="method='no' is unknown"):
        call(name, x, method="no", **axes_of(n))


def test_methods_round_integers(image):
    for method in ("direct", "fft"):
        y = filters.gaussian(image, 1.5, dtype=np.uint8, method=method)
        exact = filters.gaussian(image.astype(float), 1.5)
        assert y.dtype == np.uint8
        assert np.abs(y - exact).max() < 0.501


def test_a_method_that_is_refused_writes_nothing(rng):
    """The first of several kernels is one that it takes."""
    x = rng.standard_normal((40, 40))
    out = np.full((1, 2, 40, 40), 7.0)
    with pytest.raises(ValueError, match="method='separable' cannot"):
        filters.gabor_bank(x, 8, [0.0, 0.7], 0.2, method="separable", out=out)
    assert (out == 7).all()


def without(x, w, n, mask=None, **keywords):
    """Return the normalised convolution by the oracle of sums."""
    seen = ~np.isnan(x) if mask is None else ~np.broadcast_to(mask, x.shape)
    given = {"boundary": "symmetric"} | keywords
    top, _ = oracles.correlate(np.where(seen, x, 0), w, "same", **given)
    if given.get("fill_value", 0) != 0:
        raise NotImplementedError
    below, _ = oracles.correlate(seen.astype(float), w, "same", **given)
    with np.errstate(all="ignore"):
        return np.where(below > 2.0**-24, top / below, np.nan) * w.sum()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize(("name", "n"), [row for row in ROWS if row[0] in MEANS])
def test_samples_are_left_out(rng, name, n, dtype):
    x = rng.uniform(1, 2, SHAPES[n]).astype(dtype)
    mask = rng.random(x.shape) < 0.4
    mask[(slice(0, 6),) * n] = True
    gaps, w = np.where(mask, np.nan, x), CASES[name][1](n)
    expected = without(gaps.astype(float), w, n)
    tolerance = {"rtol": 0, "atol": 100 * float(np.finfo(dtype).eps)}
    y = call(name, gaps, nan_policy="omit", **axes_of(n))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, **tolerance)
    hidden = np.where(mask, x.dtype.type(1000), x)
    for given, keywords in (
        (hidden, {"mask": mask}),
        (np.ma.array(hidden, mask=mask), {}),
        (gaps, {"mask": mask, "nan_policy": "raise"}),
    ):
        np.testing.assert_array_equal(call(name, given, **keywords, **axes_of(n)), y)
    out = np.empty_like(y)
    assert call(name, hidden, mask=mask, out=out, **axes_of(n)) is out
    np.testing.assert_array_equal(out, y)
    again = call(name, hidden, mask=mask, out=hidden, **axes_of(n))
    assert again is hidden
    np.testing.assert_array_equal(again, y)
    y = call(name, gaps, nan_policy="omit", stride=2, **axes_of(n))
    np.testing.assert_allclose(y, kept(expected, n, (2, 2, 2)), **tolerance)
    spoiled = gaps.copy()
    spoiled[tuple(np.argwhere(~mask)[-1])] = np.nan
    y = call(name, np.where(mask, 0, spoiled).astype(dtype), mask=mask, **axes_of(n))
    assert np.isnan(y).sum() > np.isnan(expected).sum()
    with pytest.raises(ValueError, match="x holds NaN and nan_policy='raise'"):
        call(name, spoiled, mask=mask, nan_policy="raise", **axes_of(n))


@pytest.mark.parametrize("name", MEANS)
def test_means_of_integers_leave_out_what_is_masked(rng, name):
    n = KERNELS[name].ndims[-1]
    x = rng.integers(0, 256, SHAPES[n]).astype(np.uint8)
    mask = rng.random(x.shape) < 0.3
    y = call(name, x, mask=mask, **axes_of(n))
    assert y.dtype == np.float32
    expected = without(x.astype(float), CASES[name][1](n), n, mask)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-3)
    y = call(name, x, mask=mask, dtype=np.float64, **axes_of(n))
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-11)
    for given in (mask, np.zeros_like(mask)):
        with pytest.raises(TypeError, match="dtype=.*uint8.*floating-point dtype is allowed"):
            call(name, x, mask=given, dtype=np.uint8, **axes_of(n))
    plain = call(name, x, dtype=np.uint8, **axes_of(n))  # integers have no NaN
    np.testing.assert_array_equal(
        call(name, x, nan_policy="omit", dtype=np.uint8, **axes_of(n)), plain, strict=True
    )


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_kernels_that_cancel_leave_nothing_out(name, n):
    x = np.ones(SHAPES[n])
    gaps, masked = {"nan_policy": "omit"} | axes_of(n), {"mask": np.zeros(1, bool)} | axes_of(n)
    if name in MEANS or name == "unsharp":
        for keywords in (gaps, masked):
            np.testing.assert_array_equal(call(name, x, **keywords), call(name, x, **axes_of(n)))
        return
    out = np.full(x.shape, 7.0)
    for keywords in (gaps, masked):
        with pytest.raises(ValueError, match="^the kernel has weights that cancel"):
            call(name, x, out=out, **keywords)
        with pytest.raises(ValueError, match="^the kernel has weights that cancel"):
            call(name, x.astype(np.uint8), **keywords)
    assert (out == 7).all()


def test_derivatives_of_means_leave_nothing_out(image):
    for function in (
        lambda **keywords: filters.gaussian(image, 1, 1, **keywords),
        lambda **keywords: filters.gradient_magnitude(image, **keywords),
        lambda **keywords: filters.gradient_magnitude(image, "gaussian", sigma=1, **keywords),
        lambda **keywords: filters.gabor_bank(image, 4, 2, **keywords),
    ):
        for keywords in ({"nan_policy": "omit"}, {"mask": image > 9}):
            with pytest.raises(ValueError, match="^the kernel has weights that cancel"):
                function(**keywords)


@pytest.mark.parametrize("name", [*MEANS, "unsharp"])
def test_items_without_gaps_have_their_bits(rng, name):
    """So do calls with nothing missing, whose plain call goes along one axis after the other."""
    n = KERNELS[name].ndims[-1]
    x = rng.standard_normal((3, *SHAPES[n], 2)).astype(np.float32)
    axes = {"axes": tuple(range(1, 1 + n))}
    plain = call(name, x, **axes)
    for keywords in ({"nan_policy": "omit"}, {"mask": np.zeros(x.shape, bool)}):
        np.testing.assert_array_equal(call(name, x, **keywords, **axes), plain)
    mask = np.zeros(x.shape, bool)
    mask[(1, *(3,) * n, 1)] = True
    whole = ~mask.any(tuple(range(1, 1 + n)))
    spoiled = np.where(mask, np.float32(np.nan), x)
    y = call(name, spoiled, nan_policy="omit", **axes)
    front = np.moveaxis(y, -1, 1)
    np.testing.assert_array_equal(front[whole], np.moveaxis(plain, -1, 1)[whole])
    alone = call(name, spoiled[1, ..., 1], nan_policy="omit", **axes_of(n))
    np.testing.assert_array_equal(y[1, ..., 1], alone)
    out = np.empty_like(y)
    np.testing.assert_array_equal(call(name, x, mask=mask, out=out, **axes), y)
    assert not np.isnan(y).any()


def test_what_is_outside_is_left_out(rng):
    x = rng.uniform(1, 2, (9, 14))
    keywords = {"boundary": "constant", "fill_value": np.nan, "nan_policy": "omit"}
    y = filters.gaussian(x, 1.5, **keywords)
    w = kernels.gaussian(1.5, ndim=2)
    np.testing.assert_allclose(y, without(x, w, 2, boundary="constant"), rtol=1e-13)
    integers = (100 * x).astype(np.uint8)
    y = filters.gaussian(integers, 1.5, **keywords)
    expected = without(integers.astype(float), w, 2, boundary="constant")
    np.testing.assert_allclose(y, expected, rtol=1e-5)


def test_wide_kernels_leave_samples_out_of_small_arrays(rng):
    """Taps that read the same sample are one: the kernel of 2401² weights is none."""
    x = rng.uniform(1, 2, (20, 21))
    x[3:9, 4] = np.nan
    y = filters.gaussian(x, 300, nan_policy="omit")
    np.testing.assert_allclose(y, np.nanmean(x), rtol=0.01)
    w = kernels.gaussian(20, ndim=2)
    expected = without(x, w, 2)
    np.testing.assert_allclose(filters.gaussian(x, 20, nan_policy="omit"), expected, rtol=1e-12)
    means = filters.box(x, 201, nan_policy="omit")
    np.testing.assert_allclose(means, without(x, kernels.box(201, ndim=2), 2), rtol=1e-12)


@pytest.mark.parametrize("amount", [0.5, 1.5, 40.0])
def test_unsharp_adds_what_the_gaussian_of_the_others_takes_away(rng, amount):
    x = rng.uniform(1, 2, (20, 26))
    mask = rng.random(x.shape) < 0.3
    gaps = np.where(mask, np.nan, x)
    smooth = filters.gaussian(gaps, 1.2, nan_policy="omit")
    samples = np.where(mask, smooth, x)
    expected = samples + amount * (samples - smooth)
    close = {"rtol": 0, "atol": 1e-12 * amount}
    y = filters.unsharp(gaps, 1.2, amount, nan_policy="omit")
    np.testing.assert_allclose(y, expected, **close)
    np.testing.assert_array_equal(filters.unsharp(x, 1.2, amount, mask=mask), y)
    kept = filters.unsharp(x, 1.2, amount, mask=mask, stride=3)
    np.testing.assert_allclose(kept, expected[::3, ::3], **close)
    half = filters.unsharp(gaps.astype("f2"), 1.2, amount, nan_policy="omit")
    assert half.dtype == np.float16
    with pytest.raises(TypeError, match="floating-point dtype is allowed"):
        filters.unsharp(x, 1.2, amount, mask=mask, dtype=int)


def test_memory_is_what_was_granted(rng):
    """Whole arrays that passes make are counted, and the parts of a magnitude."""
    x = rng.standard_normal((700, 3, 700)).astype(np.float32)
    axes = {"axes": (0, 2), "workers": 2}
    for function, granted in (
        (lambda **keywords: filters.gaussian(x, 3.0, **keywords, **axes), 2 << 20),
        (lambda **keywords: filters.gaussian(x, 3.0, axes=(0, 1, 2), **keywords), 2 << 20),
        (lambda **keywords: filters.dog(x, 1.0, **keywords, **axes), 2 << 20),
        (lambda **keywords: filters.log(x, 1.0, axes=(0, 1, 2), **keywords), 2 << 20),
        (lambda **keywords: filters.box(x, 31, **keywords, **axes), 2 << 20),
        (lambda **keywords: filters.gradient_magnitude(x, **keywords, **axes), 8 << 20),
    ):
        expected = function()
        out = np.empty_like(x)
        tracemalloc.start()
        function(max_memory=granted, out=out)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # Beside what is granted: a result beside an out that a refusal may leave as it is.
        assert peak <= granted + out.nbytes + (1 << 20)
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-4)
        np.testing.assert_array_equal(function(max_memory=1 << 30), expected)


@pytest.mark.parametrize(("name", "n"), ROWS)
def test_too_little_memory_is_an_error(name, n):
    x, out = np.ones(SHAPES[n]), np.full(SHAPES[n], 7.0)
    with pytest.raises(MemoryError, match="max_memory=1 is too little workspace"):
        call(name, x, max_memory=1, out=out, **axes_of(n))
    assert (out == 7).all()
    for bad, error in ((-1, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match=f"max_memory={bad}"):
            call(name, x, max_memory=bad, out=out, **axes_of(n))
    x = np.ones(SHAPES[n], np.uint8)
    if name in MEANS:
        with pytest.raises(MemoryError, match="max_memory=1 is too little workspace"):
            call(name, x, max_memory=1, dtype=np.uint8, **axes_of(n))


@pytest.mark.parametrize("name", CASES)
def test_wrong_options_write_nothing(name):
    n = KERNELS[name].ndims[-1]
    x, out = np.ones(SHAPES[n]), np.full(SHAPES[n], 7.0)
    x[(0,) * n] = np.nan
    for keywords, message in (
        ({"stride": 0}, "stride=0: integers of at least 1"),
        ({"stride": (1,) * 5}, "has 5 entries"),
        ({"stride": 1.5}, "stride=1.5: integers"),
        ({"stride": 2}, "out has shape"),
        ({"nan_policy": "drop"}, "nan_policy='drop' is unknown"),
        ({"nan_policy": 3}, "nan_policy=3 is unknown"),
        ({"nan_policy": "raise"}, "x holds NaN and nan_policy='raise'"),
        ({"mask": np.zeros(SHAPES[n], int)}, "mask has dtype int64; bool"),
        ({"mask": np.zeros(2, bool)}, r"mask has shape \(2,\), which does not broadcast"),
        ({"method": 3}, "method=3 is unknown"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call(name, x, out=out, **keywords, **axes_of(n))
    assert (out == 7).all()


def test_a_run_that_is_kept_is_that_of_its_arguments_alone():
    """1, 1.0 and True are equal, and so are their hashes; arrays differ in more than shapes."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((12, 17)).astype("f4")
    x[3, 4] = np.nan
    kept = filters.sobel(x, 1)
    with pytest.raises(TypeError, match="axis=True"):
        filters.sobel(x, True)
    with pytest.raises(TypeError, match=r"axis=1\.0"):
        filters.sobel(x, 1.0)
    filters.sobel(np.ones_like(x), 1, nan_policy="raise")
    with pytest.raises(ValueError, match="NaN"):
        filters.sobel(x, 1, nan_policy="raise")
    with pytest.raises(ValueError, match="nan_policy"):
        filters.sobel(x, 1, nan_policy="ignore")
    with pytest.raises(TypeError, match="workers"):
        filters.sobel(x, 1, workers=1.0)
    np.testing.assert_array_equal(filters.sobel(x, -1), kept)
    np.testing.assert_array_equal(filters.sobel(x, 1, axes=[0, 1]), kept)
    np.testing.assert_array_equal(filters.sobel(np.asfortranarray(x), 1), kept)
    np.testing.assert_array_equal(filters.sobel(x[::-1], 1)[::-1], kept)
    np.testing.assert_array_equal(filters.sobel(x.astype(">f4"), 1), kept)
    with pytest.raises(ValueError, match="weights that cancel"):
        filters.sobel(np.ma.masked_array(x, False), 1)
    assert filters.sobel(x, 1, dtype="f8").dtype == np.float64
    wide = filters.gaussian(x, 1, fill_value=0, boundary="constant")
    assert not np.array_equal(wide, filters.gaussian(x, 1, fill_value=1, boundary="constant"))
    with pytest.raises(TypeError, match="fill_value"):
        filters.gaussian(x, 1, fill_value="0", boundary="constant")


def test_a_kept_run_looks_at_the_data_of_its_call():
    """Ranges decide in which integers a sum is exact, and whether it fits a narrow result."""
    small, large = np.ones((9, 9), np.int64), np.full((9, 9), 2**59, np.int64)
    for _ in range(2):
        assert filters.laplace(small, boundary="constant")[0, 0] == -2
        assert filters.laplace(large, boundary="constant")[0, 0] == -(2**60)
        assert filters.sharpen(small, dtype=np.int8).dtype == np.int8
        with pytest.raises(OverflowError):
            filters.sharpen(large, dtype=np.int8)
        with pytest.raises(OverflowError):
            filters.gaussian(large, 1, dtype=np.int8)
        assert filters.gaussian(small, 1, dtype=np.int8).dtype == np.int8


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", "c8"])
@pytest.mark.parametrize("result", [None, "u1", "i2"])
@pytest.mark.parametrize(
    "call",
    [
        lambda x, **options: filters.gaussian(x, 1, overflow="wrap", **options),
        lambda x, **options: filters.box(x, 3, **options),
        lambda x, **options: filters.sobel(x, 1, overflow="saturate", **options),
        lambda x, **options: filters.gradient_magnitude(x, **options),
        lambda x, **options: filters.gabor(x, 5.0, 0.3, overflow="wrap", **options),
    ],
)
def test_a_run_that_is_kept_writes_to_any_array(call, result, dtype):
    """The result of a kept run is that of a first call: fresh, in an array, in the source."""
    rng = np.random.default_rng(8)
    options = {} if result is None else {"dtype": np.dtype(result)}

    def samples():
        x = 100 * rng.random((12, 17))
        return (x + 1j * x[::-1] if dtype == "c8" else x).astype(dtype)

    try:
        call(samples(), **options)
    except (TypeError, OverflowError):
        return  # of complex samples no integers, and no magnitude
    for _ in range(3):
        x = samples()
        planner.clear_cache()
        expected = call(x, **options)
        outs = [np.empty_like(expected), np.empty(expected.shape, expected.dtype.newbyteorder())]
        outs += [
            np.empty((24, 51), expected.dtype)[::-2, ::3],
            np.empty((17, 12), expected.dtype).T,
        ]
        for y in outs:
            for _ in range(2):
                y[...] = 7
                assert call(x, out=y, **options) is y
                np.testing.assert_array_equal(y, expected)
                np.testing.assert_array_equal(call(x, **options), expected)
        if expected.dtype == x.dtype:
            y = x.copy()
            call(y, out=y, **options)
            np.testing.assert_array_equal(y, expected)
        y = np.empty_like(expected)
        for wrong in (y[1:], np.empty(y.shape, "u4"), np.broadcast_to(y[:1], y.shape), None):
            if wrong is None:
                y.flags.writeable = False
                wrong = y
            for _ in range(2):
                with pytest.raises((ValueError, TypeError), match="out"):
                    call(x, out=wrong, **options)


@pytest.mark.parametrize("operator", ["sobel", "scharr", "roberts"])
def test_a_gradient_that_is_kept(operator):
    """Its parts and their root, of arrays of one shape."""
    rng = np.random.default_rng(6)
    for dtype in ("f4", "f8", "f2", "u1"):
        for _ in range(3):
            x = abs(rng.standard_normal((20, 21)) * 9).astype(dtype)
            out = np.empty(x.shape, filters.gradient_magnitude(x, operator).dtype)
            np.testing.assert_array_equal(
                filters.gradient_magnitude(x, operator),
                filters.gradient_magnitude(x, operator, out=out),
            )
