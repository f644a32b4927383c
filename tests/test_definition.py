"""Every algorithm in every ISA variant computes the definition, exactly, over the tables.

y[i] = Σ_u x[i·s + u·d − p] · conj(w[u])
"""

import functools
import itertools

import numpy as np
import oracles
import pytest
from arrays import assert_exact, axis_orders, small

import pyconv
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._native import loader

SHAPES = {
    1: ((23,), (5,)),
    2: ((9, 21), (3, 4)),
    3: ((5, 8, 19), (2, 3, 3)),
}
EXTENTS = {
    "valid": lambda shape: "valid",
    "same": lambda shape: "same",
    "full": lambda shape: "full",
    "asymmetric": lambda shape: [(1, 3 + i) for i, _ in enumerate(shape)],
    "cropped": lambda shape: [(-1, -1)] * len(shape),
    "shifted": lambda shape: [(-2, 5)] * len(shape),
    "wider than x": lambda shape: [(2 * n + 1, n + 2) for n in shape],
    "shifted off x": lambda shape: [(-n - 2, 3 * n) for n in shape],
}
#: One stride and one dilation for each axis: equal, coprime, one a multiple of the other.
STEPS = [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3), (2, 2), (3, 2), (2, 4), (4, 2), (7, 1)]


def wide_integers(rng, shape, dtype):
    """Return integers whose sums need all of 64 bits."""
    return rng.integers(-(2**55), 2**55, shape).astype(dtype)


#: The types of the sums: data that each of them must be used for.
SUMS = {
    "float32": (small, "float32", "float32"),
    "float64": (small, "float64", "float64"),
    "int64": (wide_integers, "int64", "int8"),
    "complex64": (small, "complex64", "complex64"),
}


@functools.cache
def data(sums, x_shape, w_shape):
    """Return x, w and the dtype of the result."""
    rng = np.random.default_rng(len(x_shape) + sum(x_shape))
    make, x_dtype, w_dtype = SUMS[sums]
    return make(rng, x_shape, x_dtype), small(rng, w_shape, w_dtype), np.dtype(sums)


@functools.cache
def expected(sums, x_shape, w_shape, mode, boundary, stride, dilation, axes, flip, fill_value):
    """Return the oracle's answer; None if it is empty."""
    x, w, _ = data(sums, x_shape, w_shape)
    y, _ = oracles.correlate(
        x,
        w,
        mode,
        boundary,
        stride=stride,
        dilation=dilation,
        axes=axes,
        flip=flip,
        fill_value=fill_value,
    )
    return y if y.size else None


def check(
    engine,
    sums,
    x_shape,
    w_shape,
    mode="same",
    boundary="mirror",
    stride=1,
    dilation=1,
    axes=None,
    flip=False,
    fill_value=0,
):
    """Assert that the engine gives the oracle's values, or refuses an empty result."""
    x, w, dtype = data(sums, x_shape, w_shape)
    mode = tuple(mode) if isinstance(mode, list) else mode
    total = expected(
        sums, x_shape, w_shape, mode, boundary, stride, dilation, axes, flip, fill_value
    )
    call = functools.partial(
        engine,
        x,
        w,
        mode,
        boundary,
        stride=stride,
        dilation=dilation,
        axes=axes,
        flip=flip,
        fill_value=fill_value,
    )
    if total is None:
        with pytest.raises(ValueError, match="empty"):
            call()
        return
    y = call()
    if y is not None:
        assert_exact(y, total, dtype)


def sums_of(engine, number):
    """Return all types of sums for the widest variant, and one of them, in turn, for another.

    The plan of a call, with its steps and axes, is the same in every variant.
    """
    every = list(SUMS)
    return every if engine.isa == loader.runnable()[-1] else [every[number % len(every)]]


@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("n", SHAPES)
def test_boundaries_and_extents(engine, n, boundary, extent):
    """Every boundary with every extent, of both operations."""
    x_shape, w_shape = SHAPES[n]
    for flip, (sums, fill) in itertools.product(
        (False, True), {"float32": 0, "float64": 2.5, "int64": -7, "complex64": 1 - 2j}.items()
    ):
        if boundary != "constant":
            fill = 0
        check(
            engine, sums, x_shape, w_shape, EXTENTS[extent](x_shape), boundary, flip=flip,
            fill_value=fill,
        )  # fmt: skip


@pytest.mark.parametrize("extent", ["valid", "same", "full", "shifted"])
@pytest.mark.parametrize("n", SHAPES)
def test_strides_and_dilations(engine, n, extent):
    """Strides and dilations of all axes, equal or not."""
    x_shape, w_shape = SHAPES[n]
    mode = EXTENTS[extent](x_shape)
    for first, boundary in itertools.product(range(len(STEPS)), ("constant", "wrap")):
        for shift in (0, 1, 3):
            steps = [STEPS[(first + shift * axis) % len(STEPS)] for axis in range(n)]
            stride, dilation = zip(*steps, strict=True)
            for sums in sums_of(engine, first + shift + 2 * (boundary == "wrap")):
                check(
                    engine, sums, x_shape, w_shape, mode, boundary, stride=stride,
                    dilation=dilation,
                )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_every_pair_of_steps(engine, boundary):
    """Every stride and dilation up to 4 on each of two axes."""
    steps = list(itertools.product(range(1, 5), repeat=2))
    for (s0, d0), (s1, d1) in itertools.product(steps, repeat=2):
        for extent in ("valid", "same", "shifted"):
            check(
                engine, "float32", (13, 29), (3, 5), EXTENTS[extent]((13, 29)), boundary,
                stride=(s0, s1), dilation=(d0, d1),
            )  # fmt: skip


@pytest.mark.parametrize("n", [2, 3])
def test_one_boundary_for_each_axis(engine, n):
    """Every combination of boundaries."""
    x_shape, w_shape = SHAPES[n]
    for boundary in itertools.product(BOUNDARIES, repeat=n):
        check(engine, "float32", x_shape, w_shape, "full", boundary)


@pytest.mark.parametrize(("ndim", "n"), [(2, 1), (3, 1), (3, 2), (4, 2), (4, 3), (5, 3)])
def test_axes(engine, ndim, n):
    """Kernel axes on any axes of x, in any order: batch axes lead, lie between and trail."""
    x_shape = (4, 5, 6, 7, 3)[:ndim]
    w_shape = (2, 3, 2)[:n]
    for number, axes in enumerate(axis_orders(ndim, n)):
        for sums, boundary in itertools.product(sums_of(engine, number), ("nearest", "constant")):
            check(engine, sums, x_shape, w_shape, "same", boundary, axes=axes)
        negative = tuple(a - ndim for a in axes)
        check(engine, "float32", x_shape, w_shape, "valid", axes=negative)
        stride = (2, 1, 3)[:n]
        check(engine, "float32", x_shape, w_shape, "full", axes=axes, stride=stride, dilation=2)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70])
def test_trailing_batch_axis(engine, length):
    """A trailing batch axis of any length, such as the colours of a picture."""
    for sums in SUMS:
        check(engine, sums, (9, length), (3,), axes=0)
        check(engine, sums, (6, 7, length), (3, 2), axes=(0, 1))
        check(engine, sums, (3, 9, length), (3,), "full", "constant", axes=1)
        check(engine, sums, (6, 7, length), (3, 2), "same", "wrap", axes=(0, 1), stride=2)
        check(engine, sums, (6, 9, length), (3, 2), "full", axes=(1, 0), dilation=(2, 3))
        check(engine, sums, (4, 5, 6, length), (2, 3, 2), axes=(0, 1, 2))
    check(engine, "float32", (5, 3, 6, 2, length), (2, 3), axes=(2, 0))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_axes_of_length_one(engine, boundary):
    """A length-1 axis, alone or among others, under every boundary."""
    for x_shape, w_shape in [
        ((1,), (3,)),
        ((1, 1), (2, 3)),
        ((1, 20), (3, 3)),
        ((20, 1), (3, 3)),
        ((1, 9, 1), (3, 1, 2)),
        ((1, 1, 1), (1, 1, 1)),
    ]:
        for mode in ("same", "full"):
            for sums in SUMS:
                check(engine, sums, x_shape, w_shape, mode, boundary, fill_value=0)


@pytest.mark.parametrize(
    ("x_shape", "w_shape"),
    [((400,), (129,)), ((60, 70), (31, 33)), ((20, 21, 22), (9, 10, 11)), ((3,), (50,))],
    ids=str,
)
def test_large_kernels(engine, x_shape, w_shape):
    """Kernels of a size near or beyond that of x."""
    for mode, boundary in [("same", "mirror"), ("full", "constant")]:
        check(engine, "float64", x_shape, w_shape, mode, boundary)


@pytest.mark.parametrize("n", SHAPES)
def test_every_algorithm_takes_plain_problems(engine, n):
    """No algorithm passes the tables above by rejecting them."""
    x_shape, w_shape = SHAPES[n]
    x, w, _ = data("float32", x_shape, w_shape)
    for boundary in BOUNDARIES:
        assert engine(x, w, "same", boundary) is not None


def test_the_example_of_the_definition():
    """The four sums of a 3 × 3 array and a 2 × 2 kernel."""
    y = pyconv.correlate([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[0, 1], [2, 3]])
    assert y.tolist() == [[19, 25], [37, 43]]


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int32"])
@pytest.mark.parametrize("flip", [False, True])
def test_a_kernel_longer_than_the_data(rng, dtype, flip):
    """With zeros outside, the arrays are exchanged: every extent, stride and value."""
    call = pyconv.convolve if flip else pyconv.correlate
    for n, k in [(3, 5), (5, 5), (1, 9), (4, 40)]:
        x, w = small(rng, n, dtype), small(rng, k, dtype)
        for mode in ("full", "same", [(k - 1, k)], [(k - 2, k - 1)], [(k + 3, k + 1)]):
            for stride in (1, 2, 3):
                y = call(x, w, mode, stride=stride, overflow="wrap")
                expected, _ = oracles.correlate(x, w, mode, stride=stride, flip=flip)
                np.testing.assert_array_equal(y, expected.astype(y.dtype))
    x, w = np.array([1.0, np.nan]), np.array([1.0, 2.0, 3.0, np.inf])
    np.testing.assert_array_equal(call(x, w, "full"), call(x, w, "full", method="direct"))


@pytest.mark.parametrize("flip", [False, True])
def test_overflow_of_a_kernel_longer_than_the_data(flip):
    """Exchanged or not, results are refused, clipped and wrapped by the same rule."""
    call = pyconv.convolve if flip else pyconv.correlate
    for dtype, top in (("int64", 2**62), ("uint64", 2**63), ("int16", 2**15 - 1), ("uint8", 255)):
        for x, w in (([top, 0], [1, 1, 1, 0]), ([1, 0], [top, top, top, 0]), ([top], [1, 1, 0])):
            x, w = np.array(x, dtype), np.array(w, dtype)
            exact, _ = oracles.correlate(x, w, "full", flip=flip)
            for result in (dtype, "int64", "uint8"):
                for overflow in ("raise", "saturate", "wrap"):
                    options = {"dtype": result, "overflow": overflow}
                    found = outcome(call, x, w, **options)
                    assert found == outcome(call, x, w, method="direct", **options)
                    limits = np.iinfo(result)
                    if overflow == "saturate":
                        assert found == np.clip(exact, limits.min, limits.max).tolist()


def outcome(call, x, w, **options):
    """Return the numbers, or the error."""
    try:
        return call(x, w, "full", **options).tolist()
    except OverflowError as error:
        return str(error)
    except ValueError:  # sums that need Python's integers
        return call(x, w, "full", **options | {"method": "reference"}).tolist()
