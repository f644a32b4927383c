"""Laws of correlation that need no oracle, and agreement with SciPy within the proven bound."""

import itertools

import numpy as np
import oracles
import pytest
import scipy.ndimage
import scipy.signal
from arrays import noise, small

from pyconv._engine.boundaries import BOUNDARIES

SHAPES = {1: ((61,), (6,)), 2: ((17, 33), (4, 5)), 3: ((7, 9, 21), (3, 2, 4))}
EXTENTS = ("valid", "same", "full")
EXACT = ("float64", "int64", "complex128", "float32")


@pytest.fixture(params=SHAPES)
def shapes(request):
    """Return a shape of x and of w in one, two and three dimensions."""
    return SHAPES[request.param]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("mode", EXTENTS)
def test_linear_in_x_and_in_w(engine, rng, shapes, mode, boundary):
    """A(2u − 3v) = 2Au − 3Av for both arguments."""
    for dtype in EXACT:
        (u, v), (w, z) = ([small(rng, shape, dtype) for _ in range(2)] for shape in shapes)
        assert_law(engine, 2 * u - 3 * v, w, mode, boundary, [(2, u, w), (-3, v, w)])
        assert_law(engine, u, 2 * w - 3 * z, mode, boundary, [(2, u, w), (-3, u, z)])


def assert_law(engine, x, w, mode, boundary, terms):
    """Assert that the result is a sum of coefficients times results."""
    total = engine(x, w, mode, boundary)
    if total is not None:
        parts = [c * engine(u, v, mode, boundary) for c, u, v in terms]
        np.testing.assert_array_equal(total, sum(parts[1:], parts[0]))


@pytest.mark.parametrize("dtype", EXACT)
def test_shift_equivariance(engine, rng, shapes, dtype):
    """Shifting the input shifts the output: everywhere under wrap, inside elsewhere."""
    x, w = small(rng, shapes[0], dtype), small(rng, shapes[1], dtype)
    axes = tuple(range(x.ndim))
    for shift in itertools.product((-2, 0, 3), repeat=x.ndim):
        moved = engine(np.roll(x, shift, axes), w, "same", "wrap")
        np.testing.assert_array_equal(moved, np.roll(engine(x, w, "same", "wrap"), shift, axes))
    crop = (slice(2, None),) * x.ndim
    np.testing.assert_array_equal(engine(x[crop], w), engine(x, w)[crop])


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("mode", EXTENTS)
def test_stride_is_a_slice(engine, rng, shapes, mode, boundary):
    """A result with a stride is the slice of the result without: the same numbers."""
    x, w = small(rng, shapes[0], "float32"), small(rng, shapes[1], "float32")
    for dilation in (1, 2):
        dense = engine(x, w, mode, boundary, dilation=dilation)
        for steps in itertools.product(range(4), repeat=x.ndim):
            if x.ndim == 3 and sum(steps) % 4 != dilation:
                continue  # each pair of steps of two axes, with every dilation, is among the others
            stride = tuple((1, 2, 3, 50)[step] for step in steps)
            y = engine(x, w, mode, boundary, dilation=dilation, stride=stride)
            if y is not None:
                np.testing.assert_array_equal(y, dense[tuple(slice(None, None, s) for s in stride)])


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_dilation_is_a_kernel_with_zeros(engine, rng, shapes, boundary):
    """A dilated kernel is the kernel with zeros between its weights."""
    x, w = small(rng, shapes[0], "float64"), small(rng, shapes[1], "float64")
    for dilation in itertools.product((1, 2, 3), repeat=x.ndim):
        if x.ndim == 3 and sum(dilation) % 3 != 0:
            continue  # each pair of dilations of two axes is among the others
        spread = np.zeros([(k - 1) * d + 1 for k, d in zip(w.shape, dilation, strict=True)])
        spread[tuple(slice(None, None, d) for d in dilation)] = w
        for mode in ("same", "full"):
            y = engine(x, w, mode, boundary, dilation=dilation)
            np.testing.assert_array_equal(y, engine(x, spread, mode, boundary))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_extents_are_crops_of_one_another(engine, rng, shapes, boundary):
    """Valid and same are crops of full, and explicit pads say where."""
    for dtype in EXACT:
        x, w = small(rng, shapes[0], dtype), small(rng, shapes[1], dtype)
        full = engine(x, w, "full", boundary)
        inside = tuple(slice(k - 1, n) for k, n in zip(w.shape, x.shape, strict=True))
        np.testing.assert_array_equal(engine(x, w), full[inside])
        same = tuple(
            slice(k - 1 - k // 2, k - 1 - k // 2 + n)
            for k, n in zip(w.shape, x.shape, strict=True)
        )  # fmt: skip
        np.testing.assert_array_equal(engine(x, w, "same", boundary), full[same])
        pads = [(k - 1, k - 1) for k in w.shape]
        np.testing.assert_array_equal(engine(x, w, pads, boundary), full)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_convolution_is_correlation_with_the_flipped_conjugate(engine, rng, shapes, boundary):
    """convolve(x, w) = correlate(x, conj(flip(w)))."""
    for dtype, mode in itertools.product(EXACT, EXTENTS):
        x, w = small(rng, shapes[0], dtype), small(rng, shapes[1], dtype)
        np.testing.assert_array_equal(
            engine(x, w, mode, boundary, flip=True), engine(x, np.flip(w).conj(), mode, boundary)
        )


@pytest.mark.parametrize("dtype", EXACT)
def test_full_convolution_commutes_and_associates(engine, rng, shapes, dtype):
    """X * w = w * x and (x * w) * v = x * (w * v)."""
    x, w = small(rng, shapes[0], dtype), small(rng, shapes[1], dtype)
    v = small(rng, (2,) * x.ndim, dtype)

    def full(a, b):
        return engine(a, b, "full", flip=True)

    np.testing.assert_array_equal(full(x, w), full(w, x))
    np.testing.assert_array_equal(full(full(x, w), v), full(x, full(w, v)))


def test_unit_kernel_is_the_identity(engine, rng, shapes):
    """Correlating with a unit sample returns x, under every boundary."""
    x = noise(rng, shapes[0], "float32")
    unit = np.zeros((3,) * x.ndim, "float32")
    unit[(1,) * x.ndim] = 1
    for boundary in BOUNDARIES:
        np.testing.assert_array_equal(engine(x, unit, "same", boundary), x)


def test_adjoint(engine, rng, shapes):
    """⟨correlate(x, w), y⟩ = ⟨x, full convolution of y with w⟩, in whole numbers."""
    x, w = small(rng, shapes[0], "complex128"), small(rng, shapes[1], "complex128")
    forward = engine(x, w)
    y = small(rng, forward.shape, "complex128")
    assert np.vdot(y, forward) == np.vdot(engine(y, w, "full", flip=True), x)


def test_batch_axes_are_independent(engine, rng):
    """A call on a stack is the stack of the calls."""
    x, w = small(rng, (3, 9, 20, 4), "float32"), small(rng, (3, 4), "float32")
    y = engine(x, w, "same", "mirror", axes=(1, 2))
    for i, j in np.ndindex(3, 4):
        np.testing.assert_array_equal(y[i, :, :, j], engine(x[i, :, :, j], w, "same", "mirror"))


# ---- rounding ---------------------------------------------------------------------------------

SCIPY_BOUNDARIES = {
    "constant": "constant",
    "nearest": "nearest",
    "symmetric": "reflect",
    "mirror": "mirror",
    "wrap": "wrap",
}
ROUNDED = ["float32", "float64", "complex64", "complex128"]


def assert_within_bound(y, expected, scale, taps):
    """Assert |y − expected| ≤ (n + 2)·ε·Σ|x||w| for each output.

    A complex product is four real ones: two of them in each part.
    """
    terms = taps * (2 if y.dtype.kind == "c" else 1)
    bound = (terms + 2) * np.finfo(y.dtype).eps * scale * (2 if y.dtype.kind == "c" else 1)
    assert np.all(np.abs(y - expected) <= bound)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_error_is_within_the_bound(engine, rng, shapes, boundary):
    """Of sums in twice the precision where the oracle has it, of another order elsewhere."""
    for dtype, mode in itertools.product(ROUNDED, EXTENTS):
        x, w = noise(rng, shapes[0], dtype), noise(rng, shapes[1], dtype)
        expected, scale = oracles.correlate(x, w, mode, boundary)
        assert_within_bound(engine(x, w, mode, boundary), expected, scale, w.size)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_agrees_with_scipy_ndimage(engine, rng, shapes, boundary):
    """scipy.ndimage.correlate computes the same with mode="same" (real kernels)."""
    for dtype in ROUNDED:
        x, w = noise(rng, shapes[0], dtype), noise(rng, shapes[1], np.dtype(dtype).char.lower())
        wide = np.complex128 if x.dtype.kind == "c" else np.float64
        expected = scipy.ndimage.correlate(
            x.astype(wide), w.astype(np.float64), mode=SCIPY_BOUNDARIES[boundary], cval=0.0
        )
        _, scale = oracles.correlate(x, w, "same", boundary)
        assert_within_bound(engine(x, w, "same", boundary), expected, 2 * scale, w.size)


@pytest.mark.parametrize("dtype", ROUNDED)
@pytest.mark.parametrize("mode", ["valid", "full"])
def test_agrees_with_scipy_signal(engine, rng, shapes, mode, dtype):
    """scipy.signal computes the same, conjugation included."""
    x, w = noise(rng, shapes[0], dtype), noise(rng, shapes[1], dtype)
    _, scale = oracles.correlate(x, w, mode)
    expected = scipy.signal.correlate(x, w, mode, method="direct")
    assert_within_bound(engine(x, w, mode), expected, 2 * scale, w.size)
    _, scale = oracles.correlate(x, w, mode, flip=True)
    expected = scipy.signal.convolve(x, w, mode, method="direct")
    assert_within_bound(engine(x, w, mode, flip=True), expected, 2 * scale, w.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_sums_stay_within_the_bound(engine, rng, dtype):
    """Kernels of thousands of weights of one sign, where rounding adds up."""
    x, w = rng.random((80, 90)).astype(dtype), rng.random((60, 61)).astype(dtype)
    expected, scale = oracles.correlate(x, w)
    assert_within_bound(engine(x, w), expected, scale, w.size)


# ---- NaN and infinity -------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", ["float16", *ROUNDED])
def test_not_finite_samples_are_local(engine, rng, dtype, boundary):
    """NaN and Inf reach exactly the outputs whose window holds them; the others keep their bits."""
    for x_shape, w_shape in [((70,), (5,)), ((12, 40), (3, 4)), ((5, 7, 30), (2, 3, 3))]:
        clean, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
        for keywords, mode in itertools.product([{}, {"stride": 2, "dilation": 2}], EXTENTS):
            before = engine(clean, w, mode, boundary, **keywords)
            if before is None:
                continue
            spot = tuple(rng.integers(0, n) for n in x_shape)
            x, seen = clean.copy(), np.zeros(x_shape)
            seen[spot] = 1
            touched = oracles.correlate(seen, np.ones(w_shape), mode, boundary, **keywords)[0] > 0
            for value in (np.nan, np.inf, -np.inf):
                x[spot] = value
                y = engine(x, w, mode, boundary, **keywords)
                np.testing.assert_array_equal(~np.isfinite(y), touched)
                np.testing.assert_array_equal(y[~touched], before[~touched])
                if np.isnan(value):
                    np.testing.assert_array_equal(np.isnan(y), touched)


def test_a_zero_weight_does_not_hide_a_nan(engine):
    """0 · NaN is NaN and 0 · Inf is NaN: IEEE, not a sparse kernel."""
    for value in (np.nan, np.inf):
        y = engine(np.array([value, 1.0, 1.0]), np.array([0.0, 1.0]))
        np.testing.assert_array_equal(y, [np.nan, 1.0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_weights_reach_every_output(engine, rng, value):
    """A NaN among the weights is in every window."""
    x, w = noise(rng, (20, 30), "float32"), noise(rng, (3, 3), "float32")
    w[1, 2] = value
    assert not np.isfinite(engine(x, w)).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_fill_is_local(engine, rng, value):
    """A fill value of NaN reaches exactly the outputs that read outside."""
    x, w = noise(rng, (12, 40), "float32"), noise(rng, (3, 5), "float32")
    y = engine(x, w, "full", fill_value=value)
    inside = np.zeros(y.shape, bool)
    inside[2:12, 4:40] = True
    np.testing.assert_array_equal(np.isfinite(y), inside)


def test_signed_zeros_and_infinities_follow_ieee(engine):
    """Inf − Inf is NaN; sums that overflow are infinite."""
    y = engine(np.array([np.inf, np.inf, 1.0]), np.array([1.0, -1.0]))
    np.testing.assert_array_equal(y, [np.nan, np.inf])
    big = np.full(3, np.finfo(np.float32).max)
    np.testing.assert_array_equal(engine(big, np.ones(2, np.float32)), [np.inf, np.inf])


def test_subnormals_are_kept(engine):
    """The smallest numbers are numbers."""
    for dtype in ("float32", "float64"):
        tiny = np.finfo(dtype).smallest_subnormal
        x = np.full(50, 3 * tiny, dtype)
        np.testing.assert_array_equal(engine(x, np.ones(2, dtype)), np.full(49, 6 * tiny))


def test_nan_policy_raise(engine):
    """NaN in x or w is refused, infinity is not."""
    x, nan = np.ones(5), np.array([1.0, np.nan])
    engine(np.full(5, np.inf), np.ones(2), nan_policy="raise")
    for a, b, argument in [(np.full(5, np.nan), x[:2], "x"), (x, nan, "w")]:
        with pytest.raises(ValueError, match=f"{argument} holds NaN"):
            engine(a, b, nan_policy="raise")
