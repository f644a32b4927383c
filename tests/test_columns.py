"""Items that lie side by side are copied to rows: they have the bits that they have alone."""

import numpy as np
import pytest

import pyconv
from pyconv._engine.algorithms import columns
from pyconv._engine.algorithms.columns import LINE_BYTES

#: Items beside one another: fewer than fill a line of the cache, as many, one more, several lines.
COUNTS = {"float32": (15, 16, 17, 53), "float64": (7, 8, 9, 27), "complex64": (15, 16, 17, 39)}
COUNTS |= {"uint8": (63, 64, 65, 150)}


@pytest.fixture
def copied(monkeypatch):
    """Return a list that gains the shape of each array of items that are copied."""
    shapes = []
    turn_rows = columns.layout.turn_rows

    class Layout:
        @staticmethod
        def turn_rows(x, y):
            shapes.append(x.shape)
            turn_rows(x, y)

    monkeypatch.setattr(columns, "layout", Layout)
    return shapes


def samples(rng, shape, dtype):
    """Return samples between −9 and 9, or 0 and 9."""
    values = rng.integers(0 if dtype == "uint8" else -9, 10, shape)
    if dtype == "complex64":
        values = values + 1j * rng.integers(-9, 10, shape)
    return values.astype(dtype) + (0 if dtype == "uint8" else np.array(0.37, dtype))


def check(x, w, axes, copied, mode="same", boundary="mirror", **options):
    """Compare each item with what it gives alone."""
    keywords = {"axes": axes, "method": "fft", "mode": mode, "boundary": boundary} | options
    copied.clear()
    dtype = None if x.dtype != np.uint8 else np.float32
    y = pyconv.correlate(x, w, dtype=dtype, **keywords)
    found = len(copied)
    last = max(np.atleast_1d(axes) % x.ndim) + 1
    flat = x.reshape(*x.shape[:last], -1)
    results = y.reshape(*y.shape[:last], -1)
    for i in range(flat.shape[-1]):
        alone = pyconv.correlate(np.ascontiguousarray(flat[..., i]), w, dtype=dtype, **keywords)
        np.testing.assert_array_equal(results[..., i], alone, strict=True)
    assert len(copied) == found  # an item alone is read as it lies
    return found


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("dtype", list(COUNTS))
def test_an_item_has_the_bits_that_it_has_alone(dtype, workers, rng, copied):
    w = rng.standard_normal(33).astype(np.float32)
    for count in COUNTS[dtype]:
        found = check(samples(rng, (1500, count), dtype), w, 0, copied, workers=workers)
        at_once = LINE_BYTES // np.dtype(dtype if dtype != "complex64" else "f4").itemsize
        parts = 2 if dtype == "complex64" else 1
        assert found == (parts * -(-count // at_once) if count >= at_once else 0)


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
def test_images_whose_channels_are_last(mode, rng, copied):
    x = samples(rng, (2, 40, 37, 5, 7), "float32")
    w = rng.standard_normal((9, 6)).astype(np.float32)
    assert check(x, w, (1, 2), copied, mode, "constant", fill_value=2.5) == 2 * 3
    assert check(x, w, (2, 1), copied, mode, "wrap", stride=(1, 2))
    w = w[:2]
    assert check(x, w, (0, 2), copied, mode, "symmetric") == 0  # too few samples of an item


def test_results_in_arrays_of_the_caller(rng, copied):
    x, w = samples(rng, (900, 40), "float32"), rng.standard_normal(33).astype(np.float32)
    options = {"axes": 0, "mode": "same", "method": "fft"}
    expected = pyconv.correlate(x, w, **options)
    assert copied
    for out in (
        np.empty((900, 80), "f4")[:, ::2],  # not side by side: they are written as they lie
        np.empty((900, 40), "f4")[::-1, ::-1],
        np.empty((900, 40), ">f4"),
        np.empty((40, 900), "f4").T,
    ):
        assert pyconv.correlate(x, w, out=out, **options) is out
        np.testing.assert_array_equal(out, expected)
    for given in (x[:, ::-1], np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        y = pyconv.correlate(given, w, **options)
        np.testing.assert_array_equal(y, expected[:, ::-1] if given.strides[1] < 0 else expected)


def test_axes_that_are_no_single_one(rng, copied):
    """Results of neighbours with room between them are written where they belong."""
    x, w = samples(rng, (900, 5, 8), "float32"), rng.standard_normal(33).astype(np.float32)
    options = {"axes": 0, "mode": "same", "method": "fft"}
    expected = pyconv.correlate(x, w, **options)
    assert len(copied) == 3
    out = np.full((900, 5, 16), np.nan, "f4")
    assert pyconv.correlate(x, w, out=out[..., :8], **options).base is out
    np.testing.assert_array_equal(out[..., :8], expected)
    assert np.isnan(out[..., 8:]).all()
    room = np.zeros((900, 5, 16), "f4")
    room[..., :8] = x
    copied.clear()
    np.testing.assert_array_equal(pyconv.correlate(room[..., :8], w, **options), expected)
    assert not copied  # or the whole array would be


def test_what_is_not_finite_and_what_is_quiet(rng, copied):
    x, w = samples(rng, (1200, 35), "float32"), rng.standard_normal(33).astype(np.float32)
    x[500, 3], x[2, 20], x[700:720, 30] = np.nan, np.inf, 1e30
    x[:400, 9] = 1e-20
    x[:, 17] = 0
    assert check(x, w, 0, copied) == 3


def test_little_memory_takes_no_copies(rng, copied):
    x, w = samples(rng, (6000, 32), "float32"), rng.standard_normal(33).astype(np.float32)
    expected = pyconv.correlate(x, w, axes=0, method="fft")
    assert copied
    copied.clear()
    least = pyconv.explain(x, w, axes=0, method="fft", max_memory=2**21)
    assert not copied
    y = pyconv.correlate(x, w, axes=0, method="fft", max_memory=2**21)
    np.testing.assert_array_equal(y, expected)
    assert not copied
    workspace = {c.algorithm: c.workspace for c in least.candidates}["fft"]
    assert workspace < 2**21
