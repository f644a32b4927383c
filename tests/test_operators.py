"""Operators: A x is the call, ⟨A x, y⟩ = ⟨x, Aᴴ y⟩ exactly on whole numbers, the matrix is A."""

import numpy as np
import pytest
from arrays import small
from conftest import one_in
from scipy.sparse.linalg import aslinearoperator, lsqr

import pyconv
from pyconv._engine.boundaries import BOUNDARIES
from pyconv.operators import linear_operator, sparse_matrix

#: Shape of x, axes, kernel shape.
SHAPES = {
    "1-D": ((9,), (0,), (4,)),
    "one sample": ((1,), (0,), (3,)),
    "columns of a batch": ((7, 2), (0,), (3,)),
    "2-D": ((6, 7), (0, 1), (3, 2)),
    "2-D, turned": ((5, 2, 6), (2, 0), (3, 4)),
    "3-D": ((4, 5, 3), (0, 1, 2), (2, 3, 2)),
}
#: Stride and dilation: coprime, with common divisors, one larger than the kernel.
STEPS = [(1, 1), (2, 1), (2, 2), (2, 3), (4, 6), (5, 1)]
#: The last two read samples outside on one side alone.
EXTENTS = ["same", "full", "pads", "crop", "before", "after"]


def pads(mode, n):
    explicit = {
        "pads": [(7, 5), (3, 9), (6, 6)],
        "crop": [(-1, 4), (4, -1), (4, 4)],
        "before": [(15, -10), (12, -8), (13, -9)],
        "after": [(-10, 15), (-8, 12), (-9, 13)],
    }
    return explicit[mode][:n] if mode in explicit else mode


def problems():
    for case, (shape, axes, taps) in SHAPES.items():
        for stride, dilation in STEPS:
            for mode in EXTENTS:
                yield case, shape, taps, pads(mode, len(axes)), {
                    "axes": axes, "stride": stride, "dilation": dilation,
                }  # fmt: skip


@pytest.mark.parametrize(
    ("flip", "dtype", "boundary"),
    one_in(2, [False, True], ["float64", "complex128"], list(BOUNDARIES)),
)
def test_products_and_adjoints(boundary, dtype, flip, rng):
    """Exactly, for every extent, stride and dilation; the matrix has the same entries."""
    seen = 0
    for _, shape, taps, mode, keywords in problems():
        w = small(rng, taps, dtype)
        call = pyconv.convolve if flip else pyconv.correlate
        x = small(rng, shape, dtype)
        try:
            right = call(x, w, mode, boundary, rtol=0, **keywords)
        except ValueError as error:
            if "would be empty" in str(error):
                continue
            raise
        a = linear_operator(shape, w, mode, boundary, flip=flip, rtol=0, **keywords)
        assert (a.x_shape, a.y_shape) == (shape, right.shape)
        assert np.array_equal(a @ x.ravel(), right.ravel())
        y = small(rng, right.shape, dtype).ravel()
        back = a.rmatvec(y)
        assert np.vdot(y, right) == np.vdot(back, x)
        matrix = sparse_matrix(shape, w, mode, boundary, flip=flip, **keywords)
        assert matrix.has_canonical_format
        assert np.array_equal(matrix @ x.ravel(), right.ravel())
        assert np.array_equal(matrix.conj().T @ y, back)
        seen += 1
    assert seen > 80


def test_valid_extents_and_large_arrays(rng):
    """Sizes at which other algorithms are chosen, in single precision."""
    for shape, taps, stride in (((80, 90), (31, 31), 1), ((200, 170), (9, 8), 2), ((999,), 101, 3)):
        w = rng.standard_normal(taps).astype("float32")
        a = linear_operator(shape, w, stride=stride)
        x = rng.standard_normal(shape).astype("float32")
        y = rng.standard_normal(a.shape[0]).astype("float32")
        np.testing.assert_allclose(
            (a @ x.ravel()).reshape(a.y_shape), pyconv.correlate(x, w, stride=stride), rtol=1e-4
        )
        assert a.dtype == np.float32
        scale = np.linalg.norm(a @ x.ravel()) * np.linalg.norm(y)
        assert abs(np.vdot(y, a @ x.ravel()) - np.vdot(a.H @ y, x)) < 1e-5 * scale


def test_a_linear_operator_of_scipy(rng):
    """Transposes, matrices of columns, sums, complex vectors, integers."""
    w = small(rng, (3,), "complex128")
    a = linear_operator((6,), w, "full", "wrap")
    dense = sparse_matrix((6,), w, "full", "wrap").toarray()
    columns = small(rng, (6, 4), "complex128")
    np.testing.assert_array_equal(a @ columns, dense @ columns)
    np.testing.assert_array_equal(a.H @ dense, dense.conj().T @ dense)
    np.testing.assert_array_equal(a.T @ dense, dense.T @ dense)
    real = linear_operator((6,), [1, 2, 3], "full", "wrap")
    dense = sparse_matrix((6,), [1, 2, 3], "full", "wrap").toarray()
    assert real.dtype == np.float64
    np.testing.assert_array_equal(real @ columns[:, 0], dense @ columns[:, 0])
    np.testing.assert_array_equal(real.H @ (dense @ columns[:, 0]), dense.T @ dense @ columns[:, 0])
    np.testing.assert_array_equal((real + 2 * real) @ np.arange(6), 3 * dense @ np.arange(6))
    assert aslinearoperator(real) is real


def test_lsqr(rng):
    """A blur that is known, border included, can be undone."""
    x = rng.random((12, 13))
    w = np.array([[0.1, 0.1, 0.0], [0.1, 1.0, 0.1], [0.0, 0.1, 0.1]])
    a = linear_operator(x.shape, w, "same", "mirror")
    found = lsqr(a, pyconv.correlate(x, w, "same", "mirror").ravel(), atol=1e-13, btol=1e-13)[0]
    np.testing.assert_allclose(found.reshape(x.shape), x, atol=1e-9)


def test_the_weights_are_copied():
    w = np.ones(2)
    a = linear_operator((3,), w)
    w[:] = 5
    assert (a @ [1, 2, 3]).tolist() == [3, 5]
    assert (a.H @ [1, 2]).tolist() == [1, 3, 2]


@pytest.mark.parametrize("function", [linear_operator, sparse_matrix])
def test_errors(function):
    with pytest.raises(TypeError, match=r"x_shape=\[4\]: a tuple"):
        function([4], [1, 2])
    with pytest.raises(TypeError, match="x_dtype=int32: floating-point"):
        function((4,), [1, 2], x_dtype="int32")
    with pytest.raises(ValueError, match="would be empty"):
        function((4,), np.ones(5))
    with pytest.raises(TypeError, match="fill_value"):
        function((4,), np.ones(2), fill_value=1)
    with pytest.raises(TypeError, match="w is a masked array"):
        function((4,), np.ma.ones(2))
