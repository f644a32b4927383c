"""Pyramids: means are exact, Gaussians are those of the filter, every way gives the same bits."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from conftest import one_in

import pyconv
from pyconv import filters

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
SHAPES = {1: (37,), 2: (16, 23), 3: (5, 8, 9)}


def extreme(rng, shape, dtype):
    """Return integers of all sizes, the extremes of the dtype among them."""
    info = np.iinfo(dtype)
    bits = rng.integers(0, 2**16, (*shape, 8), np.uint16).view(dtype)[..., 0].copy()
    if info.bits == 64:
        bits //= 256  # whose sums fit 64 bits
    else:
        bits.flat[:: max(1, bits.size // 7)] = info.max
        bits.flat[1 :: max(1, bits.size // 5)] = info.min
    return bits


def means(x, factors):
    """Return exact means of blocks, the last ones mirrored, rounded half to even."""
    for axis, factor in enumerate(factors):
        n = x.shape[axis]
        there_and_back = [*range(n), *reversed(range(n))]
        ends = [there_and_back[i % (2 * n)] for i in range(n, n + -n % factor)]
        x = np.concatenate([x, x.take(ends, axis)], axis)
    shape = tuple(n // f for n, f in zip(x.shape, factors, strict=True))
    y, count = np.empty(shape, object), int(np.prod(factors))
    for at in product(*map(range, shape)):
        block = x[tuple(slice(i * f, i * f + f) for i, f in zip(at, factors, strict=True))]
        y[at] = Fraction(sum(map(Fraction, block.ravel().tolist())), count)
    return y


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("ndim", SHAPES)
@pytest.mark.parametrize("factor", [2, 3, 4, 6, (1, 2, 3), (2, 3, 5)])
def test_means_of_integers_are_exact(dtype, ndim, factor):
    """Half to even, ties and extremes of the dtype included."""
    x = extreme(np.random.default_rng(0), SHAPES[ndim], dtype)
    factors = (factor,) * ndim if isinstance(factor, int) else factor[:ndim]
    levels = pyconv.pyramid(x, 3, factors, axes=tuple(range(ndim)))
    assert levels[0] is x
    for before, after in pairwise(levels):
        expected = np.vectorize(round, [object])(means(before, factors))  # half to even, too
        assert after.dtype == x.dtype
        assert (after == expected).all()


@pytest.mark.parametrize("factor", [2, 3])
def test_ties_go_to_the_even(factor):
    """Where half of the blocks are ties."""
    x = np.random.default_rng(1).integers(0, 4, (40, 42)).astype(np.uint16)
    mine = pyconv.pyramid(x, 2, (factor, 2))[1]
    expected = np.vectorize(round, [object])(means(x, (factor, 2)))
    assert (mine == expected).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("factor", [2, 3, (4, 1)])
def test_means_of_floats(dtype, factor):
    """Within a rounding of the exact mean; those of equal samples are such samples."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((15, 16)).astype(dtype)
    factors = (factor,) * 2 if isinstance(factor, int) else factor
    mine = pyconv.pyramid(x, 2, factor)[1]
    parts = [x.real] if x.dtype.kind == "f" else [x.real, x.imag]
    expected = sum(
        means(part, factors).astype(float) * unit
        for part, unit in zip(parts, (1, 1j), strict=False)
    )
    assert mine.dtype == x.dtype
    tolerance = 2 * np.finfo(x.dtype).eps
    np.testing.assert_allclose(mine, expected, atol=tolerance, rtol=tolerance)
    flat = np.full((15, 16), 0.1, dtype)
    assert (pyconv.pyramid(flat, 2, factor)[1] == flat[0, 0]).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("sigma", [None, 0.8, (1.5, 0.7)])
def test_gaussians_are_those_of_the_filter(dtype, sigma):
    """Thinned out, and rounded to the dtype of the image."""
    x = (np.random.default_rng(3).random((33, 40)) * 200).astype(dtype)
    levels = pyconv.pyramid(x, 3, (2, 3), method="gaussian", sigma=sigma)
    widths = (1, 1.5) if sigma is None else sigma
    for before, after in pairwise(levels):
        whole = filters.gaussian(before, widths, dtype=dtype)
        np.testing.assert_allclose(after, whole[::2, ::3], atol=0 if x.dtype.kind == "u" else 1e-4)
        assert after.dtype == x.dtype
    alone = pyconv.pyramid(x, 2, (1, 2), method="gaussian")[1]
    expected = filters.gaussian(x, 1, axes=1, stride=2, dtype=dtype)
    np.testing.assert_array_equal(alone, expected, strict=True)


def test_labels_are_taken_as_they_are():
    """Any dtype, bool too."""
    x = np.random.default_rng(4).integers(0, 2**63, (5, 6, 7), np.uint64)
    for source in (x, x.astype(bool), x.astype(">i4")):
        levels = pyconv.pyramid(source, 3, (2, 3), method="nearest", axes=(2, 0))
        np.testing.assert_array_equal(levels[1], source[::3, :, ::2], strict=True)
        np.testing.assert_array_equal(levels[2], source[::9, :, ::4], strict=True)
        assert levels[1].base is None


def test_axes_may_end():
    """Axes of one sample stay; empty arrays stay empty; one level is the array itself."""
    x = np.arange(6, dtype=np.uint8).reshape(1, 6)
    shapes = [level.shape for level in pyconv.pyramid(x, 6)]
    assert shapes == [(1, 6), (1, 3), (1, 2), (1, 1), (1, 1), (1, 1)]
    for method in ("mean", "gaussian", "nearest"):
        empty = pyconv.pyramid(np.empty((0, 5), np.float32), 2, method=method)[1]
        assert empty.shape == (0, 3)
        assert empty.dtype == np.float32
        assert [y.tolist() for y in pyconv.pyramid(x, 1, method=method)] == [x.tolist()]
    assert pyconv.pyramid([[1, 3], [5, 7]], 2)[1].tolist() == [[4]]


@pytest.mark.parametrize("boundary", ["nearest", "wrap", "constant", "mirror"])
def test_what_lies_outside(boundary):
    """The last blocks read what the boundary says."""
    x = np.random.default_rng(5).random((7, 9))
    pads = {"nearest": "edge", "constant": "constant", "wrap": "wrap", "mirror": "reflect"}
    padded = np.pad(x, ((0, 2), (0, 0)), mode=pads[boundary])
    expected = padded.reshape(3, 3, 3, 3).mean((1, 3))
    np.testing.assert_allclose(pyconv.pyramid(x, 2, 3, boundary=boundary)[1], expected)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
@pytest.mark.parametrize("method", ["mean", "gaussian"])
def test_threads_and_byte_orders_change_nothing(dtype, method):
    """Results are the same bits."""
    x = (np.random.default_rng(6).random((300, 310)) * 1000).astype(dtype)
    for factor in (2, 6):
        mine = pyconv.pyramid(x, 3, factor, method=method, workers=1)
        swapped = x.astype(x.dtype.newbyteorder(">"))
        for other in (
            pyconv.pyramid(x, 3, factor, method=method, workers=2),
            pyconv.pyramid(swapped, 3, factor, method=method),
        ):
            for one, two in zip(mine[1:], other[1:], strict=True):
                np.testing.assert_array_equal(one, two, strict=True)


# ---- dask -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["mean", "gaussian", "nearest"])
@pytest.mark.parametrize("dtype", ["uint16", "int64", "float32"])
@pytest.mark.parametrize("chunks", [(1, 1, 1), (2, 7, 9), (5, 40, 31)])
def test_dask_arrays_have_the_same_bits(method, dtype, chunks):
    """Nothing is computed before it is asked for."""
    array = pytest.importorskip("dask.array")
    size = (5, 7, 9) if chunks == (1, 1, 1) else (5, 40, 31)
    x = (np.random.default_rng(7).random(size) * 999).astype(dtype)
    for factor in (2, (3, 2), 6):
        mine = pyconv.pyramid(x, 3, factor, method=method, axes=(1, 2))
        lazy = pyconv.pyramid(
            array.from_array(x, chunks=chunks), 3, factor, method=method, axes=(1, 2)
        )
        for one, other in zip(mine, lazy, strict=True):
            assert isinstance(other, array.Array)
            assert other.dtype == one.dtype
            assert other.shape == one.shape
            np.testing.assert_array_equal(other.compute(scheduler="synchronous"), one, strict=True)


# ---- OME-Zarr ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "method", "dtype"),
    one_in(3, ["0.4", "0.5"], ["mean", "gaussian", "nearest"], ["uint8", "uint16", "float32"]),
)
def test_pyramids_are_streamed(tmp_path, version, method, dtype):
    """To the bits that they have in memory."""
    zarr = pytest.importorskip("zarr", minversion="3")
    x = (np.random.default_rng(8).random((3, 130, 150)) * 200).astype(dtype)
    for factor in (2, (3, 2), 6):
        mine = pyconv.pyramid(x, 4, factor, method=method, axes=(1, 2))
        found = pyconv.pyramid(
            x, 4, factor, method=method, axes=(1, 2), target=tmp_path / "x.zarr", version=version,
            chunks=(1, 32, 32), max_memory=10**6, overwrite=True,
        )  # fmt: skip
        group = zarr.open_group(tmp_path / "x.zarr", mode="r")
        assert sorted(group.keys()) == ["0", "1", "2", "3"]
        for level, (one, other) in enumerate(zip(mine, found, strict=True)):
            np.testing.assert_array_equal(other[:], one, strict=True)
            np.testing.assert_array_equal(group[str(level)][:], one, strict=True)
            assert other.metadata.zarr_format == {"0.4": 2, "0.5": 3}[version]


def metadata(group):
    """Return the axes of an image, and where the samples of its levels lie."""
    attributes = group.attrs
    version = attributes["ome"]["version"] if "ome" in attributes else None
    (image,) = (attributes["ome"] if version else attributes)["multiscales"]
    places = []
    for dataset in image["datasets"]:
        steps = {each["type"]: each[each["type"]] for each in dataset["coordinateTransformations"]}
        places.append((dataset["path"], steps["scale"], steps.get("translation")))
    return version or image["version"], image["axes"], places


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_metadata_say_where_samples_lie(tmp_path, version):
    """A mean lies in the middle of what it is the mean of."""
    zarr = pytest.importorskip("zarr", minversion="3")
    x = np.arange(2 * 24 * 27, dtype=np.float64).reshape(2, 24, 27)
    pyconv.pyramid(
        x, 3, (2, 3), axes=(1, 2), target=tmp_path / "x", version=version, names="cyx",
        spacing=(1, 0.5, 0.25), units="micrometer",
    )  # fmt: skip
    found, axes, places = metadata(zarr.open_group(tmp_path / "x", mode="r"))
    assert found == version
    assert axes == [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    assert places == [
        ("0", [1, 0.5, 0.25], None),
        ("1", [1, 1, 0.75], [0, 0.25, 0.25]),
        ("2", [1, 2, 2.25], [0, 0.75, 1.0]),
    ]
    # A ramp has, at each place, the value of its mean.
    for k, (_, scale, shift) in enumerate(places):
        level = pyconv.pyramid(x, 3, (2, 3), axes=(1, 2))[k]
        row = (shift or [0, 0, 0])[1] / 0.5 + scale[1] / 0.5
        column = (shift or [0, 0, 0])[2] / 0.25 + scale[2] / 0.25
        assert level[0, 1, 1] == pytest.approx(27 * row + column)
    pyconv.pyramid(x, 2, axes=(1, 2), target=tmp_path / "y", version=version, method="nearest")
    _, axes, places = metadata(zarr.open_group(tmp_path / "y", mode="r"))
    assert [axis["name"] for axis in axes] == ["z", "y", "x"]
    assert places[1] == ("1", [1, 2, 2], None)


def test_any_source_of_slices_is_streamed(tmp_path):
    """Memory maps and arrays of zarr, into a group, in shards, with a bar."""
    zarr = pytest.importorskip("zarr", minversion="3")
    pytest.importorskip("tqdm")
    x = np.random.default_rng(9).integers(0, 999, (2, 3, 90, 80), np.uint16)
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", x.dtype, x.shape)
    mapped[:] = x
    group = zarr.open_group(tmp_path / "group", mode="w", zarr_format=3)
    mine = pyconv.pyramid(x, 3, axes=(2, 3))
    found = pyconv.pyramid(
        mapped, 3, axes=(2, 3), target=group, chunks=(1, 1, 16, 16), shards=(1, 3, 64, 64),
        units={"t": "second", "x": "nanometer"}, names="tzyx", progress=True,
    )  # fmt: skip
    assert [level.shards for level in found] == [(1, 3, 64, 64), (1, 3, 48, 48), (1, 3, 32, 32)]
    again = pyconv.pyramid(found[0], 3, axes=(2, 3), target=tmp_path / "again")
    for levels in (found, again):
        for one, other in zip(mine, levels, strict=True):
            np.testing.assert_array_equal(other[:], one)


def test_a_pyramid_that_stops_is_no_image(tmp_path):
    """The metadata are written last; and what is there is not overwritten unasked."""
    zarr = pytest.importorskip("zarr", minversion="3")

    class Torn:
        shape, dtype = (100, 90), np.dtype(np.float32)
        chunks = (10, 90)

        def __getitem__(self, where):
            raise OSError("torn")

    with pytest.raises(pyconv.StreamError, match="torn"):
        pyconv.pyramid(Torn(), 2, target=tmp_path / "x")
    assert not dict(zarr.open_group(tmp_path / "x", mode="r").attrs)
    x = np.ones((100, 90), np.float32)
    with pytest.raises(ValueError, match="holds 0, 1 already; name another, or pass overwrite"):
        pyconv.pyramid(x, 2, target=tmp_path / "x")
    pyconv.pyramid(x, 2, target=tmp_path / "x", overwrite=True)
    assert "ome" in zarr.open_group(tmp_path / "x", mode="r").attrs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": "0.6"}, "version='0.6' is unknown"),
        ({"names": "xy"}, "names='xy'"),
        ({"names": "cx"}, "names='cx'"),
        ({"names": "zyx"}, "names='zyx'"),
        ({"spacing": 0}, "spacing=0"),
        ({"spacing": (1, 2, 3)}, "spacing="),
        ({"units": {"z": "metre"}}, "units="),
        ({"chunks": (1, 2, 3)}, "chunks="),
    ],
)
def test_what_cannot_be_written_is_named(tmp_path, options, message):
    """Before anything is."""
    pytest.importorskip("zarr", minversion="3")
    with pytest.raises(ValueError, match=message.replace("(", "\\(")):
        pyconv.pyramid(np.ones((8, 8)), 2, target=tmp_path / "x", **options)
    assert not tmp_path.joinpath("x", "0").exists()
    with pytest.raises(ValueError, match="from 2 to 5"):
        pyconv.pyramid(np.ones(8), 2, target=tmp_path / "x")
    with pytest.raises(ValueError, match="no samples"):
        pyconv.pyramid(np.ones((0, 8)), 2, target=tmp_path / "x")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: pyconv.pyramid(x, 0), ValueError, "levels=0: at least 1"),
        (lambda x: pyconv.pyramid(x, 2.5), TypeError, "levels"),
        (lambda x: pyconv.pyramid(x, 2, 0), ValueError, "factor"),
        (lambda x: pyconv.pyramid(x, 2, (2, 2, 2)), ValueError, "factor"),
        (lambda x: pyconv.pyramid(x, 2, method="median"), ValueError, "allowed are mean, gaussian"),
        (lambda x: pyconv.pyramid(x, 2, sigma=1), ValueError, "sigma=1 is for method='gaussian'"),
        (lambda x: pyconv.pyramid(x, 2, sigma=(1,), method="gaussian"), ValueError, "or 2 of them"),
        (lambda x: pyconv.pyramid(x, 2, boundary="clamp"), ValueError, "clamp"),
        (lambda x: pyconv.pyramid(x, 2, axes=(0, 0)), ValueError, "axes"),
        (lambda x: pyconv.pyramid(x, 2, axes=2), ValueError, "axes"),
        (lambda x: pyconv.pyramid(x[None], 2), ValueError, "axes= says which axes shrink"),
        (lambda x: pyconv.pyramid(x > 0, 2), TypeError, "x has dtype bool, and no mean"),
        (lambda x: pyconv.pyramid(x.astype(str), 2), TypeError, "x has dtype <U"),
        (
            lambda x: pyconv.pyramid((x + 1).astype(np.int64) * 2**62, 2),
            OverflowError,
            "int64",
        ),
    ],
)
def test_what_is_wrong_is_named(call, error, message):
    """With what is allowed."""
    with pytest.raises(error, match=message):
        call(np.ones((4, 4)))
