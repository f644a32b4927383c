"""Edges of `pyconv.astropy`: errors of astropy's types, and no NaN for an answer."""

import numpy as np
import pytest

ac = pytest.importorskip("astropy.convolution")
import pyconv  # noqa: E402
import pyconv.astropy as pa  # noqa: E402

LINE = np.arange(12.0)


@pytest.mark.parametrize("kernel", [3.0, None, np.float32(2)])
@pytest.mark.parametrize("name", ["convolve", "convolve_fft", "interpolate_replace_nans"])
def test_a_kernel_without_dimensions_is_refused(name, kernel):
    with pytest.raises(ValueError, match="number of dimensions"):
        getattr(pa, name)(np.array([1.0, np.nan, 3.0]), kernel)
    if name == "interpolate_replace_nans":  # which astropy's does not look at where nothing is NaN
        return
    with pyconv.patch_astropy(), pytest.raises(ValueError, match="dimensions"):
        getattr(ac, name)(np.arange(2e5), kernel)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_of_the_other_sign_leaves_the_results(sign):
    w = sign * np.ones(3)
    y = pa.convolve_fft(LINE, w, normalize_kernel=lambda k: -sign * 2.0)
    np.testing.assert_allclose(y, -sign * np.convolve(LINE, np.ones(3), "same") * 2 / 3)


@pytest.mark.parametrize("number", [np.sum, lambda k: k.sum() * 2])
def test_windows_that_are_whole_are_kept(number):
    """However near to nothing the sum of the weights is."""
    kernel = ac.RickerWavelet2DKernel(1)
    plain = pa.convolve_fft(LINE[np.newaxis], kernel, normalize_kernel=number)
    least = float(np.sum(kernel.array) / number(kernel.array))
    y = pa.convolve_fft(LINE[np.newaxis], kernel, min_wt=least, normalize_kernel=number)
    np.testing.assert_array_equal(y, plain)
    more = pa.convolve_fft(LINE[np.newaxis], kernel, min_wt=2 * least, normalize_kernel=number)
    assert np.isnan(more).all()


def test_a_kernel_that_sums_to_nothing_says_the_way_out():
    for normalize_kernel in (True, lambda k: 1.0, False):
        with pytest.raises(ValueError, match="nan_treatment='fill'|'fill' does not"):
            pa.convolve_fft(LINE, [-1, 2, -1.0], normalize_kernel=normalize_kernel)
        if normalize_kernel is not True:
            options = {"nan_treatment": "fill", "normalize_kernel": normalize_kernel}
            np.testing.assert_allclose(
                pa.convolve_fft(LINE, [-1, 2, -1.0], **options),
                ac.convolve_fft(LINE, [-1, 2, -1.0], **options),
                atol=1e-12,
            )


@pytest.mark.filterwarnings("error")
def test_complex_numbers():
    with pytest.raises(TypeError, match="complex128"):
        pa.convolve([1 + 1j, 2, 3.0], [1, 1, 1.0])
    for x, w in (([1, 2, 3.0], [1, 1j, 1.0]), ([1, 2j, 3.0], [1, 1, 1.0])):
        np.testing.assert_array_equal(
            pa.convolve_fft(x, w, normalize_kernel=False),
            ac.convolve_fft(x, w, normalize_kernel=False),
        )


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"normalize_kernel": lambda k: 0.0}, ValueError, "normalize_kernel gives"),
        ({"normalize_kernel": lambda k: 1j}, ValueError, "normalize_kernel gives 1j"),
        ({"normalize_kernel": lambda k: k}, TypeError, "a number is needed"),
        ({"normalize_kernel": "x"}, TypeError, "normalize_kernel='x'"),
        ({"min_wt": "a"}, TypeError, "min_wt='a'"),
        ({"min_wt": None}, TypeError, "min_wt=None"),
        ({"fill_value": "nan", "nan_treatment": "fill"}, ValueError, "spoils all results"),
        ({"fill_value": "a"}, TypeError, "fill_value='a'"),
        ({"fill_value": "a", "nan_treatment": "fill"}, ValueError, "fill_value='a'"),
    ],
)
def test_the_argument_is_named(options, error, words):
    with pytest.raises(error, match=words):
        pa.convolve_fft(np.append(LINE, np.nan), np.ones(3), **options)


@pytest.mark.parametrize("boundary", ["x", 3, ("x",)])
@pytest.mark.parametrize("name", ["convolve", "convolve_fft"])
def test_boundaries_that_are_allowed_are_listed(name, boundary):
    """None among them, where it may stand: not as one of several."""
    with pytest.raises(ValueError, match="is unknown; allowed are circular.*zeros") as error:
        getattr(pa, name)(LINE, np.ones(3), boundary)
    assert ("and None" in str(error.value)) == (not isinstance(boundary, tuple))


def test_units_are_those_of_this_module_alone():
    """Other functions read a quantity as SciPy's do: as the array of its values."""
    units = pytest.importorskip("astropy.units")
    q, w = LINE * units.m, np.array([1.0, 2.0, 4.0])
    assert pa.convolve(q, w).unit == units.m
    calls = (
        lambda x: pyconv.correlate(x, w),
        lambda x: pyconv.correlate_each(x, w),
        lambda x: pyconv.xcorr(x, x)[0],
        lambda x: pyconv.ndimage.correlate1d(x, w),
        lambda x: pyconv.signal.lfilter(w, 1.0, x),
        lambda x: pyconv.filters.gaussian(x, 1.0),
    )
    for call in calls:
        assert type(call(q)) is np.ndarray
        np.testing.assert_array_equal(call(q), call(LINE))
