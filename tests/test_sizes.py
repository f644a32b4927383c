"""Sizes around every width at which a loop changes: vectors, register tiles, panels, slabs.

A loop goes wrong at N − 1, N or N + 1 of some N, or where a dimension is 1. The widths below
are multiples of the vector of the variant under test, and contain the tiles of every variant.
"""

import numpy as np
import oracles
import pytest
from arrays import assert_exact, bits, noise, small

import pyconv
from pyconv._native import loader

#: Rows of a register tile, in any variant.
ROWS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 13)
#: Columns of a tile or a line, in vectors.
VECTORS = (1, 2, 4, 8, 12)
TAPS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 33)
DTYPES = {"float32": "float32", "float64": "float64", "int32": "int64"}


def around(lanes):
    """Return 1 and N − 1, N, N + 1 for each width N."""
    widths = {w for v in VECTORS for w in (v * lanes - 1, v * lanes, v * lanes + 1)}
    return sorted(widths - {0} | {1})


def lanes_of(isa, dtype):
    """Return the samples of one vector; integers are summed as floats or in 64 bits."""
    return isa.vector_bytes() // max(4, np.dtype(dtype).itemsize)


def check(call, rng, x_shape, w_shape, dtype, **keywords):
    """Assert that the call gives the oracle's values."""
    x, w = small(rng, x_shape, dtype), small(rng, w_shape, dtype)
    y = call(x, w, **keywords)
    if y is not None:
        assert_exact(y, oracles.correlate(x, w, **keywords)[0], DTYPES[dtype])


@pytest.fixture
def lanes(engine):
    """Return a function from dtype to the samples of one vector of the engine's variant."""
    return lambda dtype: lanes_of(loader.native, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lines(engine, lanes, rng, dtype):
    """One dimension: outputs around the tile, any number of taps."""
    for out in [*around(lanes(dtype)), 319, 320, 321]:
        for taps in TAPS:
            check(engine, rng, (out + taps - 1,), (taps,), dtype)
        check(engine, rng, (out,), (3,), dtype, mode="same", boundary="wrap")
        check(engine, rng, (2 * out + 4,), (4,), dtype, stride=2)
        check(engine, rng, (out + 12,), (5,), dtype, dilation=3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_areas(engine, lanes, rng, dtype):
    """Two dimensions: rows and columns around the tile."""
    for cols in around(lanes(dtype)):
        for rows in ROWS:
            check(engine, rng, (rows + 2, cols + 2), (3, 3), dtype)
            check(engine, rng, (rows, cols), (2, 3), dtype, mode="same", boundary="mirror")
        check(engine, rng, (9, cols), (1, 1), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_kernel_rows(engine, rng, dtype):
    """Any number of rows and columns of the kernel: how they are grouped must not matter."""
    for rows in range(1, 20):
        check(engine, rng, (rows + 9, 40), (rows, 2), dtype)
        check(engine, rng, (30, 40), (rows, 3), dtype, mode="same", boundary="symmetric")
        check(engine, rng, (10, rows + 33), (2, rows), dtype)
        check(engine, rng, (rows + 2, 5, 20), (rows, 2, 2), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_volumes(engine, lanes, rng, dtype):
    """Three dimensions, each axis short or around the tile."""
    for cols in around(lanes(dtype))[:9]:
        for planes, rows in [(1, 1), (1, 9), (4, 1), (3, 4), (5, 8)]:
            check(engine, rng, (planes + 2, rows + 2, cols + 2), (3, 3, 3), dtype)
            check(
                engine, rng, (planes, rows, cols), (2, 3, 2), dtype, mode="full",
                boundary="nearest",
            )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_lines_with_pixels(engine, lanes, rng, dtype):
    """A line whose pixels are one sample less or more than a vector."""
    for group in (lanes(dtype) - 1, lanes(dtype), lanes(dtype) + 1, 2 * lanes(dtype) + 1):
        for out in (1, 2, 3, 7, 8, 9, 40, 100):
            for taps in (1, 2, 3, 5, 8):
                check(engine, rng, (out + taps - 1, group), (taps,), dtype, axes=0)


LARGE = {
    "line": ((40_000,), (33,), {}),
    "long line": ((300_001,), (5,), {}),
    "strided line": ((100_003,), (7,), {"stride": 3}),
    "picture": ((601, 1031), (5, 5), {}),
    "tall picture": ((3001, 67), (9, 2), {}),
    "wide picture": ((17, 20_011), (3, 9), {}),
    "page-aligned rows": ((70, 1024), (5, 3), {}),
    "dilated picture": ((330, 1029), (3, 3), {"dilation": (5, 7)}),
    "strided picture": ((331, 1029), (5, 5), {"stride": (2, 3)}),
    "colours": ((211, 307, 3), (5, 3), {"axes": (0, 1)}),
    "volume": ((37, 71, 131), (5, 3, 3), {}),
    "dilated volume": ((37, 41, 133), (3, 3, 3), {"dilation": (4, 2, 3), "stride": (1, 2, 1)}),
    "many pictures": ((70, 31, 33), (3, 3), {}),
    "large kernel": ((150, 190), (41, 37), {}),
}


@pytest.mark.parametrize("case", LARGE)
def test_large_arrays(engine, rng, case):
    """Arrays that are cut into several units along every axis."""
    if engine.method == "reference":
        pytest.skip("nothing is cut")
    x_shape, w_shape, keywords = LARGE[case]
    for boundary in ("mirror", "constant"):
        check(
            engine, rng, x_shape, w_shape, "float32", mode="same", boundary=boundary, **keywords
        )  # fmt: skip


@pytest.mark.parametrize("case", [case for case in LARGE if not LARGE[case][2]])
def test_outputs_do_not_depend_on_their_place(isa, rng, case):
    """A crop of the result has the bits of the result of a crop: every output sums alike."""
    x_shape, w_shape, _ = LARGE[case]
    x, w = noise(rng, x_shape, "float32"), noise(rng, w_shape, "float32")
    inner = tuple(slice(3, None) for _ in x_shape)
    y = pyconv.correlate(x, w, method="direct")
    assert bits(pyconv.correlate(x[inner], w, method="direct")) == bits(y[inner])


@pytest.mark.parametrize("taps", [1, 2, 3, 5, 7, 8, 9])
@pytest.mark.parametrize("start", [0, 4])
def test_rows_in_the_same_cache_sets(rng, taps, start):
    """Rows 4 KiB apart, results past the cache or not: the same bits as from other pitches."""
    for rows, columns in ((2100, 1024), (13, 1024), (20, 2048)):
        line = np.empty(rows * columns + start, np.float32)
        x = line[start:].reshape(rows, columns)
        x[:] = noise(rng, x.shape, "float32")
        apart = np.empty((rows, columns + 16), np.float32)[:, :columns]
        apart[:] = x
        w = noise(rng, (taps, taps), "float32")
        for keywords in ({}, {"mode": "same", "boundary": "mirror"}):
            y = pyconv.correlate(x, w, method="direct", **keywords)
            assert bits(y) == bits(pyconv.correlate(apart, w, method="direct", **keywords))
        corner = pyconv.correlate(x[:9, :70].copy(), w, method="direct")
        y = pyconv.correlate(x, w, method="direct")
        assert bits(y[: corner.shape[0], : corner.shape[1]]) == bits(corner)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("w_shape", [(3, 3), (2, 5)])
def test_large_results_begin_anywhere_in_a_cache_line(isa, rng, dtype, w_shape):
    """Stores past the cache: to whole lines, to all outputs, and to nothing else."""
    x, w = small(rng, (1100, 1936), dtype), small(rng, w_shape, "float32")
    expected = pyconv.correlate(x.astype(np.int64), w.astype(np.int64), "same", "mirror")
    for offset in (0, 1, 4, 15):
        room = np.full(x.size + 40, np.nan, np.float32)
        out = room[offset : offset + x.size].reshape(x.shape)
        pyconv.correlate(x, w, "same", "mirror", out=out, method="direct")
        np.testing.assert_array_equal(out, expected)
        assert np.isnan(room[:offset]).all()
        assert np.isnan(room[offset + x.size :]).all()
