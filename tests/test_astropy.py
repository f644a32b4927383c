"""pyconv.astropy beside astropy itself, and beside the definition of both sums."""

import importlib
import itertools
import subprocess
import sys
import textwrap
import types
import warnings

import numpy as np
import pytest
from conftest import one_in

import pyconv
from pyconv import astropy as ours
from pyconv import patching
from pyconv._patching import ledger
from pyconv._patching.acceptance import ASTROPY_FUNCTIONS, SMALL

theirs = pytest.importorskip("astropy.convolution")
units = importlib.import_module("astropy.units")
nddata = importlib.import_module("astropy.nddata")

#: astropy's functions, where no patch reaches them.
ORIGINALS = {name: getattr(theirs, name) for name in ours.__all__}
WARNING = importlib.import_module("astropy.utils.exceptions").AstropyUserWarning
BOUNDARIES = (None, "fill", "wrap", "extend")
TREATMENTS = ("interpolate", "fill")
FILLS = (0.0, 2.0, np.nan)
DTYPES = ("float64", "float32", ">f4", ">f8", "float16", "int16", "bool", "uint64")
#: Shapes of arrays and kernels, larger kernels among them.
SHAPES = (((11,), (3,)), ((11,), (5,)), ((7, 9), (3, 5)), ((5, 6, 7), (3, 3, 1)), ((3, 4), (5, 5)))
EVEN = (((12,), (4,)), ((7, 9), (3, 4)), ((5, 6, 7), (3, 2, 1)), ((4,), (7,)))
#: Kernels of whole weights, so that astropy and ours see the same sums as nothing.
WEIGHTS = {
    "whole": lambda rng, shape: rng.integers(1, 5, shape).astype(float),
    "zeros": lambda rng, shape: rng.integers(0, 2, shape) * 3.0,
    "signs": lambda rng, shape: rng.integers(-1, 5, shape).astype(float),
    "mean": lambda rng, shape: np.full(shape, 1 / np.prod(shape)),
    "negative": lambda rng, shape: -np.ones(shape),
}


@pytest.fixture(autouse=True)
def plain():
    """Nothing is patched after a test."""
    yield
    patching.unpatch_astropy()


def samples(rng, shape, dtype, infinite=False):
    """Return few whole numbers, a fifth of them NaN where there is such a thing."""
    x = rng.integers(0, 9, shape).astype(dtype)
    if x.dtype.kind == "f":
        x[rng.random(shape) < 0.2] = np.nan
        if infinite:
            x.flat[3] = np.inf
    return x


def outcome(function, *args, **keywords):
    """Return a result or an error, and the categories of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **keywords)
        except Exception as error:  # noqa: BLE001  (which one is what is compared)
            result = error
    return result, sorted(w.category.__name__ for w in caught)


def assert_alike(name, *args, **keywords):
    """Both give the same result, type, dtype and warnings, or the same error."""
    expected, told = outcome(ORIGINALS[name], *args, **keywords)
    found, said = outcome(getattr(ours, name), *args, **keywords)
    if isinstance(expected, Exception):
        assert isinstance(found, type(expected)), (found, expected)
        return
    assert not isinstance(found, Exception), found
    assert said == told
    assert type(found) is type(expected)
    if isinstance(expected, theirs.Kernel):
        assert (found.separable, found.is_bool) == (expected.separable, expected.is_bool)
        found, expected = found.array, expected.array
    assert found.dtype == expected.dtype
    assert getattr(found, "unit", None) == getattr(expected, "unit", None)
    found, expected = np.asarray(found), np.asarray(expected)
    eps = max(float(np.finfo(expected.dtype).eps), 2.0**-52)
    np.testing.assert_allclose(found, expected, rtol=64 * eps, atol=1024 * eps)


def definition(x, w, boundary, fill_value, axes=None):
    """Return Σ w·x and Σ w over samples that are there: loops over taps, and np.pad."""
    axes = tuple(range(x.ndim)) if axes is None else axes
    pads = [(0, 0)] * x.ndim
    for axis, k in zip(axes, w.shape, strict=True):
        pads[axis] = (k // 2, (k - 1) // 2)
    mode = {"fill": "constant", "wrap": "wrap", "extend": "edge"}[boundary]
    extra = {"constant_values": fill_value} if mode == "constant" else {}
    wide = np.pad(x.astype(float), pads, mode, **extra)
    top, bottom = np.zeros(x.shape), np.zeros(x.shape)
    for tap in np.ndindex(w.shape):
        at = [slice(None)] * x.ndim
        for axis, u, k in zip(axes, tap, w.shape, strict=True):
            at[axis] = slice(k - 1 - u, k - 1 - u + x.shape[axis])
        read = wide[tuple(at)]
        there = ~np.isnan(read)
        top += np.where(there, read, 0) * w[tap]
        bottom += there * w[tap]
    return top, bottom


# ---- results ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "dtype", "weights", "boundary", "treatment"),
    one_in(8, SHAPES, DTYPES, WEIGHTS, BOUNDARIES, TREATMENTS),
)
def test_convolve_is_astropys(sizes, dtype, weights, boundary, treatment, rng):
    """With every other option, too."""
    shape, size = sizes
    x, w = samples(rng, shape, dtype), WEIGHTS[weights](rng, size)
    for normalize, preserve, fill in itertools.product((True, False), (False, True), FILLS):
        assert_alike(
            "convolve", x, w, boundary=boundary, nan_treatment=treatment, fill_value=fill,
            normalize_kernel=normalize, preserve_nan=preserve,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "dtype", "weights", "boundary", "treatment"),
    one_in(8, SHAPES + EVEN, DTYPES, ("whole", "mean", "negative"), BOUNDARIES, TREATMENTS),
)
def test_convolve_fft_is_astropys(sizes, dtype, weights, boundary, treatment, rng):
    """With every other option, too."""
    shape, size = sizes
    x, w = samples(rng, shape, dtype, infinite=True), WEIGHTS[weights](rng, size)
    options = {
        "normalize_kernel": (True, False, np.sum, np.max),
        "preserve_nan": (False, True),
        "fill_value": FILLS,
        "psf_pad": (None, False, True),
        "fft_pad": (None, False),
        "min_wt": (0.0, 0.5501),  # no quotient of few whole numbers
        "dealias": (False, True),
    }
    every = list(itertools.product(*options.values()))
    for values in every[int(rng.integers(16)) :: 17]:  # each two entries of two tables
        assert_alike(
            "convolve_fft", x, w, boundary, nan_treatment=treatment,
            **dict(zip(options, values, strict=True)),
        )  # fmt: skip


@pytest.mark.parametrize("weights", ["whole", "zeros"])
@pytest.mark.parametrize("boundary", BOUNDARIES[1:])
@pytest.mark.parametrize("sizes", SHAPES)
def test_interpolation_is_its_definition(sizes, boundary, weights, rng):
    """Whole numbers: the quotients are exact but for their rounding."""
    shape, size = sizes
    x, w = samples(rng, shape, float), WEIGHTS[weights](rng, size)
    w.flat[0] += 1
    for fill in FILLS:
        top, bottom = definition(x, w, boundary, fill)
        with np.errstate(all="ignore"):
            expected = np.where(bottom == 0, x, top / bottom)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WARNING)
            found = ours.convolve(x, w, boundary, fill)
        np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_samples_stay_whose_neighbours_are_all_missing(boundary):
    """Under a kernel without a weight at its centre, of weights of one sign and of both."""
    x = np.array([np.nan, 2.0, np.nan, 4.0, np.nan, np.nan, 7.0, np.nan])
    for w in ([1.0, 0, 1], [2.0, 0, 2], [1.0, -1, 0, 0, 2], [0.0, 1, 0, 2, 0]):
        for fill, normalize in itertools.product(FILLS, (True, False)):
            options = {"fill_value": fill, "normalize_kernel": normalize}
            assert_alike("convolve", x, np.array(w), boundary, **options)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 16, 17, 33])
@pytest.mark.parametrize("taps", [1, 3, 9])
def test_lengths_beside_those_of_vectors(size, taps, rng):
    """One row, of whole numbers and of half gaps."""
    x, w = rng.integers(0, 99, size).astype(float), rng.integers(1, 9, taps).astype(float)
    x[rng.random(size) < 0.5] = np.nan
    for boundary in BOUNDARIES:
        assert_alike("convolve", x, w, boundary)
        if boundary != "extend":
            assert_alike("convolve_fft", x, w, boundary)


@pytest.mark.parametrize("name", ["convolve", "convolve_fft"])
def test_faint_tails_fill_where_nothing_else_does(name, rng):
    """A corner of a Gaussian is more than nothing, and less than pyconv divides by."""
    x = np.full((60, 60), np.nan)
    x[:20, :30] = rng.random((20, 30))
    kernel = theirs.Gaussian2DKernel(2)
    w = kernel.array
    top, bottom = definition(x, w, "extend", 0)
    assert 0 < bottom[bottom > 0].min() < 1e-8
    with np.errstate(all="ignore"):
        expected = top / bottom
    boundary = {"convolve": "extend", "convolve_fft": "nearest"}[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WARNING)
        found = getattr(ours, name)(x, kernel, boundary)
    lost = bottom == 0
    assert np.all(np.isnan(found[lost]) if name == "convolve" else found[lost] == 0)
    np.testing.assert_allclose(found[~lost], expected[~lost], rtol=1e-12)


def test_many_faint_windows_are_summed_as_a_whole(monkeypatch, rng):
    """Gathering them tap by tap gives the same."""
    windows = importlib.import_module("pyconv._astropy.windows")
    x, w = rng.random(200), np.array([1e-9, 1.0, 3.0, 1.0, 1e-9])
    x[20:180] = np.nan
    with pytest.warns(WARNING):
        gathered = ours.convolve(x, w)
    monkeypatch.setattr(windows, "GATHERED", 0)
    with pytest.warns(WARNING):
        np.testing.assert_allclose(ours.convolve(x, w), gathered, rtol=1e-14)
    assert np.isfinite(gathered[[20, 21, 178, 179]]).all()


def test_large_transforms_are_astropys(rng):
    """Kernels that our own transforms take."""
    x, w = rng.random((150, 170)), rng.random((41, 37))
    x[rng.random(x.shape) < 0.02] = np.nan
    for name, boundary in itertools.product(("convolve", "convolve_fft"), ("fill", "wrap")):
        found, expected = getattr(ours, name)(x, w, boundary), ORIGINALS[name](x, w, boundary)
        np.testing.assert_allclose(found, expected, rtol=1e-11)


# ---- what arrays may be -----------------------------------------------------------------------

VALUES = np.array([1.0, 2, np.nan, 4, 5])
MASK = np.array([0, 1, 0, 0, 0])


def forms():
    """Return arrays of other types, by a word."""
    masked = importlib.import_module("astropy.utils.masked").Masked
    table = importlib.import_module("astropy.table")
    read_only = VALUES.copy()
    read_only.flags.writeable = False
    return {
        "list": VALUES.tolist(),
        "tuple of bool": (True, False, True),
        "quantity": VALUES * units.Jy,
        "float32 quantity": VALUES.astype("f4") * units.km,
        "masked": np.ma.array(VALUES, mask=MASK),
        "masked integers": np.ma.array([1, 2, 3, 4, 5], mask=MASK),
        "masked float32": np.ma.array(VALUES, "f4", mask=MASK),
        "no mask": np.ma.array(VALUES),
        "Masked": masked(VALUES, mask=MASK),
        "Masked without": masked(VALUES, mask=0 * MASK),
        "masked quantity": masked(VALUES * units.m, mask=MASK),
        "column": table.Column(VALUES),
        "column of a unit": table.Column(VALUES, unit="m"),
        "masked column": table.MaskedColumn(VALUES, mask=MASK),
        "CCDData": nddata.CCDData(VALUES, unit="adu"),
        "masked CCDData": nddata.CCDData(
            VALUES, unit="adu", mask=MASK.astype(bool), uncertainty=nddata.StdDevUncertainty(MASK)
        ),
        "NDData": nddata.NDData(VALUES, meta={"a": 1}),
        "longdouble": VALUES.astype("longdouble"),
        "big-endian longdouble": VALUES.astype(">g"),
        "kernel": theirs.Box1DKernel(5),
        "model": theirs.Gaussian1DKernel(1),
        "object": VALUES.astype(object),
        "reversed": VALUES[::-1],
        "read-only": read_only,
        "words": np.array(["a", "b"]),
        "ragged": [[1], [2, 3]],
        "a number": 5.0,
        "nothing": [],
        "None": None,
        "four axes": np.ones((2, 2, 2, 2)),
    }


KERNELS = {
    "array": np.ones(3),
    "list": [1, 2, 1],
    "integers": np.array([1, 2, 1], "uint8"),
    "kernel": theirs.Gaussian1DKernel(1),
    "quantity": np.ones(3) * units.m,
    "masked": np.ma.array(np.ones(3), mask=[1, 0, 0]),
    "no mask": np.ma.array(np.ones(3)),
    "plane": np.ones((3, 3)),
    "Gaussian": theirs.Gaussian2DKernel(1),
    "even": np.ones(4),
    "sum of 0": np.array([-1.0, 2, -1]),
    "words": ["a"],
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("form", forms())
def test_arrays_of_all_types_are_taken_as_astropy_takes_them(form, kernel):
    """And refused with the same errors; units and types of results are the same."""
    array = forms()[form]
    for name, treatment in itertools.product(("convolve", "convolve_fft"), TREATMENTS):
        assert_alike(name, array, KERNELS[kernel], nan_treatment=treatment)
        assert_alike(name, array, KERNELS[kernel], mask=MASK, nan_treatment=treatment)


@pytest.mark.parametrize("name", ["convolve", "convolve_fft"])
@pytest.mark.parametrize(
    "options",
    [
        {"boundary": "sideways"},
        {"boundary": 3},
        {"nan_treatment": "ignore"},
        {"mask": np.ones(3)},
        {"fill_value": "a"},
        {"psf_pad": True, "boundary": "wrap"},
        {"fft_pad": True, "boundary": "wrap"},
        {"dealias": True, "boundary": "wrap"},
        {"boundary": "extend"},
        {"fill_value": np.nan, "nan_treatment": "fill"},
        {"normalization_zero_tol": 9.0},
        {"normalization_zero_tol": 9.0, "normalize_kernel": False},
        {"normalization_zero_tol": 9.0, "normalize_kernel": False, "nan_treatment": "fill"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_options_are_refused_as_astropy_refuses_them(name, options):
    """The same types of errors."""
    if options.get("boundary") in ("sideways", 3) and name == "convolve_fft":
        with pytest.raises((TypeError, ValueError)):  # astropy's goes round in silence
            ours.convolve_fft(VALUES, np.ones(3), **options)
        return
    assert_alike(name, VALUES, np.ones(3), **options)


def test_boundary_none_refuses_large_kernels():
    """The same error, from the size of the array on."""
    for size in (3, 5, 7):
        assert_alike("convolve", VALUES, np.ones(size), boundary=None)


def test_large_transforms_have_to_be_allowed():
    """By the bytes of astropy's; ours need none of them."""
    x = np.broadcast_to(np.float64(1), (8000, 8000))
    with pytest.raises(ValueError, match="allow_huge=True"):
        ours.convolve_fft(x, np.ones((3, 3)))
    short = np.broadcast_to(np.float64(1), (7900, 7900))
    with pytest.raises(ValueError, match="allow_huge=True"):
        ours.convolve_fft(short, np.broadcast_to(1.0, (301, 301)))


def test_what_astropy_answers_itself(rng):
    """Its transform, whole frames, the caller's own functions, complex numbers, four axes."""
    x, w = rng.random((6, 7)), rng.random((3, 3))
    calls = []

    def fftn(a):
        calls.append(1)
        return np.fft.fftn(a)

    for options in (
        {"return_fft": True},
        {"crop": False},
        {"complex_dtype": np.complex64},
        {"fftn": fftn},
    ):
        np.testing.assert_array_equal(
            ours.convolve_fft(x, w, **options), theirs.convolve_fft(x, w, **options)
        )
        with pytest.raises(NotImplementedError, match="astropy's convolve_fft answers"):
            ours.convolve_fft(x, w, boundary="nearest", **options)
    assert len(calls) >= 2
    assert_alike("convolve_fft", x + 1j, w)
    assert_alike("convolve_fft", np.ones((2, 3, 4, 5)), np.ones((1, 1, 3, 3)))
    assert_alike("convolve", x + 1j, w)


def test_big_endian_images_are_read_as_they_are(rng):
    """The bits of native ones, read-only too, and nothing is written."""
    x = rng.random((64, 65)).astype("f4")
    x[3:5, 7:20] = np.nan
    fits = x.astype(">f4")
    fits.flags.writeable = False
    for boundary in BOUNDARIES:
        found = ours.convolve(fits, np.ones((5, 5)), boundary)
        assert found.dtype == ">f4"
        np.testing.assert_array_equal(found, ours.convolve(x, np.ones((5, 5)), boundary))
    smooth = ours.convolve_fft(fits, np.ones((5, 5)))
    np.testing.assert_array_equal(smooth, ours.convolve_fft(x, np.ones((5, 5))))


@pytest.mark.parametrize("name", ["convolve", "convolve_fft"])
def test_arguments_are_left_as_they_are(name, rng):
    """Samples, masks and kernels."""
    x, w = samples(rng, (9, 9), float, True), rng.random((3, 3))
    mask = rng.random(x.shape) < 0.1
    before = [a.copy() for a in (x, w, mask)]
    for treatment in TREATMENTS:
        getattr(ours, name)(x, w, mask=mask, nan_treatment=treatment, preserve_nan=True)
        for a, b in zip((x, w, mask), before, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("function", ["convolve", "convolve_fft"])
def test_gaps_are_filled_as_astropy_fills_them(function, rng):
    """Samples that are there keep their bits; units stay."""
    x = rng.random((20, 20))
    x[rng.random(x.shape) < 0.1] = np.nan
    w = theirs.Gaussian2DKernel(1)
    for array in (x, x.astype(">f4"), x * units.Jy, np.ones((3, 3))):
        found = ours.interpolate_replace_nans(array, w, getattr(ours, function))
        expected = theirs.interpolate_replace_nans(array, w, ORIGINALS[function])
        assert type(found) is type(expected)
        assert found is not array
        there = ~np.isnan(array)
        np.testing.assert_array_equal(found[there], array[there])
        tolerance = 1e-6 if found.dtype.itemsize == 4 else 1e-12
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=tolerance)
    found = ours.interpolate_replace_nans(x, w, boundary="extend")
    expected = theirs.interpolate_replace_nans(x, w, boundary="extend")
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_two_kernels_make_a_kernel():
    """With a warning, and in a plane too."""
    for a, b in (
        (theirs.Box1DKernel(5), theirs.Gaussian1DKernel(1)),
        (theirs.Gaussian2DKernel(1), theirs.Gaussian2DKernel(1)),
        (theirs.Ring2DKernel(2, 2), theirs.Gaussian2DKernel(1)),
        (theirs.Box1DKernel(5), np.ones(3)),
    ):
        assert_alike("convolve", a, b, boundary="wrap", normalize_kernel=False)
        assert_alike("convolve_fft", a, b)


# ---- where astropy is wrong -------------------------------------------------------------------


def test_negative_weights_interpolate_in_convolve_fft(rng):
    """Where the weights that met samples sum to less than nothing astropy's results are 0."""
    image = np.arange(49.0).reshape(7, 7)
    image[3, 3] = np.nan
    kernel = np.array([[1, -2, 1], [-2, 5, -2], [1, -2, 2.0]])
    top, bottom = definition(image, kernel, "wrap", 0)
    found = ours.convolve_fft(image, kernel, "wrap")
    with np.errstate(all="ignore"):
        expected = np.where(bottom == 0, 0, top / bottom)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[3, 3] == pytest.approx(80 / 3)
    assert ours.convolve(image, kernel, "wrap")[3, 3] == found[3, 3]


def test_large_samples_stay_where_they_are(rng):
    """A transform of the whole array spreads their rounding over it."""
    x, w = rng.random((80, 80)), rng.random((9, 9))
    x[40, 40] = 1e17
    found = ours.convolve_fft(x, w)
    expected = theirs.convolve(x, w)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.abs(theirs.convolve_fft(x, w) - expected)[:30].max() > 1e-3


def test_infinities_of_both_signs_are_no_nan():
    """Their sum is, which astropy asks for."""
    x, kernel = np.array([np.inf, 1, 2, 3, -np.inf]), np.array([-1.0, 2, -1])
    found = ours.convolve(x, kernel, normalize_kernel=False)
    np.testing.assert_array_equal(found[2], 0)
    expected, _ = outcome(theirs.convolve, x, kernel, normalize_kernel=False)
    assert isinstance(expected, ValueError)
    with pytest.raises(ValueError, match="interpolate"):
        ours.convolve(VALUES, kernel, normalize_kernel=False)


# ---- beyond astropy ---------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [0, 1, -1, (0,), (2, 0), (0, 1)])
@pytest.mark.parametrize("name", ["convolve", "convolve_fft"])
def test_kernels_along_some_axes_of_a_cube(name, axes, rng):
    """As astropy's along each line, or plane."""
    cube, ndim = rng.random((7, 5, 6)), np.size(axes)
    cube[rng.random(cube.shape) < 0.2] = np.nan
    cube[:4, 1, 2] = np.nan
    w = rng.random((3, 5)[:ndim])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WARNING)
        found = getattr(ours, name)(cube, w, axes=axes)
        moved = np.moveaxis(cube, axes, range(-ndim, 0))
        expected = np.empty_like(moved)
        for at in np.ndindex(moved.shape[:-ndim]):
            expected[at] = ORIGINALS[name](moved[at], w)
    expected = np.moveaxis(expected, range(-ndim, 0), axes)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["convolve", "convolve_fft"])
def test_kernels_along_an_axis_of_four(name, rng):
    """A cube of polarisations."""
    x, w = rng.random((2, 6, 3, 4)), np.array([1.0, 2, 1])
    x[0, 2, 1, 1] = np.nan
    found = getattr(ours, name)(x, w, axes=1)
    for i, j, k in np.ndindex(2, 3, 4):
        np.testing.assert_allclose(found[i, :, j, k], ORIGINALS[name](x[i, :, j, k], w), rtol=1e-13)
    with pytest.raises(ValueError, match="axes=7"):
        getattr(ours, name)(x, w, axes=7)


@pytest.mark.parametrize("boundary", ["nearest", "mirror", "symmetric", "wrap", "constant"])
def test_all_boundaries_of_pyconv(boundary, rng):
    """For all axes, or one each; None has none beside it."""
    x, w = rng.random((9, 8)), rng.random((3, 5))
    x[2, 3] = np.nan
    for words in (boundary, (boundary, "nearest"), ["mirror", boundary]):
        expected = pyconv.convolve(x, w / w.sum(), "same", words, nan_policy="omit")
        np.testing.assert_allclose(ours.convolve(x, w, words), expected, rtol=1e-13)
        np.testing.assert_allclose(ours.convolve_fft(x, w, words), expected, rtol=1e-13)
    for words in ((boundary,), (boundary, None), (boundary,) * 3):
        with pytest.raises(ValueError, match="boundary"):
            ours.convolve(x, w, words)


def test_even_kernels_are_taken_when_they_are_allowed(rng):
    """Their centre is that of convolve_fft."""
    x, w = rng.random((9, 8)), rng.random((4, 3))
    x[2, 3] = np.nan
    with pytest.raises(theirs.KernelSizeError):
        ours.convolve(x, w)
    for boundary in ("fill", "wrap"):
        found = ours.convolve(x, w, boundary, allow_even=True)
        np.testing.assert_allclose(found, theirs.convolve_fft(x, w, boundary), rtol=1e-12)
    inside, whole = ours.convolve(x, w, None, allow_even=True), theirs.convolve_fft(x, w)
    assert not inside[0].any()
    assert not inside[-2:].any()
    np.testing.assert_allclose(inside[1:-2, 1:-1], whole[1:-2, 1:-1], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", ">f4", "float16", "float64", "int32"])
def test_single_precision_is_kept_on_request(dtype, rng):
    """Sums of doubles and integers stay double."""
    x = (rng.random((30, 40)) * 99).astype(dtype)
    w = rng.random((5, 5))
    if x.dtype.kind == "f":
        x[3, 4:9] = np.nan
    double, single = ours.convolve(x, w), ours.convolve(x, w, single=True)
    assert single.dtype == double.dtype
    np.testing.assert_allclose(single, double, rtol=2e-3 if dtype == "float16" else 1e-5)
    smooth = ours.convolve_fft(x, w, single=True)
    assert smooth.dtype == (np.float32 if dtype in ("float32", ">f4", "float16") else np.float64)
    np.testing.assert_allclose(smooth, theirs.convolve_fft(x, w), rtol=1e-5)
    with pytest.raises(TypeError, match="single='yes'"):
        ours.convolve(x, w, single="yes")


def test_threads_do_not_change_bits(rng):
    """Neither does a call before."""
    x, w = rng.random((300, 200)), rng.random((7, 7))
    x[rng.random(x.shape) < 0.1] = np.nan
    one = ours.convolve(x, w, workers=1)
    np.testing.assert_array_equal(ours.convolve(x, w, workers=2), one)
    np.testing.assert_array_equal(
        ours.convolve_fft(x, w, workers=2), ours.convolve_fft(x, w, workers=1)
    )
    with pytest.raises(ValueError, match="workers"):
        ours.convolve(x, w, workers=0)


# ---- patching ---------------------------------------------------------------------------------

#: Enough for ours.
IMAGE = np.random.default_rng(3).random((200, 210))
IMAGE[5:8, 9:90] = np.nan
GAUSSIAN = theirs.Gaussian2DKernel(1.5)


def test_all_functions_are_replaced_and_put_back():
    """Under every name, that of a user too, which another library's patch does not touch."""
    assert ASTROPY_FUNCTIONS.keys() == {f"astropy.convolution.{name}" for name in ours.__all__}
    user = types.ModuleType("an_astronomer")
    user.smooth, sys.modules["an_astronomer"] = theirs.convolve, user
    inside = sys.modules["astropy.convolution.convolve"]
    try:
        with pyconv.patch_scipy():
            patch = pyconv.patch_astropy()
            for name, original in ORIGINALS.items():
                assert getattr(theirs, name) is getattr(inside, name) is not original
            assert user.smooth is theirs.convolve
            pyconv.unpatch_scipy()
            assert theirs.convolve is not ORIGINALS["convolve"]
        assert theirs.convolve is user.smooth is not ORIGINALS["convolve"]
        with patch:
            pass
        assert user.smooth is ORIGINALS["convolve"]
        for name, original in ORIGINALS.items():
            assert getattr(theirs, name) is getattr(inside, name) is original
        kept = importlib.import_module("pyconv._astropy.theirs")
        assert kept.convolve is ORIGINALS["convolve"]
    finally:
        del sys.modules["an_astronomer"]


@pytest.mark.parametrize("name", ours.__all__)
def test_patched_calls_are_ours(name):
    """And those of the models, which call by the name."""
    tally = ledger.Tally()
    ledger.keep(tally)
    expected = ORIGINALS[name](IMAGE, GAUSSIAN)
    with pyconv.patch_astropy(only=name):
        found = getattr(theirs, name)(IMAGE, GAUSSIAN)
        getattr(theirs, name)(IMAGE[:3, :3], np.ones((1, 1)))
    ledger.drop(tally)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    full = f"astropy.convolution.{name}"
    assert tally.entries[full, ""][0] == 1 + (name == "convolve_fft")
    assert ((full, SMALL) in tally.entries) == (name != "convolve_fft")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"boundary": "nearest"}, "the call raises ValueError"),
        ({"axes": 0}, "the call raises TypeError"),
        ({"boundary": "extend"}, "the call raises NotImplementedError"),
        ({"return_fft": True}, "return_fft is True"),
        ({"crop": False}, "crop is False"),
    ],
    ids=str,
)
def test_patched_calls_that_astropy_answers(options, reason):
    """What only ours know raises astropy's errors."""
    name = "convolve" if options.get("boundary") == "nearest" else "convolve_fft"
    tally = ledger.Tally()
    ledger.keep(tally)
    with pyconv.patch_astropy():
        found, _ = outcome(getattr(theirs, name), IMAGE, GAUSSIAN, **options)
    ledger.drop(tally)
    expected, _ = outcome(ORIGINALS[name], IMAGE, GAUSSIAN, **options)
    assert type(found) is type(expected)
    assert [why for _, why in tally.entries] == [reason]
    assert ", 1 by astropy in" in tally.lines()[0]


def test_names_of_a_patch():
    """Words that are not known are listed."""
    with pyconv.patch_astropy(only=["convolve_fft"]) as patch:
        assert repr(patch) == "<patch of 1 functions of astropy, on>"
        assert theirs.convolve is ORIGINALS["convolve"]
    with pytest.raises(ValueError, match=r"only='sobel': allowed are astropy\.convolution"):
        pyconv.patch_astropy(only="sobel")
    with pytest.raises(ValueError, match="only='convolve_fft': allowed are scipy"):
        pyconv.patch_scipy(only="convolve_fft")


def test_a_missing_or_old_astropy_is_named():
    """With the command that installs it; importing pyconv.astropy imports none."""
    code = textwrap.dedent("""
        import sys, pyconv, pyconv.astropy
        assert "astropy" not in sys.modules
        sys.modules["astropy"] = None
        for call in (lambda: pyconv.astropy.convolve([1], [1]), pyconv.patch_astropy):
            try:
                call()
            except ImportError as error:
                print(error)
    """)
    lines = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(lines) == 2
    assert all("pip install 'pyconv-nd[astropy]'" in line for line in lines)


def test_a_mask_may_be_a_list():
    """Of which astropy asks whether it is 0, and masks everything."""
    expected = theirs.convolve(VALUES, np.ones(3), mask=MASK)
    np.testing.assert_allclose(ours.convolve(VALUES, np.ones(3), mask=MASK.tolist()), expected)


def test_an_old_astropy_is_refused(monkeypatch):
    """Nothing is patched then."""
    monkeypatch.setattr(sys.modules["astropy"], "__version__", "5.3.1")
    with pytest.raises(ImportError, match="astropy 5.3.1 is too old"):
        pyconv.patch_astropy()
    assert theirs.convolve is ORIGINALS["convolve"]
