"""The accessor of xarray: every method gives what the function gives along the axes of the names.

Coordinates, attributes and names are kept, cut where the samples are.
"""

import inspect

import numpy as np
import pytest

pd = pytest.importorskip("pandas")
xarray = pytest.importorskip("xarray")

import pyconv  # noqa: E402
from pyconv import filters  # noqa: E402
from pyconv.xarray import FILTERS, KERNELS, DataArrayAccessor  # noqa: E402

#: Arguments that filters need, beside the dimensions.
NEEDED = {
    "ball": {"radius": 1.5},
    "box": {"size": 3},
    "disk": {"radius": 2},
    "dog": {"sigma": 1},
    "gabor": {"wavelength": 5},
    "gabor_bank": {"wavelengths": [4, 8], "orientations": 3},
    "gaussian": {"sigma": 1.5},
    "log": {"sigma": 1},
    "motion": {"length": 4},
    "unsharp": {"sigma": 1},
}
WITH_A_DIRECTION = [name for name, row in FILTERS.items() if row.direction]
WITH_WIDTHS = [name for name, row in FILTERS.items() if row.widths]


@pytest.fixture
def volume():
    """Three dimensions with coordinates of three kinds, one of no dimension, and one of two."""
    x = np.random.default_rng(0).standard_normal((6, 8, 10))
    return xarray.DataArray(
        x,
        dims=("time", "y", "x"),
        coords={
            "time": pd.date_range("2026-01-01", periods=6, freq="6h"),
            "y": np.linspace(70, 0, 8),
            "band": ("x", list("abcdefghij")),
            "height": (("y", "x"), np.arange(80.0).reshape(8, 10)),
            "run": 7,
        },
        name="rain",
        attrs={"units": "mm"},
    )


def same_coordinates(result, source):
    """Assert that a result has the coordinates of an array, and its name and attributes."""
    xarray.testing.assert_identical(result.coords.to_dataset(), source.coords.to_dataset())
    assert result.name == source.name
    assert result.attrs == source.attrs


@pytest.mark.parametrize("name", FILTERS)
def test_filters_act_along_named_dimensions(volume, name):
    """In the order in which they are named, whatever their order in memory."""
    row, given = FILTERS[name], dict(NEEDED.get(name, {}))
    dims = ("x", "time", "y") if 3 in row.ndims else ("x", "y")
    method, plain = getattr(volume.pyconv, name), dict(given)
    if row.direction:
        given["dim"], plain["axis"] = "x", 2
    result = method(dims=dims, **given)
    axes = tuple(volume.dims.index(dim) for dim in dims)
    np.testing.assert_array_equal(
        result.values, getattr(filters, name)(volume.values, axes=axes, **plain), strict=True
    )
    assert result.dims == (*row.new, *volume.dims)
    same_coordinates(result.drop_vars(row.new), volume)


def test_every_filter_is_there():
    """One that is added to the module is a method, too."""
    assert set(FILTERS) == set(filters.__all__)
    for name in (*FILTERS, *KERNELS):
        assert inspect.getdoc(getattr(DataArrayAccessor, name)).count(name) >= 1
        assert not {"axes", "axis", "out", "x", "w"} & set(
            inspect.signature(getattr(DataArrayAccessor, name)).parameters
        )


@pytest.mark.parametrize("name", WITH_WIDTHS)
def test_widths_are_given_by_dimension(volume, name):
    """As keywords, as a mapping, and in any order."""
    more = {"operator": "gaussian"} if name == "gradient_magnitude" else {}
    width = FILTERS[name].widths
    expected = getattr(filters, name)(volume.values, axes=(2, 1), **{width: (3, 2)}, **more)
    method = getattr(volume.pyconv, name)
    for result in (method(x=3, y=2, **more), method(**{width: {"x": 3, "y": 2}}, **more)):
        np.testing.assert_array_equal(result.values, expected, strict=True)
    np.testing.assert_array_equal(
        method(dims=("x", "y"), **{width: {"y": 2, "x": 3}}, **more).values, expected, strict=True
    )


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_strides_cut_the_coordinates(volume, name):
    """As slices of the array do."""
    row, given = FILTERS[name], dict(NEEDED.get(name, {}))
    dims = ("time", "y", "x") if 3 in row.ndims else ("y", "x")
    if row.direction:
        given["dim"] = "x"
    result = getattr(volume.pyconv, name)(dims=dims, stride={"x": 3, "y": 2}, **given)
    same_coordinates(result.drop_vars(row.new), volume[:, ::2, ::3])
    whole = getattr(volume.pyconv, name)(dims=dims, **given)
    np.testing.assert_allclose(result.values, whole.values[..., ::2, ::3], atol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("taps", [3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_kernels_keep_the_coordinate_under_their_centre(volume, name, taps, dilation, stride):
    """A window that lies inside belongs to the sample that it has in ``same``, too."""
    kernel = np.arange(1.0, 2 * taps + 1).reshape(2, taps)
    options = {"dims": ("time", "x"), "dilation": {"x": dilation}}
    method = getattr(volume.pyconv, name)
    whole = method(kernel, "same", **options)
    same_coordinates(whole, volume)
    valid = method(kernel, stride={"x": stride}, **options)
    plain = getattr(pyconv, name)(
        volume.values, kernel, axes=(0, 2), dilation=(1, dilation), stride=(1, stride)
    )
    np.testing.assert_array_equal(valid.values, plain, strict=True)
    start = (taps - 1) * dilation // 2 + (((taps - 1) * dilation) % 2)
    inside = whole[1:, :, start : start + 10 - (taps - 1) * dilation][:, :, ::stride]
    xarray.testing.assert_allclose(valid, inside)
    same_coordinates(valid, inside)


def test_results_beyond_the_samples_have_no_coordinates(volume):
    """Those of the other dimensions stay."""
    full = volume.pyconv.correlate([1.0, 2.0, 3.0], "full", dims="x")
    assert full.sizes == {"time": 6, "y": 8, "x": 12}
    assert set(full.coords) == {"time", "y", "run"}
    np.testing.assert_array_equal(
        full.values, pyconv.correlate(volume.values, [1.0, 2.0, 3.0], "full"), strict=True
    )
    padded = volume.pyconv.correlate(np.ones((2, 2)), {"x": (1, 0)}, dims=("y", "x"))
    assert set(padded.coords) == {"time", "y", "x", "band", "height", "run"} - {"x"}
    assert padded.sizes == {"time": 6, "y": 7, "x": 10}


def test_kernels_have_dimensions_themselves(volume):
    """Those of a DataArray say along which they act."""
    kernel = xarray.DataArray(np.arange(6.0).reshape(2, 3), dims=("x", "y"))
    expected = pyconv.convolve(volume.values, kernel.values, axes=(2, 1))
    for result in (
        volume.pyconv.convolve(kernel),
        volume.pyconv.convolve(kernel.transpose("y", "x")),
    ):
        np.testing.assert_allclose(result.values, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="kernel has the dimensions 'x', 'y', and dims= names"):
        volume.pyconv.convolve(kernel, dims=("x", "time"))


def test_boundaries_by_dimension(volume):
    """Dimensions that a mapping leaves out have the default of the function."""
    result = volume.pyconv.gaussian(time=1, y=1, x=1, boundary={"x": "wrap", "y": "nearest"})
    names = ("symmetric", "nearest", "wrap")
    expected = filters.gaussian(volume.values, 1, axes=(0, 1, 2), boundary=names)
    np.testing.assert_array_equal(result.values, expected, strict=True)
    result = volume.pyconv.correlate(
        np.ones((3, 3)), "same", {"x": "wrap"}, dims=("y", "x"), fill_value=2
    )
    expected = pyconv.correlate(
        volume.values, np.ones((3, 3)), "same", ("constant", "wrap"), axes=(1, 2), fill_value=2
    )
    np.testing.assert_array_equal(result.values, expected, strict=True)


def test_orders_and_radii_by_dimension(volume):
    """Derivatives of a Gaussian along one dimension."""
    result = volume.pyconv.gaussian(x=1, y=2, order={"y": 1}, radius={"x": 3, "y": 4})
    expected = filters.gaussian(volume.values, (1, 2), (0, 1), radius=(3, 4), axes=(2, 1))
    np.testing.assert_array_equal(result.values, expected, strict=True)
    with pytest.raises(ValueError, match="radius={'x': 3} says nothing of 'y'"):
        volume.pyconv.gaussian(x=1, y=2, radius={"x": 3})


# ---- missing samples --------------------------------------------------------------------------


def test_missing_samples(volume):
    """skipna, nodata and masks say the same in three ways."""
    gaps = np.random.default_rng(1).random(volume.shape) < 0.2
    expected = filters.box(volume.values, 3, axes=(1, 2), mask=gaps)
    mask = volume.copy(data=gaps)
    ways = [
        volume.where(~mask).pyconv.box(y=3, x=3, skipna=True),
        volume.where(~mask, -9999).pyconv.box(y=3, x=3, nodata=-9999),
        volume.where(~mask).pyconv.box(y=3, x=3, nodata=np.nan),
        volume.pyconv.box(y=3, x=3, mask=mask),
        volume.pyconv.box(y=3, x=3, mask=mask.transpose("x", "time", "y")),
        volume.pyconv.box(y=3, x=3, mask=gaps),
    ]
    for result in ways:
        np.testing.assert_array_equal(result.values, expected, strict=True)
        same_coordinates(result, volume)
    both = volume.where(~mask | (mask.x > 4), -9999).pyconv.box(
        y=3, x=3, nodata=-9999, mask=mask & (mask.x > 4)
    )
    np.testing.assert_array_equal(both.values, expected, strict=True)
    assert volume.where(~mask).pyconv.box(y=3, x=3, skipna=False).isnull().any()


def test_masks_of_fewer_dimensions(volume):
    """One for all times."""
    land = xarray.DataArray(
        np.random.default_rng(2).random((10, 8)) < 0.3, dims=("x", "y"), coords={"y": volume.y}
    )
    expected = filters.gaussian(volume.values, 1, axes=(1, 2), mask=land.values.T)
    result = volume.pyconv.gaussian(y=1, x=1, mask=land)
    np.testing.assert_array_equal(result.values, expected, strict=True)
    with pytest.raises(ValueError, match="mask has other coordinates"):
        volume.pyconv.gaussian(y=1, x=1, mask=land.assign_coords(y=volume.y + 1))
    with pytest.raises(ValueError, match="mask has the dimensions 'z'"):
        volume.pyconv.gaussian(y=1, x=1, mask=xarray.DataArray([True], dims="z"))


def test_nodata_of_single_precision():
    """The value that a file of 32 bits has is another one in 64."""
    x = xarray.DataArray(np.array([1, -3.4e38, 3], np.float32), dims="x")
    assert x.pyconv.box(x=3, nodata=-3.4e38).values.tolist() == [1, 2, 3]
    whole = xarray.DataArray(np.array([1, 255, 3], np.uint8), dims="x")
    assert whole.pyconv.box(x=3, nodata=255).values.tolist() == [1, 2, 3]
    assert whole.pyconv.box(x=3, nodata=-9999).values[1] == filters.box(whole.values, 3)[1]


# ---- coordinates as the measure ----------------------------------------------------------------


def test_widths_in_units_of_the_coordinates(volume):
    """Steps of 10 downwards, and of six hours."""
    result = volume.pyconv.gaussian(time=pd.Timedelta("12h"), y=15, units="coordinates")
    expected = filters.gaussian(volume.values, (2, 1.5), axes=(0, 1))
    np.testing.assert_allclose(result.values, expected, rtol=1e-12)
    words = volume.pyconv.gaussian(time="12h", y=15, units="coordinates")
    np.testing.assert_array_equal(words.values, result.values)
    result = volume.pyconv.box(time=np.timedelta64(1, "D"), y=28, units="coordinates")
    expected = filters.box(volume.values, (4, 3), axes=(0, 1))
    np.testing.assert_array_equal(result.values, expected)
    dog = volume.pyconv.dog(y=10, wider={"y": 20}, units="coordinates")
    np.testing.assert_allclose(dog.values, filters.dog(volume.values, 1, 2, axes=1), atol=1e-12)


def test_one_length_of_two_dimensions(volume):
    """Where their steps are the same."""
    square = volume.assign_coords(x=np.arange(10) * 10)
    result = square.pyconv.disk(20, dims=("y", "x"), units="coordinates")
    np.testing.assert_array_equal(result.values, filters.disk(volume.values, 2, axes=(1, 2)))
    with pytest.raises(ValueError, match="radius is one length along all dimensions"):
        volume.assign_coords(x=np.arange(10)).pyconv.disk(20, dims=("y", "x"), units="coordinates")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_even_coordinates_of_every_dtype(dtype):
    """Single precision rounds to unequal steps, which are even all the same."""
    places = 1000 + 0.1 * np.arange(500) if dtype != "int16" else np.arange(500) * -3
    x = xarray.DataArray(np.arange(500.0), {"x": places.astype(dtype)})
    step = 0.1 if dtype != "int16" else 3
    result = x.pyconv.gaussian(x=step * 2, units="coordinates")
    np.testing.assert_allclose(result, filters.gaussian(x.values, 2), rtol=1e-3)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([0.0, 1.0, 3.0], "is uneven, with steps from 1.0 to 2.0; interpolate it"),
        ([1.0, 1.0, 1.0], "is uneven"),
        ([0.0, np.nan, 2.0], "is uneven"),
        (["a", "b", "c"], "has no lengths"),
        (None, "dimension 'x' has no coordinate; give widths in samples"),
    ],
)
def test_uneven_coordinates_are_no_measure(places, message):
    """The reason is in the message."""
    x = xarray.DataArray([1.0, 2.0, 3.0], dims="x", coords={} if places is None else {"x": places})
    with pytest.raises(ValueError, match=message):
        x.pyconv.gaussian(x=1, units="coordinates")
    assert x.pyconv.gaussian(x=1).sizes == {"x": 3}


# ---- data sets --------------------------------------------------------------------------------


def test_data_sets_by_variable(volume):
    """Variables without the dimensions stay; those with some of them are cut as the others are."""
    data = xarray.Dataset(
        {
            "words": ("y", list("abcdefgh")),
            "rain": volume,
            "snow": volume.isel(time=0, drop=True) + 1,
            "scale": 3.0,
        },
        attrs={"title": "weather"},
    )
    result = data.pyconv.gaussian(x=1, y=2, stride={"y": 2})
    expected = data.isel(y=slice(None, None, 2))
    expected["rain"] = data["rain"].pyconv.gaussian(x=1, y=2, stride={"y": 2})
    expected["snow"] = data["snow"].pyconv.gaussian(x=1, y=2, stride={"y": 2})
    xarray.testing.assert_identical(result, expected)
    assert list(result.data_vars) == list(data.data_vars)
    assert data.pyconv.sobel("x", dims="x")["rain"].identical(volume.pyconv.sobel("x", dims="x"))
    valid = data.pyconv.correlate(np.ones((3, 1)), dims=("y", "x"))
    assert valid["words"].values.tolist() == list("bcdefg")
    with pytest.raises(ValueError, match="the results extend 'y', along which 'words'"):
        data.pyconv.correlate(np.ones((3, 1)), "full", dims=("y", "x"))
    assert data[["rain"]].pyconv.correlate(np.ones(3), "full", dims="y").sizes["y"] == 10


def test_errors_of_data_sets_name_the_variable(volume):
    """For several variables are filtered."""
    data = xarray.Dataset({"rain": volume, "words": ("x", list("abcdefghij"))})
    with pytest.raises(TypeError) as caught:
        data.pyconv.laplace(dims="x")
    assert "'words'" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="no variable has all of the dimensions 'x', 'z'"):
        xarray.Dataset({"a": ("x", [1.0]), "b": ("z", [1.0])}).pyconv.laplace(dims=("x", "z"))
    with pytest.raises(ValueError, match="dims= says along which of the dimensions"):
        data.pyconv.laplace()


# ---- dask -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_chunks_stay_chunks(volume, name):
    """Nothing is computed before it is asked for, and results have the bits of the array."""
    array = pytest.importorskip("dask.array")
    row, given = FILTERS[name], dict(NEEDED.get(name, {}))
    dims = ("time", "y", "x") if 3 in row.ndims else ("y", "x")
    if row.direction:
        given["dim"] = "x"
    lazy = getattr(volume.chunk({"time": 2, "y": 4, "x": 5}).pyconv, name)(dims=dims, **given)
    assert isinstance(lazy.data, array.Array)
    expected = getattr(volume.pyconv, name)(dims=dims, **given)
    xarray.testing.assert_identical(lazy.compute(scheduler="synchronous"), expected)


def test_missing_samples_of_chunks(volume):
    """Masks and values of nodata of dask arrays, and kernels."""
    pytest.importorskip("dask.array")
    gaps = volume > 1
    holes = volume.where(~gaps, -9999)
    expected = holes.pyconv.box(y=3, x=3, nodata=-9999)
    chunks = {"time": 2, "y": 4, "x": 5}
    for lazy in (
        holes.chunk(chunks).pyconv.box(y=3, x=3, nodata=-9999),
        volume.chunk(chunks).pyconv.box(y=3, x=3, mask=gaps.chunk(chunks)),
        volume.chunk(chunks).pyconv.box(y=3, x=3, mask=gaps),
    ):
        found = lazy.compute(scheduler="synchronous")
        xarray.testing.assert_allclose(found, expected, rtol=1e-12)
    kernel = np.arange(6.0).reshape(2, 3)
    lazy = volume.chunk(chunks).pyconv.correlate(kernel, dims=("time", "x"), stride={"x": 2})
    expected = volume.pyconv.correlate(kernel, dims=("time", "x"), stride={"x": 2})
    xarray.testing.assert_identical(lazy.compute(scheduler="synchronous"), expected)


# ---- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda a: a.gaussian(lon=2), ValueError, "no dimension 'lon'; there are 'time', 'y', 'x'"),
        (lambda a: a.sobel("lon", dims="x"), ValueError, "no dimension 'lon'; there are 'time'"),
        (lambda a: a.sobel("y", dims="x"), ValueError, "dim='y': one of 'x' is allowed"),
        (lambda a: a.laplace(), ValueError, "dims= says along which of the dimensions 'time'"),
        (lambda a: a.laplace(dims=("x", "x")), ValueError, "names a dimension twice"),
        (lambda a: a.gaussian(), TypeError, "sigma is missing"),
        (lambda a: a.gaussian(2, x=3), ValueError, "sigma=2 and 'x' as keywords"),
        (lambda a: a.gaussian(x=2, dims=("x", "y")), ValueError, "says nothing of 'y'"),
        (lambda a: a.gaussian(x=2, stride={"y": 2}), ValueError, "'y' is none of the dimensions"),
        (lambda a: a.gaussian(x=2, skipna=3), TypeError, "skipna=3"),
        (lambda a: a.gaussian(x=2, skipna=True, nan_policy="raise"), ValueError, "one of them"),
        (lambda a: a.gaussian(x=2, nodata="no"), TypeError, "nodata='no': a number"),
        (lambda a: a.gaussian(x=2, units="metres"), ValueError, "units='metres': allowed are"),
        (lambda a: a.gaussian(time=2, units="coordinates"), TypeError, "a duration is allowed"),
        (lambda a: a.gaussian(y="2h", units="coordinates"), TypeError, "a number is allowed"),
        (lambda a: a.correlate(np.ones((2, 2)), dims="x"), ValueError, "kernel has 2 dimensions"),
        (lambda a: a.correlate(np.ones((2, 2))), ValueError, "dims= says along which"),
        (lambda a: a.laplace(out=1, dims="x"), TypeError, "laplace: got an unexpected keyword"),
        (lambda a: a.laplace(skipna=True, dims="x"), ValueError, "cancel"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(volume, call, error, message):
    """With what is allowed."""
    with pytest.raises(error, match=message):
        call(volume.pyconv)
