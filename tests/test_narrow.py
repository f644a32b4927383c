"""Arrays whose last axis is short: filters and drop-ins see a long one in its place."""

import numpy as np
import pytest
import scipy.ndimage

from pyconv import filters, ndimage
from pyconv._calls import filter_call
from pyconv._engine import separable_passes
from pyconv._engine.algorithms import arranged
from pyconv._engine.algorithms.arranged import view_of
from pyconv._engine.planner import clear_cache

SHAPES = [(4096, 1), (4096, 2), (2048, 3), (600, 8), (1, 4096, 1), (40, 60, 3), (2000, 1, 1)]

FILTERS = {
    "sobel": lambda x: filters.sobel(x, axes=range(x.ndim)),
    "gaussian": lambda x: filters.gaussian(x, 2, axes=range(x.ndim)),
    "slope": lambda x: filters.gaussian(x, 1, 1, axes=range(x.ndim)),
    "box": lambda x: filters.box(x, 5, axes=range(x.ndim)),
    "last": lambda x: filters.gaussian(x, 1, axes=x.ndim - 1),
    "first": lambda x: filters.gaussian(x, 1, axes=0),
    "ndimage.sobel": ndimage.sobel,
    "ndimage.uniform_filter": lambda x: ndimage.uniform_filter(x, 9),
    "ndimage.gaussian_filter": lambda x: ndimage.gaussian_filter(x, 2, mode="constant", cval=3),
    "ndimage.gaussian_laplace": lambda x: ndimage.gaussian_laplace(x, 2),
    "ndimage.correlate1d": lambda x: ndimage.correlate1d(x, [0.2, 0.3, 0.6]),
}
#: Several terms, and sums that windows share: their last bits depend on how the axes lie.
TO_ROUNDING = {
    "log": lambda x: filters.log(x, 1.5, axes=range(x.ndim)),
    "unsharp": lambda x: filters.unsharp(x, 1.5, axes=range(x.ndim)),
    "box": lambda x: filters.box(x, 31, axes=range(x.ndim)),
    "ndimage.uniform_filter": lambda x: ndimage.uniform_filter(x, 31),
}


@pytest.fixture
def as_it_lies(monkeypatch):
    """Return a function that calls another, where no array is seen otherwise."""

    def call(function, *arguments):
        with monkeypatch.context() as patch:
            for module in (separable_passes, arranged):
                patch.setattr(module, "view_of", lambda *given, **options: None)
            clear_cache()
            result = function(*arguments)
        clear_cache()
        return result

    return call


def samples(rng, shape, dtype):
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 256, shape).astype(dtype)
    return (rng.standard_normal(shape) * 100).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "uint8", "int32", ">f4"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_order_in_memory_changes_no_bit(shape, dtype, rng, as_it_lies):
    """Passes go in the order of the caller's axes, whichever of them lies last."""
    x = samples(rng, shape, dtype)
    for name, filtered in FILTERS.items():
        y = filtered(x)
        assert y.shape == shape
        assert y.flags.c_contiguous
        np.testing.assert_array_equal(y, as_it_lies(filtered, x), err_msg=name)
        backwards = x[::-1]
        np.testing.assert_array_equal(filtered(backwards), filtered(backwards.copy()), err_msg=name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_of_several_terms(shape, rng, as_it_lies):
    """They differ by roundings."""
    x = samples(rng, shape, "float64")
    for name, filtered in TO_ROUNDING.items():
        np.testing.assert_allclose(
            filtered(x), as_it_lies(filtered, x), rtol=0, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("shape", [s for s in SHAPES if len(s) == 2], ids=str)
def test_rounded_means(shape, overflow, rng, as_it_lies):
    """Means of 8 bits are exact in any order."""
    x = samples(rng, shape, "uint8")

    def mean(x):
        return filters.box(x, (31, 3), boundary="mirror", dtype="uint8", overflow=overflow)

    np.testing.assert_array_equal(mean(x), as_it_lies(mean, x))
    turned = filters.box(x.T, (3, 31), boundary="mirror", dtype="uint8", overflow=overflow)
    np.testing.assert_array_equal(mean(x), turned.T)


@pytest.mark.parametrize("name", ["uniform_filter", "gaussian_filter", "sobel", "laplace"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_integers_are_those_of_scipy(shape, dtype, name, rng):
    """What is cut between the passes is cut in SciPy's order, into any array."""
    x = samples(rng, shape, dtype)
    arguments = {"uniform_filter": (5,), "gaussian_filter": (1.5,)}.get(name, ())
    expected = getattr(scipy.ndimage, name)(x, *arguments)
    filtered = getattr(ndimage, name)
    np.testing.assert_array_equal(filtered(x, *arguments), expected)
    out = np.empty(shape[::-1], dtype).T
    filtered(x, *arguments, output=out)
    np.testing.assert_array_equal(out, expected)
    filtered(x, *arguments, output=x)
    np.testing.assert_array_equal(x, expected)


def test_an_item_has_the_bits_that_it_has_alone(rng):
    """A batch may give its axis only where that changes no bit."""
    x = samples(rng, (500, 30, 3), "float32")
    for name in ("gaussian", "unsharp", "log"):
        function = getattr(filters, name)
        for axes in (2, (1, 2)):
            every = function(x, 1.5, axes=axes)
            np.testing.assert_array_equal(every[7:8], function(x[7:8], 1.5, axes=axes))
    for size in (5, 31):
        for axes in (2, (1, 2)):
            every = filters.box(x, size, axes=axes)
            np.testing.assert_array_equal(every[7:8], filters.box(x[7:8], size, axes=axes))


def test_what_is_seen(monkeypatch, rng):
    """A long axis is last; axes of one sample move none; few samples are seen as they lie."""
    assert view_of((4096, 1), (0, 1)).shape == (1, 4096)
    assert not view_of((4096, 1), (0, 1)).moved
    assert view_of((1, 4096), (0, 1)) is None
    assert view_of((1, 4096, 1), (0, 1, 2)).shape == (1, 1, 4096)
    assert view_of((4096, 3), (0, 1)).shape == (3, 4096)
    assert view_of((4096, 3), (0, 1)).moved
    assert view_of((4096, 3), (0,)) is None  # whose last axis is a pixel's
    assert view_of((4096, 3), (1,)).shape == (3, 4096)
    assert view_of((4096, 3), (1,), batch=False) is None
    assert view_of((600, 800, 3), (0, 1, 2)).shape == (3, 600, 800)  # long ones stay in order
    assert view_of((600, 800, 3), (0, 1)) is None
    assert view_of((32, 3), (0, 1)) is None
    assert view_of((4096, 9), (0, 1)) is None

    shapes = []

    def problem_of(shape, *arguments, **options):
        shapes.append(shape)
        return make_problem(shape, *arguments, **options)

    make_problem = separable_passes.make_problem
    monkeypatch.setattr(separable_passes, "make_problem", problem_of)
    for function in (filters.sobel, ndimage.sobel, filters.laplace):
        for shape in ((2**15, 1), (1, 2**15)):
            clear_cache()
            shapes.clear()
            function(samples(rng, shape, "float64"))
            assert shapes[-1] == (1, 2**15)
    clear_cache()


@pytest.mark.parametrize("boundary", ["symmetric", "mirror", "nearest", "wrap", "constant"])
@pytest.mark.parametrize("shape", [(300, 1), (1, 300), (3, 200), (200, 2), (1, 1)], ids=str)
def test_a_granted_error_on_few_samples(shape, boundary, rng, monkeypatch):
    """The one kernel of a granted error reads each sample of a short axis once."""
    x = samples(rng, shape, "float64")
    kernels_of = []

    def prepared(x, w, options):
        kernels_of.append(w.shape)
        return prepare(x, w, options)

    prepare = filter_call.prepare
    monkeypatch.setattr(filter_call, "prepare", prepared)
    fill_value = 3 if boundary == "constant" else 0
    for function, given in (
        (filters.gaussian, (20,)),
        (filters.unsharp, (5,)),
        (filters.gaussian, (2, (0, 1))),
    ):
        plain, granted = (
            function(x, *given, boundary=boundary, fill_value=fill_value, rtol=rtol)
            for rtol in (None, 1e-12)
        )
        np.testing.assert_allclose(granted, plain, rtol=0, atol=1e-10 * np.abs(x).max())
    taps = kernels_of[0]
    assert all(k <= 2 * n + 1 for k, n in zip(taps, shape, strict=True) if n < 4)
