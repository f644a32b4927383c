"""DTYPES: result types, exact integers under each overflow policy, rounding to integers."""

import itertools
import warnings

import numpy as np
import oracles
import pytest
from arrays import assert_exact, bits, small

import pyconv
from pyconv._engine.dtypes import DTYPES, OVERFLOWS, narrow

INTEGERS = [dtype for dtype in DTYPES if dtype.kind in "biu"]
FLOATS = [dtype for dtype in DTYPES if dtype.kind in "fc"]


def limits(dtype):
    """Return the least and the greatest value of an integer or boolean dtype."""
    if dtype.kind == "b":
        return 0, 1
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def natural(x, w):
    """Return the dtype of a result, as NumPy's sum and result_type have it."""
    if x.kind in "biu" and w.kind in "biu":
        summed = np.sum(np.zeros(1, x) * np.zeros(1, w)).dtype
        return summed if summed.kind in "iu" else np.dtype(np.int64)  # uint64 beside signed ones
    return np.result_type(x, w)


@pytest.mark.parametrize("x_dtype", DTYPES, ids=str)
def test_result_of_every_pair(engine, rng, x_dtype):
    """Every dtype with every other: the dtype of the result, and its exact values."""
    for w_dtype, flip in itertools.product(DTYPES, (False, True)):
        x, w = small(rng, (9, 40), x_dtype), small(rng, (3, 4), w_dtype)
        expected, _ = oracles.correlate(x, w, "same", "mirror", flip=flip)
        y = engine(x, w, "same", "mirror", flip=flip)
        if y is not None:
            assert_exact(y, expected, natural(x_dtype, w_dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_has_its_row(dtype):
    """A row says in what the sums are kept and how exactly."""
    row = DTYPES[dtype]
    if dtype.kind in "biu":
        assert row.compute is None
        assert row.epsilon == 0
    else:
        assert row.epsilon == np.finfo(dtype).eps
        assert row.compute == np.result_type(dtype, np.float32)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("x_dtype", ["uint8", "int16", "float32", "float64", "bool"])
def test_dtype_chooses_a_float_result(engine, rng, x_dtype, dtype):
    """A narrower or wider floating-point result than the natural one."""
    x, w = small(rng, (9, 40), x_dtype), small(rng, (3, 4), "int8")
    y = engine(x, w, dtype=dtype)
    assert_exact(y, oracles.correlate(x, w)[0], dtype)


# ---- integers ---------------------------------------------------------------------------------


def extremes(rng, dtype, shape):
    """Return the limits of a dtype, values next to them, zeros and ones."""
    low, high = limits(dtype)
    values = [v for v in (low, low + 1, -1, 0, 1, high // 2, high - 1, high) if low <= v <= high]
    return rng.choice(np.array(values, dtype=dtype), shape)


def narrowed(total, dtype, overflow):
    """Return Python integers under an overflow policy."""
    low, high = limits(dtype)
    if overflow == "saturate":
        return np.clip(total, low, high)
    if dtype.kind == "b":
        return total % 2
    return (total - low) % (high - low + 1) + low


@pytest.mark.parametrize("w_dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("x_dtype", INTEGERS, ids=str)
def test_extremes_of_every_pair_of_integers(engine, rng, x_dtype, w_dtype):
    """Limits of x times limits of w, against Python's integers, in every result dtype."""
    x, w = extremes(rng, x_dtype, (5, 30)), extremes(rng, w_dtype, (2, 3))
    total, _ = oracles.correlate(x, w, "same", "nearest")
    for dtype, overflow in itertools.product((None, *INTEGERS), ("wrap", "saturate")):
        y = engine(x, w, "same", "nearest", dtype=dtype, overflow=overflow)
        if y is None:
            continue
        result = natural(x_dtype, w_dtype) if dtype is None else dtype
        assert y.dtype == result
        np.testing.assert_array_equal(
            y.astype(object) * 1, narrowed(total, result, overflow) * 1, err_msg=str(result)
        )


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("x_dtype", INTEGERS, ids=str)
def test_overflow_raises_or_the_result_is_exact(engine, rng, x_dtype, dtype):
    """Under "raise" an answer is the exact one; what cannot be held is refused before any work."""
    low, high = limits(dtype)
    data = [(1, small), (9, small), (1, lambda r, s, d: extremes(r, np.dtype(d), s))]
    for w_dtype, (scale, make) in itertools.product(("int8", "uint64", "int64", "bool"), data):
        x, w = make(rng, (4, 30), x_dtype), make(rng, (2, 3), w_dtype)
        x = x * x.dtype.type(scale) if x.dtype.kind != "b" else x
        total, _ = oracles.correlate(x, w)
        out, y, refusal = np.full(total.shape, 1, dtype), None, None
        try:
            y = engine(x, w, dtype=dtype, out=out)
        except OverflowError as error:
            refusal = str(error)
        if refusal is not None:
            assert str(np.dtype(dtype)) in refusal
            assert np.all(out == 1)
        elif y is not None:
            np.testing.assert_array_equal(y.astype(object) * 1, total)
            assert low <= total.min()
            assert total.max() <= high


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_overflow_is_not_raised_without_reason(engine, dtype):
    """A bound that fits the result exactly is allowed; one more is refused."""
    _, high = limits(dtype)
    x = np.full(5, 1, np.int64)
    y = engine(x * high, np.array([1], np.int64), dtype=dtype) if high < 2**63 else None
    if y is not None:
        assert y.tolist() == [high] * 5
    if high < 2**63 - 1:
        with pytest.raises(OverflowError, match=f"{np.dtype(dtype)}.*'wrap' or 'saturate'"):
            engine(x * (high + 1), np.array([1], np.int64), dtype=dtype)


def test_full_range_of_uint64(engine):
    """Unsigned sums up to 2⁶⁴ − 1 are exact; 2⁶⁴ overflows."""
    top = np.uint64(2**64 - 1)
    x = np.array([top, 0, top], np.uint64)
    for w, expected in [([1], [2**64 - 1, 0, 2**64 - 1]), ([1, 0], [2**64 - 1, 0])]:
        y = engine(x, np.array(w, np.uint8))
        if y is not None:
            assert y.tolist() == expected
    with pytest.raises(OverflowError, match="uint64"):
        engine(x, np.array([1, 1], np.uint8))
    y = engine(x, np.array([2], np.uint64), overflow="wrap")
    assert y is None or y.tolist() == [2**64 - 2, 0, 2**64 - 2]
    y = engine(x, np.array([2], np.uint64), overflow="saturate")
    assert y is None or y.tolist() == [2**64 - 1, 0, 2**64 - 1]


def test_sums_that_pass_out_of_range_and_return(engine):
    """Only the result has to fit: partial sums may leave the range and come back."""
    x = np.full(4, 2**62, np.int64)
    y = engine(x, np.array([1, 1, 1, -1, -1, -1][:4], np.int64), overflow="wrap")
    assert y is None or y.tolist() == [2**63 - 2**64]
    y = engine(x, np.array([1, 1, -1, -1], np.int64), overflow="saturate")
    assert y is None or y.tolist() == [0]


def test_magnitudes_around_each_accumulator(engine):
    """Sums just below and above what float32, float64 and int64 hold exactly."""
    for power, step in itertools.product((24, 53, 61), (-1, 0, 1)):
        value = 2**power + step
        x = np.array([value, 1, -value, 1, value], np.int64)
        y = engine(x, np.array([1, 1], np.int8))
        assert y is None or y.tolist() == [value + 1, 1 - value, 1 - value, value + 1]


@pytest.mark.parametrize("x_dtype", ["bool", "uint8", "int8"])
def test_sums_of_16_bits(isa, rng, x_dtype):
    """Samples of 8 bits under few weights: up to the last sum that fits, every result dtype."""
    reach = {"bool": 1, "uint8": 255, "int8": 128}[x_dtype]
    for n, shape in itertools.product((1, 15, 16, 17, 31, 33, 63, 65, 129, 700), ((3,), (3, 3))):
        x = rng.integers(0, 256, (5, n), np.uint8)
        x = x > 99 if x_dtype == "bool" else x.view(x_dtype)
        w = rng.integers(-3, 4, shape)
        w.flat[0] = (2**15 - 1) // reach - np.abs(w.ravel()[1:]).sum()
        x[:2, : n // 2] = True if x_dtype == "bool" else np.iinfo(x_dtype).min
        for step in (0, 1):  # the next weight is one too many
            w.flat[0] += step
            assert pyconv.explain(x, w, "same").sums == (np.float32 if step else np.int16)
            exact, _ = oracles.correlate(x, w, "same")
            np.testing.assert_array_equal(pyconv.correlate(x, w, "same"), exact)
            for dtype in ("uint8", "int16", "uint16", "int32", "uint64"):
                y = pyconv.correlate(x, w, "same", dtype=dtype, overflow="wrap")
                np.testing.assert_array_equal(y, exact.astype(np.int64).astype(dtype), strict=True)
                y = pyconv.correlate(x, w, "same", dtype=dtype, overflow="saturate")
                low, high = np.iinfo(dtype).min, min(np.iinfo(dtype).max, 2**62)
                np.testing.assert_array_equal(y, exact.clip(low, high).astype(dtype), strict=True)
            y = pyconv.correlate(x, w, "same", dtype=np.float32)
            np.testing.assert_array_equal(y, exact.astype(np.float32), strict=True)


@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_booleans(engine, overflow):
    """A sum of booleans counts; as a boolean it is raised, odd or any."""
    x, w = np.array([1, 1, 0, 0, 1], bool), np.array([1, 1], bool)
    assert engine(x, w).tolist() == [2, 1, 0, 1]
    assert engine(x, w).dtype == np.int64
    if overflow == "raise":
        with pytest.raises(OverflowError, match="bool"):
            engine(x, w, dtype=bool)
    else:
        expected = [v == 1 if overflow == "wrap" else v > 0 for v in [2, 1, 0, 1]]
        assert engine(x, w, dtype=bool, overflow=overflow).tolist() == expected
    assert engine(x, w[:1], dtype=bool).tolist() == x.tolist()


# ---- floats to integers -----------------------------------------------------------------------


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("x_dtype", ["float32", "float64", "float16"])
def test_floats_round_half_to_even(engine, x_dtype, dtype, overflow):
    """−2.5, −1.5 … 2.5 go to the even neighbour, and the rest to the nearest."""
    low, high = limits(dtype)
    quarters = np.arange(-12, 13) / 4
    x = quarters[(quarters >= low) & (quarters <= high)].astype(x_dtype)
    y = engine(x, np.ones(1, x_dtype), dtype=dtype, overflow=overflow)
    assert_exact(y, np.array([round(v) for v in x.tolist()]), dtype)


@pytest.mark.parametrize("dtype", [d for d in INTEGERS if d.kind != "b"], ids=str)
@pytest.mark.parametrize("x_dtype", ["float32", "float64"])
def test_floats_beyond_an_integer(engine, x_dtype, dtype):
    """Clipped, wrapped or refused at the limits of every integer dtype."""
    low, high = limits(dtype)
    values = [float(high) * 2, float(high) + 9, 200.0, 0.0, -9.0, -300.0, float(low) * 2 - 9]
    x, w = np.array(values, x_dtype), np.ones(1, x_dtype)
    whole = np.array([int(v) for v in x.tolist()], object)
    y = engine(x, w, dtype=dtype, overflow="saturate")
    assert y.tolist() == narrowed(whole, dtype, "saturate").tolist()
    y = engine(x, w, dtype=dtype, overflow="wrap")
    assert y.tolist() == narrowed(whole, dtype, "wrap").tolist()
    with pytest.raises(OverflowError, match=f"{dtype}"):
        engine(x, w, dtype=dtype)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_to_integer(engine, value):
    """No integer is NaN: refused; saturated, NaN is zero and infinities are the limits."""
    x = np.array([1.0, value])
    with pytest.raises(OverflowError):
        engine(x, np.ones(1), dtype="int16")
    expected = {np.inf: 32767, -np.inf: -32768}.get(value, 0)
    assert engine(x, np.ones(1), dtype="int16", overflow="saturate").tolist() == [1, expected]


# ---- float16 and complex ----------------------------------------------------------------------


def test_half_precision_is_summed_in_single(engine):
    """2048 + 1 + 1 … would stay 2048 in float16."""
    x = np.array([2048, *[1] * 8], np.float16)
    y = engine(x, np.ones(9, np.float16))
    assert y.dtype == np.float16
    assert y.tolist() == [2056]


def test_half_precision_overflows_to_infinity(engine):
    """Sums beyond 65504 are infinite, without a warning."""
    x = np.full(3, 60000, np.float16)
    np.testing.assert_array_equal(engine(x, np.ones(2, np.float16)), [np.inf, np.inf])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("shape", [(9,), (4, 9)])
def test_complex_infinities_give_no_warning(dtype, shape):
    """∞ − ∞ between real and imaginary parts is NaN, as it is within one."""
    x, w = np.ones(shape, dtype), np.full((*shape[:-1], 3), 1 + 1j, dtype)
    x[..., 4] = complex(np.inf, np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = pyconv.correlate(x, w, method="direct")
    assert np.isnan(y[..., 2:5].imag).all()
    assert np.isfinite(y[..., :2]).all()


def test_complex_results_of_single_precision_overflow_in_silence():
    """Sums in double precision become infinite where they are written."""
    x, w = np.full((3, 4), 1e38 + 1e38j), np.full((2, 2), 1 + 0j)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = pyconv.correlate(x, w, dtype="complex64", method="direct")
    assert np.isinf(y.real).all()


def test_correlation_conjugates_the_kernel_and_convolution_does_not(engine):
    """⟨x, w⟩ = Σ x·conj(w)."""
    x, w = np.array([1 + 2j, 3 - 1j]), np.array([2 - 1j, 1j])
    correlated, convolved = engine(x, w), engine(x, w, flip=True)
    assert correlated.tolist() == [np.vdot(w, x)]
    assert convolved.tolist() == [x[1] * w[0] + x[0] * w[1]]


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_fill_value(engine, rng, dtype):
    """Both parts of a complex fill value are read."""
    x, w = small(rng, (5, 8), dtype), small(rng, (3, 4), "float32")
    y = engine(x, w, "full", fill_value=2 - 3j)
    assert_exact(y, oracles.correlate(x, w, "full", fill_value=2 - 3j)[0], np.dtype(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtype_may_be_spelt_in_any_way(dtype):
    """A dtype, its name and its swapped form give the same native result."""
    x, w = np.arange(5).astype("uint8"), np.array([1], "uint8")
    keywords = {"overflow": "saturate"}
    expected = bits(pyconv.correlate(x, w, dtype=dtype, **keywords))
    for spelling in (dtype.name, dtype.type, dtype.newbyteorder()):
        y = pyconv.correlate(x, w, dtype=spelling, **keywords)
        assert bits(y) == expected
        assert y.dtype.isnative


@pytest.mark.parametrize("fill", [0, 3, 4])
def test_sums_wider_than_64_bits_with_a_fill(fill):
    """Where Python integers are summed, the fill value is one of them."""
    top = 2**63 - 1
    y = pyconv.correlate(
        np.array([top] * 3), [1, 1, 1], "same", fill_value=fill, overflow="saturate"
    )
    np.testing.assert_array_equal(y, [top] * 3)
    y = pyconv.correlate(np.array([0]), [2**62] * 2, [(3, 0)], fill_value=fill, overflow="saturate")
    np.testing.assert_array_equal(y, [min(top, fill * 2**63)] * 2 + [min(top, fill * 2**62)])


def test_fill_that_is_not_finite_to_integer():
    """A fill value is data: refused where the result cannot hold it, silently cast nowhere."""
    for fill in (np.nan, np.inf, -np.inf):
        with pytest.raises(OverflowError, match="NaN or infinite"):
            pyconv.correlate([1.0], [1.0, 1.0], "full", fill_value=fill, dtype=int)
    y = pyconv.correlate(np.float32([1]), np.float32([1, 1]), "full", fill_value=1e40)
    np.testing.assert_array_equal(y, np.float32([np.inf, np.inf]))


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("x_dtype", ["float32", "float64"])
def test_loops_round_as_numpy_does(isa, rng, x_dtype, dtype, overflow):
    """Halves, what lies far outside, infinity and NaN, in rows around every vector."""
    far = [np.nan, np.inf, -np.inf, 2.0**31, -(2.0**31), 2.0**63, -(2.0**63), 2.0**64, 3e30, -3e30]
    for n in (1, 15, 16, 17, 33, 64, 65, 300):
        rows = [np.arange(n) - n / 2 + 0.5, rng.standard_normal(n) * 300]
        rows += [np.arange(n) * 2.0**20 + 0.5, rng.standard_normal(n) * 2.0**22]
        rows += [np.where(rng.random(n) < 0.1, rng.choice(far, n), r) for r in rows[:2]]
        x = np.array(rows).astype(x_dtype)
        w = np.ones(1, x_dtype)
        y = pyconv.correlate(x, w, dtype=dtype, overflow=overflow, method="direct")
        with np.errstate(all="ignore"):
            expected = narrow(x, np.dtype(dtype), overflow)
        np.testing.assert_array_equal(y, expected, strict=True)


@pytest.mark.parametrize("name", ["uint8", "int8", "uint16", "int32"])
@pytest.mark.parametrize("method", ["auto", "direct", "im2col", "reference"])
def test_means_fit_the_dtype_of_their_samples(name, method, rng):
    """Weights that sum to a rounding more than 1 lead no mean out of it; half a unit does."""
    low, high = np.iinfo(name).min, np.iinfo(name).max
    largest = max(abs(int(low)), int(high))
    options = {"boundary": "symmetric", "dtype": name, "method": method}
    for w_dtype, k in itertools.product(("float32", "float64"), (3, 5, 7, 9)):
        if (k * k + 2) * np.finfo(w_dtype).eps * largest > 0.2:  # a sum in it may leave the dtype
            continue
        w = np.full((k, k), 1 / k**2, w_dtype)
        for value in (low, high):
            x = np.full((20, 21), value, name)
            np.testing.assert_array_equal(pyconv.correlate(x, w, "same", **options), x)
        x = rng.integers(low, high, (20, 21), name, endpoint=True)
        x[0, :2] = low, high
        exact = pyconv.correlate(x.astype("f8"), w.astype("f8"), "same", "symmetric", rtol=0)
        assert np.abs(pyconv.correlate(x, w, "same", **options) - exact).max() <= 0.51
        pyconv.correlate(x, w * (1 + 0.25 / largest), "same", **options)
        with pytest.raises(OverflowError, match=name):
            pyconv.correlate(x, w * (1 + 0.75 / largest), "same", **options)
