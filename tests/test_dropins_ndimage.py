"""`pyconv.ndimage` beside `scipy.ndimage`: whole tables of dtypes, modes, origins, axes, shapes.

Integer results are SciPy's to the bit, floats to within the error of a plain sum. Large arrays of
float32, which are summed in float32, have tests of their own: SciPy's are small.
"""

import inspect
import itertools
import platform
import subprocess
import sys

import numpy as np
import pytest
import scipy.ndimage
import scipy_casts

from pyconv import ndimage
from pyconv._engine import planner, separable_passes
from pyconv._engine.algorithms.terms import box_terms, kernel_terms, line_terms
from pyconv.ndimage import _filters, _gaussian, _weighted_sums

MODES = ("reflect", "mirror", "nearest", "wrap", "constant")
SYNONYMS = {"grid-mirror": "reflect", "grid-constant": "constant", "grid-wrap": "wrap"}
DTYPES = ("uint8", "int8", "uint16", "int32", "int64", "float32", "float64", "complex64",
          "complex128")  # fmt: skip
SHAPES = ((31,), (9, 14), (5, 6, 7))


#: Compilers for other processors add the product of SciPy's sums without rounding it first.
FUSES = platform.machine() not in ("x86_64", "AMD64")


def data(rng, shape, dtype):
    """Return values all over the range of 8 bits, or around zero."""
    values = rng.standard_normal(shape) * 40
    if dtype == "uint8":
        return rng.integers(0, 256, shape, dtype)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype) if np.dtype(dtype).kind != "u" else np.abs(values).astype(dtype)


def kernel(rng, shape, whole):
    """Return weights, some of them zero."""
    return rng.integers(-2, 4, shape) if whole else rng.integers(-2, 4, shape) * 0.37


def assert_same(ours, scipys):
    """Assert that both have one dtype and the same values, as far as they may."""
    assert ours.dtype == scipys.dtype
    assert ours.shape == scipys.shape
    if ours.dtype.kind in "biu" and FUSES:
        # A sum that all but is an integer: one of both is on the other side of it.
        apart = (ours.astype(np.int64) - scipys.astype(np.int64)) != 0
        assert np.count_nonzero(apart) <= max(1, 0.02 * ours.size)
        one = np.array(1, ours.dtype)
        beside = (
            (ours ^ scipys == one)
            if ours.dtype == bool
            else ((ours + one == scipys) | (scipys + one == ours))
        )
        assert beside[apart].all()
    elif ours.dtype.kind in "biu":
        np.testing.assert_array_equal(ours, scipys)
    else:
        eps = np.finfo(ours.dtype).eps
        scale = np.abs(scipys[np.isfinite(scipys)]).max(initial=1)
        np.testing.assert_allclose(ours, scipys, rtol=0, atol=32 * eps * scale)


def both(name, *args, **keywords):
    """Assert that a function and SciPy's give the same, or the same type of error."""
    results = []
    for module in (scipy.ndimage, ndimage):
        try:
            results.append(getattr(module, name)(*args, **keywords))
        except Exception as error:  # noqa: BLE001 - whatever SciPy raises
            results.append(error)
    scipys, ours = results
    if isinstance(scipys, Exception):
        assert type(ours) is type(scipys), (ours, scipys)
    else:
        assert not isinstance(ours, Exception), ours
        assert_same(ours, scipys)


#: Every function with arguments that suit any array.
CALLS = {
    "correlate1d": lambda rng, x: ([0.2, 1, -0.5, 0.7],),
    "convolve1d": lambda rng, x: ([3, 1, 2, 2],),
    "correlate": lambda rng, x: (kernel(rng, (3, 4, 2)[: x.ndim], False),),
    "convolve": lambda rng, x: (kernel(rng, (4, 3, 2)[: x.ndim], True),),
    "gaussian_filter1d": lambda rng, x: (1.3,),
    "gaussian_filter": lambda rng, x: (1.1,),
    "gaussian_laplace": lambda rng, x: (0.9,),
    "gaussian_gradient_magnitude": lambda rng, x: (0.9,),
    "laplace": lambda rng, x: (),
    "prewitt": lambda rng, x: (),
    "sobel": lambda rng, x: (0,),
    "uniform_filter": lambda rng, x: (4,),
    "uniform_filter1d": lambda rng, x: (5,),
}


def test_every_function_is_called():
    """The table above has all of them, with SciPy's signatures."""
    assert list(CALLS) == sorted(CALLS, key=list(CALLS).index)
    assert set(CALLS) == set(ndimage.__all__)
    for name in CALLS:
        ours = inspect.signature(getattr(ndimage, name)).parameters.values()
        scipys = inspect.signature(getattr(scipy.ndimage, name)).parameters.values()
        if len(ours) == len(scipys):  # SciPy has had `axes` only since 1.15 and 1.16
            assert [(p.name, p.kind, p.default) for p in ours] == [
                (p.name, p.kind, p.default) for p in scipys
            ], name


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_mode_dtype_and_shape(name, dtype, rng):
    """Whole tables; ``cval`` of 3 changes what passes after the first read outside."""
    for shape, mode, cval in itertools.product(SHAPES, MODES, (0, 3)):
        if cval and mode != "constant":
            continue
        x = data(rng, shape, dtype)
        both(name, x, *CALLS[name](rng, x), mode=mode, cval=cval)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("output", ["float32", np.float64, np.dtype("int16"), "uint8"])
def test_output_decides_the_dtype(name, output, rng):
    """As a word, a type or a dtype, of integers and of floats, and for whatever data."""
    for dtype in ("uint8", "int32", "float32", "float64"):
        x = data(rng, (9, 14), dtype)
        cut = np.dtype(output).kind in "iu" and dtype.startswith("f")
        if cut and (np.dtype(output).kind == "u" or "uniform" in name):
            continue  # negative floats as unsigned; SciPy's running mean drifts
        both(name, x, *CALLS[name](rng, x), output=output)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_output_arrays(name, dtype, rng):
    """Fresh, strided, reversed, and the input itself, which is read as it was."""
    x = data(rng, (9, 14), dtype)
    args = CALLS[name](rng, x)
    function = getattr(ndimage, name)
    expected = function(x, *args)
    for y in (np.empty_like(x), np.empty((18, 28), dtype)[::2, ::-2], np.empty((14, 9), dtype).T):
        assert function(x, *args, output=y) is y
        np.testing.assert_array_equal(y, expected)
    overlapping = x.copy()
    function(overlapping, *args, output=overlapping)
    np.testing.assert_array_equal(overlapping, expected)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_layouts(dtype, rng):
    """Any memory layout gives the answer of a contiguous copy."""
    x = data(rng, (9, 14), dtype)
    for view in (x.T.copy().T, x[::-1].copy()[::-1], x.astype(x.dtype.newbyteorder())):
        for name in CALLS:
            args = CALLS[name](np.random.default_rng(1), x)
            ours = getattr(ndimage, name)(view, *args)
            np.testing.assert_array_equal(ours, getattr(ndimage, name)(x, *args))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
def test_kept_calls_read_no_data_of_others(name, dtype, rng):
    """Of one call after the other with the same arguments each filters its own array."""
    first = data(rng, (9, 14), dtype)
    args = CALLS[name](rng, first)
    results = [first]
    for _ in range(3):
        x = data(rng, (9, 14), dtype)
        both(name, x, *args)
        results.append(getattr(ndimage, name)(x, *args))
        kept = results[-1].copy()
        into = np.full_like(kept, 1)
        assert getattr(ndimage, name)(x, *args, output=into) is into
        np.testing.assert_array_equal(into, kept)
        both(name, x.astype(x.dtype.newbyteorder()), *args)
        both(name, x[::-1, ::-1], *args)
        both(name, np.asfortranarray(x), *args)
    for i, y in enumerate(results):
        assert not any(np.shares_memory(y, other) for other in results[i + 1 :])


@pytest.mark.parametrize("name", [n for n in CALLS if "correlate" in n or "convolve" in n])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64", "complex64"])
def test_kernels_that_their_owner_changes(name, dtype, rng):
    """A kept call has a kernel of its own; one of other numbers, dtype or shape is another call."""
    x = data(rng, (9, 14), dtype)
    shape = (3,) if "1d" in name else (3, 3)
    for weights in (rng.integers(1, 9, shape), rng.random(shape), kernel(rng, shape, True)):
        same = weights.copy()
        expected = getattr(ndimage, name)(x, weights)  # kept, with an array that changes
        weights *= 2
        np.testing.assert_array_equal(getattr(ndimage, name)(x, same), expected)
        both(name, x, weights)
        both(name, x, weights.astype(np.float32))
        both(name, x, weights.astype(np.float32).view(np.int32) // 2**22)
        both(name, x, weights + 1j)
        both(name, x, weights.T[..., :2] if weights.ndim > 1 else weights[:2])
        both(name, x, weights.tolist())


def test_arguments_that_are_equal_are_not_the_same_call(rng):
    """1, 1.0 and True, or another default of a parameter, are told apart after a call, too."""
    x = rng.random((9, 14))
    constant = {"mode": "constant"}
    calls = {
        "gaussian_filter": (
            ((1,), {}), ((1.0,), {}), ((True,), {}), (((1, 2),), {}), (([1, 2],), {}),
            ((1,), {"order": 1}), ((1,), {"order": 1.0}), ((1,), {"radius": 2}),
            ((1,), {"radius": 2.0}), ((1,), {"truncate": 2}), ((1,), {"axes": 1}),
            ((1,), {"axes": (1,)}), ((1,), {"axes": 1.0}),
        ),
        "uniform_filter1d": (
            ((3,), {"axis": 0}), ((3,), {"axis": 0.0}),
            ((3,), {"origin": 1}), ((3,), {"origin": 2}),
        ),
        "sobel": (
            ((0,), {"mode": ["wrap", "mirror"]}), ((0,), {"mode": ("wrap", "mirror")}),
            ((0,), {"mode": "wrap"}), ((0,), {"mode": "wrapped"}),
        ),
        "laplace": (
            ((), constant | {"cval": 2}), ((), constant | {"cval": 2j}),
            ((), constant | {"cval": np.nan}),
        ),
    }  # fmt: skip
    for name, variants in calls.items():
        for args, options in (*variants, *variants):
            both(name, x, *args, **options)


def test_outputs_of_kept_calls_are_checked(rng):
    """An output that a call cannot write to is refused after calls of the same kind, too."""
    x = rng.random((9, 14))
    y = np.empty_like(x)
    for _ in range(2):
        ndimage.sobel(x, 0, output=y)
    shared = np.lib.stride_tricks.as_strided(np.empty(22), (9, 14), (8, 8))
    for wrong in (np.empty((9, 13)), np.broadcast_to(np.empty(14), (9, 14)), shared, "?", object):
        for _ in range(2):
            with pytest.raises((RuntimeError, ValueError)):
                ndimage.sobel(x, 0, output=wrong)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ndimage.sobel(x, 0, output=y)
    for _ in range(2):
        with pytest.warns(UserWarning, match="promoting") as seen:
            ndimage.uniform_filter(x + 1j, 3, output=np.float64)
        assert seen[0].filename == __file__


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "complex64"])
def test_calls_of_small_arrays_are_kept(name, dtype, rng, monkeypatch):
    """The second call plans nothing, into whatever array it writes."""
    x = data(rng, (16, 16), dtype)
    args, function = CALLS[name](rng, x), getattr(ndimage, name)
    for options in ({}, {"output": np.empty_like(x)}, {"mode": "constant", "cval": 2}):
        expected = function(x, *args, **options).copy()
        with monkeypatch.context() as patch:
            for room in (_filters, _gaussian):
                patch.setattr(room, "output_of", None)
            np.testing.assert_array_equal(function(x, *args, **options), expected)


@pytest.mark.parametrize("mode", [*MODES, *SYNONYMS])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 9])
def test_origins(mode, k, rng):
    """All that are allowed, and one more on either side; kernels longer than the array."""
    for dtype, origin in itertools.product(("uint8", "float64"), range(-(k // 2) - 1, k // 2 + 2)):
        x = data(rng, (4, 7), dtype)
        w = kernel(rng, k, False)
        for name in ("correlate1d", "convolve1d"):
            both(name, x, w, 0, mode=mode, cval=2, origin=origin)
        for name in ("correlate", "convolve"):
            both(name, x, w[:, np.newaxis] * [1, 2], mode=mode, origin=(origin, 0))
        both("uniform_filter1d", x, k, 1, mode=mode, origin=origin)


@pytest.mark.parametrize("name", ["correlate", "convolve"])
def test_axes(name, rng):
    """A kernel acts on its axes in the order of the array's, as in SciPy."""
    x = data(rng, (4, 5, 6, 3), "float64")
    for count in (1, 2, 3, 4):
        for axes in itertools.permutations(range(-2, 2), count):
            w = kernel(rng, (2, 3, 1, 2)[:count], False)
            both(name, x, w, axes=axes, origin=(-1,) + (0,) * (count - 1))


@pytest.mark.parametrize("dtype", ["int32", "float32", "complex64"])
@pytest.mark.parametrize("mode", MODES)
def test_more_than_three_dimensions(dtype, mode, rng):
    """Kernels of four and five dimensions are sums of those of three."""
    for n in (4, 5):
        x = data(rng, (3, 4, 3, 4, 3)[:n], dtype)
        w = kernel(rng, (2, 3, 2, 2, 3)[:n], dtype == "int32")
        for name in ("correlate", "convolve"):
            both(name, x, w, mode=mode, cval=2, origin=(0, 1) + (0,) * (n - 2))
        both("gaussian_filter", x, 0.7, mode=mode)
        both("sobel", x, 1, mode=mode)
        both("laplace", x, mode=mode)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_gaussian_options(order, rng):
    """Orders, radii, truncation, widths of zero, a mode and a width for each axis."""
    for dtype in ("uint8", "float64"):
        x = data(rng, (9, 14, 5), dtype)
        for options in (
            {"sigma": (1, 0, 2)},
            {"sigma": 1.5, "truncate": 2.2},
            {"sigma": 2, "radius": (1, 3, 0)},
            {"sigma": (1, 2), "axes": (0, 2), "mode": ("wrap", "nearest")},
            {"sigma": 1, "mode": ("constant", "reflect", "constant"), "cval": 9},
            {"sigma": 0},
            {"sigma": 1, "axes": ()},
        ):
            both("gaussian_filter", x, order=order, **options)
    np.testing.assert_allclose(
        _gaussian.kernel_1d(1.7, order, 9),
        scipy.ndimage.gaussian_filter1d(np.eye(1, 19, 9)[0], 1.7, order=order, radius=9)[::1],
        atol=1e-15,
    )


@pytest.mark.parametrize("complex_part", ["input", "weights", "both"])
def test_complex(complex_part, rng):
    """Weights are conjugated by correlations only; outputs become complex."""
    for x_dtype, w_dtype in itertools.product(("complex64", "complex128"), repeat=2):
        x = data(rng, (9, 14), x_dtype if complex_part != "weights" else "float32")
        w = data(rng, (3, 2), w_dtype if complex_part != "input" else "float64")
        for name, mode in itertools.product(("correlate", "convolve"), MODES):
            cval = 2 - 1j if complex_part != "weights" else 2
            both(name, x, w, mode=mode, cval=cval)
            both(name + "1d", x, w[0], 0, mode=mode, cval=cval)


BAD = {
    "unknown mode": ("correlate1d", lambda x: ((x, [1, 1]), {"mode": "edge"})),
    "modes for a kernel": ("correlate", lambda x: ((x, x), {"mode": ("wrap", "wrap")})),
    "no weights": ("correlate1d", lambda x: ((x, []), {})),
    "weights of two dimensions": ("correlate1d", lambda x: ((x, [[1]]), {})),
    "kernel of too few dimensions": ("correlate", lambda x: ((x, [1]), {})),
    "empty kernel": ("convolve", lambda x: ((x, np.ones((0, 2))), {})),
    "origin": ("correlate", lambda x: ((x, x), {"origin": 9})),
    "too many origins": ("correlate", lambda x: ((x, x), {"origin": (0, 0, 0)})),
    "axis": ("sobel", lambda x: ((x, 2), {})),
    "axes": ("gaussian_filter", lambda x: ((x, 1), {"axes": (0, 5)})),
    "axis twice": ("gaussian_filter", lambda x: ((x, 1), {"axes": (0, -2)})),
    "axes of floats": ("gaussian_filter", lambda x: ((x, 1), {"axes": (0.5,)})),
    "shape of output": ("laplace", lambda x: ((x,), {"output": np.zeros(3)})),
    "complex output": ("correlate1d", lambda x: ((x * 1j, [1]), {"output": np.zeros(x.shape)})),
    "word for no number": ("correlate1d", lambda x: ((x, [1]), {"output": "O"})),
    "complex cval": ("correlate1d", lambda x: ((x, [1]), {"mode": "constant", "cval": 1j})),
    "complex cval of real data": ("correlate1d", lambda x: ((x, [1j]), {"cval": 1j})),
    "float16": ("gaussian_filter", lambda x: ((x.astype("f2"), 1), {})),
    "longdouble": ("correlate1d", lambda x: ((x.astype("g"), [1.5]), {})),
    "float16 output": ("uniform_filter", lambda x: ((x,), {"output": "f2"})),
    "negative order": ("gaussian_filter", lambda x: ((x, 1, -1), {})),
    "negative radius": ("gaussian_filter", lambda x: ((x, 1), {"radius": -1})),
    "radius of half a sample": ("gaussian_filter1d", lambda x: ((x, 1), {"radius": 0.5})),
    "too few sigmas": ("gaussian_filter", lambda x: ((x, (1, 2, 3)), {})),
    "size of nothing": ("uniform_filter1d", lambda x: ((x, 0), {})),
    "origin of a box": ("uniform_filter", lambda x: ((x, 3), {"origin": 2})),
    "unknown option": ("gaussian_laplace", lambda x: ((x, 1), {"wide": 3})),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_are_those_of_scipy(case):
    """The same type, whatever the words."""
    name, call = BAD[case]
    args, keywords = call(np.arange(12.0).reshape(3, 4))
    types = []
    for module in (scipy.ndimage, ndimage):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - SciPy's type is what counts
            getattr(module, name)(*args, **keywords)
        types.append(caught.type)
    assert types[0] is types[1]


def test_empty_arrays_and_single_numbers():
    """Nothing in, nothing out; a kernel without axes is a factor."""
    for shape in ((0,), (0, 3), (3, 0)):
        x = np.zeros(shape)
        both("gaussian_filter", x, 1)
        both("correlate", x, np.ones((2,) * x.ndim))
        both("uniform_filter", x, 3)
    assert ndimage.correlate(np.float64(3), 2.5) == 7.5


# ---- sums that become integers ---------------------------------------------------------------


def in_order(padded, terms, shape):
    """Return the definition: each product rounded, added in order, divided, cut."""
    total = np.zeros(shape)

    def samples(tap):
        return padded[tuple(slice(u, u + n) for u, n in zip(tap, shape, strict=True))]

    weights = iter(terms.weights)
    for tap in terms.singles:
        total = total + samples(tap) * next(weights)
    for first, second in terms.pairs:
        pair = samples(first) - samples(second) if terms.difference else (
            samples(first) + samples(second))  # fmt: skip
        total = total + pair * next(weights)
    return np.trunc(total / terms.divisor)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint32", "int64", "float32", "float64", "bool"]
)
def test_order_of_sums(isa, dtype, rng):
    """In every variant: lengths around vectors and tiles, lines, planes and volumes."""
    for shape, k in itertools.product(
        [(1,), (31,), (32,), (33,), (700,), (3, 70), (70, 3), (5, 4, 33)], (1, 2, 3, 5, 8)
    ):
        x = data(rng, shape, dtype) if dtype != "bool" else rng.random(shape) < 0.5
        ones = np.ones(k) / k * (1 - 2**-30)
        w = np.convolve(ones, [1, 2, 1])[: len(ones)]
        line = [w, w - w[::-1], w + w[::-1], None]
        for axis, weights in itertools.product(range(len(shape)), line):
            terms = box_terms(k) if weights is None else line_terms(weights)
            widths = [(0, 0)] * len(shape)
            widths[axis] = (k // 2, k - 1 - k // 2)
            places = terms._replace(
                singles=[np.eye(len(shape), dtype=int)[axis] * u for u in terms.singles],
                pairs=[
                    tuple(np.eye(len(shape), dtype=int)[axis] * u for u in pair)
                    for pair in terms.pairs
                ],
            )
            expected = in_order(np.pad(x.astype(float), widths, "symmetric"), places, shape)
            y = np.empty(shape, np.int64)
            window = _weighted_sums.Window((axis,), (k,), (k // 2,), ("symmetric",), 0.0)
            _weighted_sums.cut_sums(shape, x.dtype, weights, (k,), window, y.dtype)(x, y)
            np.testing.assert_array_equal(y, expected)
        w = rng.random((k,) * len(shape)) * (rng.random((k,) * len(shape)) < 0.7)
        terms = kernel_terms(w)
        if not terms.singles:
            continue
        n = len(shape)
        pads = ((k // 2, k - 1 - k // 2),) * n
        y = np.empty(shape, np.int64)
        window = _weighted_sums.Window(range(n), w.shape, (k // 2,) * n, ("constant",) * n, 7.0)
        step = _weighted_sums.cut_sums(shape, x.dtype, w, w.shape, window, y.dtype, by_axis=False)
        step(x, y)
        expected = in_order(np.pad(x.astype(float), pads, constant_values=7), terms, shape)
        np.testing.assert_array_equal(y, expected)


def test_cuts_wrap_and_forget_what_no_integer_holds():
    """Towards zero, modulo 2^n; NaN and what lies beyond 64 bits become 0; truth is of a byte."""
    x = np.array([2.9, -2.9, 300.7, -1.0, np.nan, np.inf, 1e300, 0.99, -0.99, 256])
    for dtype, expected in {
        "int64": [2, -2, 300, -1, 0, 0, 0, 0, 0, 256],
        "uint8": [2, 254, 44, 255, 0, 0, 0, 0, 0, 0],
        "uint64": [2, 2**64 - 2, 300, 2**64 - 1, 0, 0, 0, 0, 0, 256],
        "bool": [True, True, True, True, False, False, False, False, False, False],
    }.items():
        y = ndimage.correlate1d(x, [1.0], output=np.dtype(dtype))
        np.testing.assert_array_equal(y, np.array(expected, dtype))


#: Filters of several passes, or of several terms.
SEVERAL_PASSES = {
    "gaussian_filter": (1.2,),
    "gaussian_filter of orders": (1.2, (1, 2)),
    "gaussian_gradient_magnitude": (1.2,),
    "gaussian_laplace": (1.2,),
    "laplace": (),
    "sobel": (0,),
    "prewitt": (0,),
    "uniform_filter": (3,),
}


@pytest.mark.parametrize("call", SEVERAL_PASSES)
@pytest.mark.parametrize("cval", [None, 1.5])
def test_passes_are_stored_in_every_dtype(call, cval, rng):
    """Integers and the truth of bools to the bit, of every input and every output."""
    args, filter_ = SEVERAL_PASSES[call], getattr(ndimage, call.split()[0])
    keywords = {} if cval is None else {"mode": "constant", "cval": cval}
    scipys = getattr(scipy.ndimage, filter_.__name__)
    for given, wanted in itertools.product("?bBhHiIlLfdFD", repeat=2):
        x = rng.standard_normal((9, 11)) * 40
        if given in "BHIL":
            x = abs(x)
        x = x > 0 if given == "?" else x.astype(given)
        output = np.dtype(wanted)
        if given in "FD":
            output = np.promote_types(wanted, np.complex64)
        if output == np.uint64 and call in ("sobel", "prewitt", "uniform_filter"):
            continue  # negative sums, which wrap here and lose their digits there
        with np.errstate(invalid="ignore"):  # roots of negative integers
            ours = filter_(x, *args, output=output, **keywords)
            if wanted in "FD" and given not in "FD":  # which SciPy refuses
                assert ours.dtype == output
                assert not ours.imag.any()
                output, ours = ours.real.dtype, ours.real
            expected = scipys(x, *args, output=output, **keywords)
        if output == np.bool:  # SciPy's hold bytes that are neither 0 nor 1
            assert ours.view(np.uint8).max() <= 1
            expected = expected.view(np.uint8) != 0
        assert_same(ours, expected)


@pytest.mark.parametrize("shape", [(50,), (9, 11)])
def test_large_uint64_are_kept(shape, rng):
    """Weights that are not whole: sums between 2⁶³ and 2⁶⁴ are no zeros."""
    x = rng.integers(2**62, 2**64 - 2**40, shape, np.uint64)
    assert (x > 2**63).any()
    both("gaussian_filter", x, 1.2)
    both("correlate1d", x, [0.25, 0.5, 0.25])
    means = ndimage.uniform_filter1d(x, 3)
    np.testing.assert_allclose(means, scipy.ndimage.uniform_filter1d(x, 3), rtol=2**-48)
    both("gaussian_filter", x, 0.7, mode="constant", cval=1e19)
    both("correlate1d", x.astype(float), [0.25, 0.5, 0.25], output=np.dtype(np.uint64))
    y = x.copy()
    ndimage.gaussian_filter(y, 1.2, output=y)
    np.testing.assert_array_equal(y, scipy.ndimage.gaussian_filter(x, 1.2))


@pytest.mark.parametrize("value", [1, 100, 254, 255])
def test_grey_areas_are_those_of_scipy(value):
    """255 · Σ w is 254.999… or 255 by the order of its sums."""
    x = np.full((40, 50), value, np.uint8)
    for sigma in (0.5, 0.8, 1, 1.7, 2, 3.3, 5):
        both("gaussian_filter", x, sigma)
        both("correlate", x, np.full((5, 5), 1 / 25))


# ---- floats, and what is fused ----------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("shape", [(150, 131), (30, 31, 29)])
def test_large_float32_keeps_to_its_bound(name, shape, rng):
    """Sums of n products in float32, of values around 1: a few (n + 2) ε."""
    x = (1 + rng.random(shape)).astype(np.float32)
    assert x.size >= _weighted_sums.FEW_SAMPLES
    args = CALLS[name](rng, x)
    for mode, cval in (("reflect", 0), ("constant", 3)):
        ours = getattr(ndimage, name)(x, *args, mode=mode, cval=cval)
        exact = getattr(scipy.ndimage, name)(x.astype(np.float64), *args, mode=mode, cval=cval)
        assert ours.dtype == np.float32
        scale = 3 * max(1, np.abs(np.asarray(args[0] if args else 1)).sum())
        products = 20 * len(shape)
        np.testing.assert_allclose(ours, exact, rtol=0, atol=products * 2**-23 * scale)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["float32", "uint16", "complex64"])
def test_small_differences_of_large_samples_are_as_exact_as_scipys(name, dtype, rng):
    """Of 1000 ± 1 a derivative summed in float32 would be off by 6e-5 of the samples."""
    x = (1000 + 2 * rng.random((150, 131))).astype(dtype)
    if dtype == "complex64":
        x = x * np.complex64(1 - 1j)
    output = {"uint16": {"output": np.float32}}.get(dtype, {})
    args = CALLS[name](rng, x)
    if name == "correlate1d":
        args = ([1, -2.5, 1, 0.5],)
    exact = getattr(scipy.ndimage, name)(
        x.astype(complex if dtype == "complex64" else float), *args
    )
    errors = [
        np.abs(getattr(module, name)(x, *args, **output) - exact)
        for module in (ndimage, scipy.ndimage)
    ]
    rounding = 2.0**-24 * np.abs(exact).max()
    assert errors[0].max() <= 4 * (errors[1].max() + rounding)


def test_passes_are_fused_where_that_means_the_same(monkeypatch):
    """One plan for both axes of an image; not where a fill value would be another."""
    axes = []

    def planned(shape, dtype, what, wanted):
        axes.append(what.axes)
        return plain(shape, dtype, what, wanted)

    plain = separable_passes._planned
    monkeypatch.setattr(separable_passes, "_planned", planned)
    planner.clear_cache()
    x = np.ones((200, 200), np.float32)
    ndimage.gaussian_filter(x, 2)
    assert axes == [(0, 1)]
    ndimage.gaussian_filter(x, 2)
    ndimage.gaussian_filter(x.astype(np.uint8), 2)
    assert axes == [(0, 1)]
    ndimage.gaussian_filter(x, 2, order=(1, 0), mode="constant", cval=3)
    assert axes == [(0, 1), (0,), (1,)]


@pytest.mark.parametrize("name", ["gaussian_filter", "uniform_filter", "correlate"])
def test_variances_of_large_float32_in_double(name, rng):
    """A small difference of two means, as of a structural similarity, where double is asked for."""
    x = (0.5 + 0.01 * rng.random((200, 210))).astype(np.float32)
    argument = {"gaussian_filter": 1.5, "uniform_filter": 7, "correlate": np.full((7, 7), 1 / 49)}
    for source in (x, x.astype(np.float64)):
        variances = [
            run(source * source, argument[name], output=np.float64)
            - run(source, argument[name], output=np.float64) ** 2
            for run in (getattr(ndimage, name), getattr(scipy.ndimage, name))
        ]
        np.testing.assert_allclose(*variances, rtol=0, atol=1e-14)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("shape", "sigma", "truncate"), [((160, 150), 8, 4), ((240, 230), 20, 4), ((72, 70, 75), 8, 4)]
)
def test_a_spike_changes_the_windows_that_hold_it(shape, sigma, truncate, mode):
    """No approximation of a wide Gaussian, whose error a large sample far away would decide."""
    for dtype, output in (("float32", None), ("uint16", "float32"), ("complex64", None)):
        if dtype != "float32" and (len(shape) == 3 or mode in ("mirror", "nearest")):
            continue
        x = np.ones(shape, dtype)
        middle = tuple(n // 2 for n in shape)
        x[middle] = 60000
        options = {"mode": mode, "truncate": truncate}
        y = ndimage.gaussian_filter(x, sigma, output=output, **options)
        wide = complex if dtype == "complex64" else float
        exact = scipy.ndimage.gaussian_filter(x.astype(wide), sigma, **options)
        reach = sigma * truncate
        far = np.ones(shape, bool)
        far[tuple(slice(n - reach, n + reach + 1) for n in middle)] = False
        assert far.any()
        assert np.abs(y - exact)[far].max() <= 100 * 2.0**-23
        assert np.abs(y - exact).max() <= 100 * 2.0**-23 * exact.real.max()


def test_nan_stays_where_it_is_read(rng):
    """Also in means, in large kernels, and under weights of zero."""
    x = rng.random((200, 200))
    x[100, 50] = np.nan
    x[20, 30] = np.inf
    for name, args in {
        "uniform_filter": (5,),
        "gaussian_filter": (1.0,),
        "laplace": (),
        "correlate": ([[0, 1, 0], [2, 0, -1], [0, 0.5, 0]],),
    }.items():
        for dtype in ("float32", "float64"):
            y = getattr(ndimage, name)(x.astype(dtype), *args)
            reach = 2 if name == "uniform_filter" else 4 if name == "gaussian_filter" else 1
            near = np.zeros(x.shape, bool)
            for i, j in ((100, 50), (20, 30)):
                near[i - reach : i + reach + 1, j - reach : j + reach + 1] = True
            assert np.isfinite(y[~near]).all()
            if name != "uniform_filter":  # whose running sum is spoilt to the end of the line
                both(name, x.astype(dtype), *args)
    cross = [[0, 1, 0], [2, 0, -1], [0, 0.5, 0]]
    expected = ndimage.correlate(x, cross)
    np.testing.assert_array_equal(ndimage.correlate(x, cross, output=x), expected)
    big = np.ones((150, 150), np.float32)
    big[75, 75] = np.nan
    assert np.isnan(ndimage.gaussian_filter(big, 9, radius=20)).sum() == 41 * 41


def test_weights_that_scipy_takes_for_zero_or_symmetric_are_used():
    """Those below 2.2e-16, and those that differ from their mirror image by less."""
    x = np.array([1.0, 1e17, 5e17, 1.0])
    for name, weights, exact in (
        ("correlate1d", [1e-17, 1, 3e-17], [4, 1e17, 5e17, 6]),
        ("correlate", [0, 0, 3e-17], [3, 15, 3e-17, 0]),
    ):
        ours, scipys = (
            getattr(module, name)(x, weights, mode="constant")
            for module in (ndimage, scipy.ndimage)
        )
        np.testing.assert_allclose(ours, exact, rtol=1e-15)
        assert np.abs(scipys - exact).max() > 1  # where this ends, docs/dropins.rst does too


def test_integers_are_exact_beyond_double(rng):
    """SciPy loses bits above 2^53 (its issue 10390)."""
    x = np.array([2**62 + 1, 5, -(2**61) - 1])
    np.testing.assert_array_equal(ndimage.correlate1d(x, [0, 1, 0]), x)
    assert scipy.ndimage.correlate1d(x, [0, 1, 0])[0] != x[0]


def test_import_stays_light():
    """`import pyconv` does not import the drop-ins; both ways to import them work."""
    code = (
        "import sys, pyconv; assert not any(n.startswith(('pyconv.ndimage', 'pyconv.signal', "
        "'scipy.ndimage', 'scipy.signal')) for n in sys.modules); "
        "from pyconv import ndimage; import pyconv.signal; print(ndimage.__name__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "pyconv.ndimage"


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64"])
@pytest.mark.parametrize("cval", [3.5, -2.25, 0.5, 2.0])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_laplacian_of_integers_cuts_a_fill_value_with_each_axis(rng, n, cval, dtype):
    x = rng.integers(0, 5, (4,) * n).astype(dtype)
    for mode in ("constant", ["constant"] + ["nearest"] * (n - 1)):
        expected = scipy.ndimage.laplace(x, np.int64, mode, cval)
        np.testing.assert_array_equal(ndimage.laplace(x, np.int64, mode, cval), expected)


@pytest.mark.parametrize("dtype", ["float16", "longdouble", "object"])
def test_means_of_single_samples_are_copies_of_any_dtype(dtype):
    x = np.arange(5).astype(dtype)
    y = ndimage.uniform_filter(x, 1)
    assert y.dtype == scipy.ndimage.uniform_filter(x, 1).dtype == x.dtype
    np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("name", ["sobel", "prewitt"])
@pytest.mark.parametrize("cval", [0.5, -3.7, 300])
def test_derivatives_beside_an_outside_that_no_sample_holds(name, cval, rng):
    """What is read outside one axis alone is cut with the difference, before it is smoothed."""
    for dtype, mode in itertools.product(
        ("uint8", "int8", "int32"), (("constant", "reflect"), ("reflect", "constant"))
    ):
        x = data(rng, (9, 14), dtype)
        for axis in (0, 1):
            np.testing.assert_array_equal(
                getattr(ndimage, name)(x, axis, mode=mode, cval=cval),
                getattr(scipy.ndimage, name)(x, axis, mode=mode, cval=cval),
            )


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="those of others")
@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "uint32", "uint64"])
def test_scipys_casts_are_stated_as_they_are(dtype, rng, monkeypatch):
    """What stands in for SciPy's loops on other machines gives what these give here."""
    x = rng.standard_normal((20, 30)) * 1000
    w = [[1.0, -2.5], [0.5, 1.0]]
    calls = {"correlate": (w,), "correlate1d": (w[0], 0), "uniform_filter1d": (3, 0)}
    given = {"output": np.dtype(dtype)}
    expected = {n: getattr(scipy.ndimage, n)(x, *a, **given) for n, a in calls.items()}
    filters = scipy.ndimage._filters
    monkeypatch.setattr(filters, "_nd_image", scipy_casts.Loops(filters._nd_image))
    for name, args in calls.items():
        y = getattr(scipy.ndimage, name)(x, *args, **given)
        np.testing.assert_array_equal(y.view(np.uint8), expected[name].view(np.uint8))


@pytest.mark.parametrize("name", ["correlate", "convolve", "correlate1d", "convolve1d"])
@pytest.mark.parametrize("dtype", ["f8", "M8[s]"])
def test_no_weights(name, dtype):
    """None is an array without dimensions, whatever the samples are."""
    with pytest.raises(RuntimeError, match=r"^(weights.ndim \(0\) must match|no filter weights)"):
        getattr(ndimage, name)(np.zeros((3, 3), dtype), None)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "uint32"])
def test_means_of_whole_numbers_are_cut_where_they_are(isa, dtype):
    """Sums that are multiples of the window, and their neighbours, up to the ends of the dtype."""
    del isa
    limits = np.iinfo(dtype)
    ends = [limits.min, limits.min + 1, limits.max - 1, limits.max]
    for n in (2, 3, 5, 7, 10, 49, 113):
        for value in (0, 1, -1, n, 3 * n - 1, -3 * n, *ends):
            if not limits.min <= value <= limits.max:
                continue
            x = np.full(4 * n, value, dtype)
            x[2 * n] = value + (1 if value < limits.max else -1)
            padded = np.pad(x, n, "symmetric").tolist()
            sums = [sum(padded[i : i + n]) for i in range(n - n // 2, 5 * n - n // 2)]
            expected = [abs(s) // n * (1 if s > 0 else -1) for s in sums]
            y = ndimage.uniform_filter(np.stack([x] * 3), (1, n))
            np.testing.assert_array_equal(y, np.array([expected] * 3, dtype))
