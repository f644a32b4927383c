"""The arrays that the tests feed: data on which sums are exact, and every memory layout."""

import itertools

import numpy as np


def small(rng, shape, dtype):
    """Return whole numbers so small that no sum of a few hundred products of them rounds."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "u":
        return rng.integers(0, 5, shape).astype(dtype)
    if dtype.kind == "c":
        return (rng.integers(-3, 4, shape) + 1j * rng.integers(-3, 4, shape)).astype(dtype)
    return rng.integers(-3, 4, shape).astype(dtype)


def noise(rng, shape, dtype):
    """Return values whose sums round, so that another order of summation gives other bits."""
    dtype = np.dtype(dtype)
    if dtype.kind in "biu":
        return small(rng, shape, dtype)
    values = rng.standard_normal(shape)
    if dtype.kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def bits(a):
    """Return what two arrays of the same bits have in common."""
    native = a.dtype.newbyteorder("=")
    return native, a.shape, a.astype(native, order="C").tobytes()


def assert_exact(y, expected, dtype):
    """Assert that ``y`` has a dtype and exactly the values of a wider array."""
    assert y.dtype == dtype
    assert y.shape == expected.shape
    np.testing.assert_array_equal(y, expected.astype(dtype))


# ---- memory layouts: functions from an array to an equal one ----------------------------------


def _fortran(a):
    return np.asfortranarray(a)


def _transposed(a):
    return np.ascontiguousarray(a.transpose(np.roll(np.arange(a.ndim), 1))).transpose(
        np.roll(np.arange(a.ndim), -1)
    )


def _strided(a):
    room = np.zeros([3 * n for n in a.shape], a.dtype)
    view = room[tuple(slice(1, None, 3) for _ in a.shape)]
    view[...] = a
    return view


def _strided_rows(a):
    room = np.zeros((*a.shape[:-1], a.shape[-1] + 5), a.dtype)
    view = room[..., 2 : 2 + a.shape[-1]]
    view[...] = a
    return view


def _reversed(a):
    flip = (slice(None, None, -1),) * a.ndim
    return a[flip].copy()[flip]


def _reversed_last(a):
    return a[..., ::-1].copy()[..., ::-1]


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def _misaligned(a):
    room = np.zeros(a.nbytes + 1, np.uint8)
    view = room[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _misaligned_rows(a):
    record = np.dtype({"names": ["v"], "formats": [a.dtype], "itemsize": a.itemsize + 1})
    view = np.zeros(a.shape, record)["v"]
    view[...] = a
    return view


def _byte_swapped(a):
    return a.astype(a.dtype.newbyteorder())


def _byte_swapped_strided(a):
    return _strided(_byte_swapped(a))


def _byte_swapped_transposed(a):
    return _transposed(_byte_swapped(a))


LAYOUTS = {
    "fortran": _fortran,
    "transposed": _transposed,
    "strided": _strided,
    "strided rows": _strided_rows,
    "reversed": _reversed,
    "reversed last axis": _reversed_last,
    "read-only": _read_only,
    "misaligned": _misaligned,
    "misaligned rows": _misaligned_rows,
    "byte-swapped": _byte_swapped,
    "byte-swapped and strided": _byte_swapped_strided,
    "byte-swapped and transposed": _byte_swapped_transposed,
}


def axis_orders(ndim, n):
    """Return every way to let ``n`` kernel axes act on ``ndim`` axes."""
    return list(itertools.permutations(range(ndim), n))
