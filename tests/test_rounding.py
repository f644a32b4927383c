"""`rounding=`: sums in double become integers that are defined to the bit, by every algorithm.

Two oracles know nothing of the loops. Where samples and weights are multiples of powers of two,
sums are exact, and arithmetic of integers rounds them. Where they are not, Python's floats are
multiplied and added in the order of the taps.
"""

import itertools
import math
import pickle
from fractions import Fraction

import numpy as np
import oracles
import pytest
import scipy.ndimage
from arrays import LAYOUTS

import pyconv
from pyconv._engine import planner
from pyconv._engine.algorithms import ALGORITHMS, ROUNDING_ALGORITHMS
from pyconv._engine.algorithms.arranged import MAX_SKIPPED
from pyconv._engine.dtypes import DTYPES, OVERFLOWS, ROUNDINGS

INTEGERS = [dtype for dtype in DTYPES if dtype.kind in "biu"]
REALS = [dtype for dtype in DTYPES if dtype.kind != "c"]
METHODS = [algorithm.name for algorithm in ROUNDING_ALGORITHMS]
WHOLE = {"half_even": round, "towards_zero": math.trunc}
#: Parts of samples and of weights whose sums are exact.
SAMPLE, WEIGHT = 16, 8


def limits(dtype):
    """Return the least and the greatest value of an integer dtype."""
    return (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def stored(results, dtype, overflow):
    """Return what becomes of an array of Python's integers."""
    low, high = limits(dtype)
    if overflow == "saturate":
        return np.clip(results, low, high).astype(dtype)
    return (low + (results - low) % (high - low + 1)).astype(dtype)


def integers(sums, dtype, rounding, overflow):
    """Return the results of an array of fractions, or of Python's floats."""
    results = [WHOLE[rounding](v) for v in sums.flat]
    return stored(np.array(results, object).reshape(sums.shape), dtype, overflow)


def exactly(x, w, *args, fill_value=0, **keywords):
    """Return the numerators of sums of multiples of 1/16 and of 1/8: of 1/128."""
    samples, weights = (
        (a.astype(np.float64 if a.dtype.kind == "f" else np.int64) * n).astype(np.int64)
        for a, n in ((x, SAMPLE), (w, WEIGHT))
    )
    return oracles.correlate(samples, weights, *args, fill_value=SAMPLE * fill_value, **keywords)[0]


def of_numerators(sums, dtype, rounding, overflow):
    """Return the results of exact sums, by arithmetic of integers alone."""
    unit = SAMPLE * WEIGHT
    whole, rest = abs(sums) // unit, abs(sums) % unit
    half = unit // 2
    if rounding == "half_even":
        whole = whole + ((rest > half) | ((rest == half) & (whole % 2 == 1)))
    return stored(np.where(sums < 0, -whole, whole), dtype, overflow)


def in_order(x, w, mode, boundary):
    """Return sums of Python's floats along the last axes, a product after the other."""
    for axis, (low, high) in zip(
        range(x.ndim - w.ndim, x.ndim), oracles.pads_of(mode, w.shape), strict=True
    ):
        x = oracles.pad_axis(x, axis, low, high, boundary, 0)
    windows = np.lib.stride_tricks.sliding_window_view(
        x, w.shape, tuple(range(x.ndim - w.ndim, x.ndim))
    )
    at = windows.shape[: windows.ndim - w.ndim]
    total = np.empty(at, object)
    for i in np.ndindex(at):
        terms = zip(windows[i].ravel().tolist(), w.ravel().tolist(), strict=True)
        total[i] = 0.0
        for sample, weight in terms:
            if weight != 0:
                total[i] += float(sample) * float(weight)
    return total


def by_each(x, w, *args, **keywords):
    """Yield the name of each algorithm that can, and its result."""
    rows = pyconv.explain(x, w, *args, **keywords).candidates
    assert [row.algorithm for row in rows] == METHODS
    call = dict(keywords)
    convolves = call.pop("flip", False)
    for row in rows:
        if row.rejected is None:
            run = pyconv.convolve if convolves else pyconv.correlate
            yield row.algorithm, run(x, w, *args, method=row.algorithm, **call)


def assert_each(expected, x, w, *args, **keywords):
    """Assert that every algorithm that can gives the integers; return their names."""
    names = set()
    for name, y in by_each(x, w, *args, **keywords):
        assert y.dtype == expected.dtype
        np.testing.assert_array_equal(y, expected, err_msg=name)
        names.add(name)
    return names


def samples(rng, shape, dtype):
    """Return values of the whole range of short dtypes; of floats, multiples of 1/16."""
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        return (rng.integers(-2000, 2000, shape) / 16).astype(dtype)
    low, high = limits(dtype)
    bound = 2**40
    return rng.integers(max(low, -bound), min(high, bound), shape, endpoint=True).astype(dtype)


# ---- exact sums, rounded once ------------------------------------------------------------------


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("x_dtype", REALS, ids=str)
def test_every_pair_of_dtypes(isa, rng, x_dtype, rounding):
    """Sums of eighths, many of them half between two integers, under every policy."""
    x = samples(rng, (3, 37), x_dtype)
    w = rng.integers(-8, 9, (2, 3)) / 8
    w[0, 0] = 0.5  # one at least is not whole
    sums = exactly(x, w, "same", "mirror")
    seen = set()
    for dtype, overflow in itertools.product(INTEGERS, ("wrap", "saturate")):
        seen |= assert_each(
            of_numerators(sums, dtype, rounding, overflow), x, w, "same", "mirror",
            dtype=dtype, overflow=overflow, rounding=rounding,
        )  # fmt: skip
    fixed = {"fixed_point"} if x_dtype.itemsize == 1 and rounding == "towards_zero" else set()
    assert seen == {"rounded_sum", "reference"} | fixed


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_extent_boundary_stride_and_dilation(isa, rng, rounding):
    """Along one to three axes, in any order, of a convolution too."""
    modes = ("valid", "same", "full", [(3, -1)], [(-2, 4)], [(70, 0)])
    shapes = (((90,), (3,), None), ((9, 70), (3, 4), None), ((6, 5, 66), (2, 3, 2), None),
              ((40, 7, 3), (3, 2), (1, 0)), ((4, 9, 50), (3,), 1), ((30, 2), (3,), 0))  # fmt: skip
    fills = itertools.cycle([0, 100, 7])
    steps = itertools.cycle([(1, 1), (2, 1), (1, 2), (5, 1), (3, 2)])
    for (shape, taps, axes), mode in itertools.product(shapes, modes):
        w = rng.integers(-8, 9, taps) / 8 + 1 / 8
        pads = mode if isinstance(mode, str) else mode * w.ndim
        for boundary, flip in itertools.product(oracles.PAD_MODES, (False, True)):
            stride, dilation = next(steps)
            x = samples(rng, shape, np.dtype("uint8"))
            options = {
                "axes": axes, "stride": stride, "dilation": dilation, "flip": flip,
                "fill_value": next(fills) if boundary == "constant" else 0,
            }  # fmt: skip
            try:
                sums = exactly(x, w, pads, boundary, **options)
            except ValueError:  # np.pad does not go on so far
                continue
            if 0 in sums.shape:
                continue
            names = assert_each(
                of_numerators(sums, np.dtype("int16"), rounding, "wrap"), x, w, pads, boundary,
                dtype="int16", rounding=rounding, **options,
            )  # fmt: skip
            assert ("rounded_sum" in names) == (stride**w.ndim <= MAX_SKIPPED)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_axes_of_one_sample_have_many_results(isa, rng, rounding):
    """Where axes are seen in another order, results move though samples do not."""
    for shape, axes in (((2, 8, 4, 1), (1, 3, 0)), ((90, 1), (0, 1)), ((3, 90, 1), (1, 2))):
        x, w = samples(rng, shape, np.dtype("uint8")), np.full((2,) * len(axes), 3 / 8)
        sums = exactly(x, w, "full", axes=axes)
        names = assert_each(
            of_numerators(sums, np.dtype("int16"), rounding, "wrap"), x, w, "full", axes=axes,
            dtype="int16", rounding=rounding,
        )  # fmt: skip
        assert len(names) > 1


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_sums_beyond_64_bits(isa, rng, rounding, dtype):
    """They wrap or are clipped; those that uint64 alone holds are right without either."""
    dtype = np.dtype(dtype)
    w = np.array([0.5, 0.25])
    for power in (62, 64, 66):
        x = rng.integers(-(2**20), 2**20, 65) * 2.0 ** (power - 20)
        sums = np.array([Fraction(a) / 2 + Fraction(b) / 4 for a, b in itertools.pairwise(x)])
        for overflow in ("wrap", "saturate"):
            names = assert_each(
                integers(sums, dtype, rounding, overflow), x, w, dtype=dtype,
                overflow=overflow, rounding=rounding,
            )  # fmt: skip
            assert "reference" in names
    x = np.array([2.0**64 - 4096, 3.0 * 2**62, 2.0**63])
    y = pyconv.correlate(x, [0.5, 0.25], dtype=np.uint64, rounding=rounding)
    assert y.tolist() == [2**63 - 2048 + 3 * 2**60, 2**63]
    with pytest.raises(OverflowError, match="int64"):
        pyconv.correlate(x, [0.5, 0.25], dtype=np.int64, rounding=rounding)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_what_is_not_finite_is_stored_as_zero_or_a_limit(isa, rounding):
    """NaN is 0, infinity is 0 or the end of the range; a zero weight reads neither."""
    x = np.array([1.0, np.nan, 2.5, np.inf, 3.0, -np.inf, 4.0, 4.0])
    for overflow, (up, down) in {"wrap": (0, 0), "saturate": (127, -128)}.items():
        expected = np.array([1, 0, 2, up, 3, down, 4], np.int8)
        assert_each(
            expected, x, np.array([1.0, 0.0]), dtype="int8", overflow=overflow,
            rounding=rounding,
        )  # fmt: skip
    with pytest.raises(OverflowError, match="NaN or infinite"):
        pyconv.correlate(x, [0.5], dtype="int8", rounding=rounding)


# ---- one order --------------------------------------------------------------------------------


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("x_dtype", ["uint8", "int8", "int16", "float32", "float64"])
def test_products_are_added_in_the_order_of_the_taps(isa, rng, x_dtype, rounding):
    """Steps of two values, whose sums lie next to whole numbers: a fused product is another one."""
    x = np.where(rng.random((12, 70)) < 0.5, 20, 100).astype(x_dtype)
    for w in (np.full((5, 5), 0.04), rng.random((3, 4)), np.array([[0.1, 0.0, 0.7, 0.2]])):
        for mode, boundary in (("valid", "constant"), ("same", "nearest"), ("full", "constant")):
            expected = integers(
                in_order(x, w, mode, boundary), np.dtype("int16"), rounding, "wrap"
            )  # fmt: skip
            assert len(assert_each(
                expected, x, w, mode, boundary, dtype="int16", overflow="wrap", rounding=rounding
            )) > 1  # fmt: skip


def test_order_decides_these_sums(rng):
    """Others differ: of fused products, of another order, of the exact sum."""
    x = np.where(rng.random((12, 70)) < 0.5, 20, 100).astype(np.uint8)
    w = np.full((5, 5), 0.04)
    sums = in_order(x, w, "valid", "constant")
    exact = np.vectorize(Fraction)(sums)
    for at in np.ndindex(exact.shape):
        window = x[at[0] : at[0] + 5, at[1] : at[1] + 5].ravel().tolist()
        exact[at] = sum(map(Fraction, window)) * Fraction(0.04)
    for rounding in ROUNDINGS:
        different = integers(sums, np.dtype("int16"), rounding, "wrap") != integers(
            exact, np.dtype("int16"), rounding, "wrap"
        )
        assert different.any() == (rounding == "towards_zero")


def test_cut_sums_are_those_of_scipy(isa, rng):
    """Kernels of any shape, samples of any dtype, in the boundaries that both have."""
    modes = {"symmetric": "reflect", "mirror": "mirror", "nearest": "nearest", "wrap": "wrap"}
    for dtype, boundary in itertools.product(("uint8", "int8", "int16", "float64"), modes):
        x = rng.integers(-100, 101, (20, 90)).astype(dtype)
        for shape in ((3, 3), (1, 5), (4, 2)):
            w = rng.random(shape) / math.prod(shape)
            expected = scipy.ndimage.correlate(x, w, "int32", modes[boundary])
            assert_each(expected, x, w, "same", boundary, dtype="int32", rounding="towards_zero")


def test_long_kernels_are_added_in_one_go(isa, rng):
    """`reference` adds other sums in blocks."""
    x, w = rng.integers(0, 256, 3000).astype(np.uint8), rng.random(1500) / 1500
    for rounding in ROUNDINGS:
        expected = integers(in_order(x, w, "valid", "constant"), np.dtype("u1"), rounding, "wrap")
        assert_each(expected, x, w, dtype=np.uint8, rounding=rounding)


# ---- means ------------------------------------------------------------------------------------


@pytest.mark.parametrize("w_dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("x_dtype", ["uint8", "int8", "bool"])
def test_equal_weights_are_means(isa, rng, x_dtype, w_dtype):
    """Where no mean lies half between two integers, or sums in double are exact."""
    for size in ((3,), (5, 5), (2, 2), (4, 4), (1, 7), (8, 1), (9, 15), (1, 1)):
        n = math.prod(size)
        x = samples(rng, (24, 70), np.dtype(x_dtype))
        w = np.full(size, 1 / n, w_dtype)
        for mode, boundary in (("valid", "constant"), ("same", "nearest"), ("full", "mirror")):
            expected = integers(
                in_order(x, w, mode, boundary), np.dtype("int8"), "half_even", "wrap"
            )  # fmt: skip
            names = assert_each(
                expected, x, w, mode, boundary, dtype="int8", overflow="wrap",
                rounding="half_even",
            )  # fmt: skip
            near = w_dtype == "float64" or n & (n - 1) == 0
            assert ("rounded_mean" in names) or not near


@pytest.mark.parametrize(
    ("w", "reason"),
    [
        (np.full((2, 3), 1 / 6), "half between two integers"),
        (np.full((3, 3), 1 / 8), "one over their number"),
        (np.full((2, 2), 1 / 8), "one over their number"),
        (np.full((3, 3), np.float16(1 / 9)), "one over their number"),
        (np.array([0.5, 0.25, 0.25]), "not equal"),
        (np.full((3, 3), np.nan), "not equal"),
    ],
)
def test_other_weights_are_no_means(w, reason):
    x = np.zeros((20, 30), np.uint8)
    with pytest.raises(ValueError, match=f"cannot solve this filter: .*{reason}"):
        pyconv.correlate(
            x, w, dtype="uint8", overflow="wrap", rounding="half_even", method="rounded_mean"
        )


# ---- overflow ---------------------------------------------------------------------------------


def test_results_that_may_not_fit_are_refused_before_any_work():
    """The bound is that of rounded sums: weights of about 1 in all keep the range of samples."""
    x = np.full((9, 30), 255, np.uint8)
    for sigma in (0.5, 0.8, 1.0, 1.7, 3.0):
        w = pyconv.kernels.gaussian(sigma, ndim=2)
        for rounding in ROUNDINGS:
            y = pyconv.correlate(x, w, "same", "nearest", dtype=np.uint8, rounding=rounding)
            assert y.min() >= 254
    sharp = np.array([[0.0, -0.5, 0.0], [-0.5, 3.0, -0.5], [0.0, -0.5, 0.0]])
    for rounding in ROUNDINGS:
        with pytest.raises(OverflowError, match=r"\[-510.0, 765.0\], outside uint8 \[0, 255\]"):
            pyconv.correlate(x, sharp, dtype=np.uint8, rounding=rounding)
        with pytest.raises(OverflowError, match="outside uint8"):
            pyconv.plan(shape=x.shape, x_dtype="u1", w=sharp, dtype=np.uint8, rounding=rounding)
        assert pyconv.correlate(x, sharp, dtype=np.int16, rounding=rounding).max() == 255


def test_every_policy_runs_the_same_loops_where_results_fit(rng):
    """The policy decides nothing then, not even which algorithms can."""
    x, w = np.zeros((30, 70), np.uint8), np.array([[0.25, 0.5, 0.25]])
    for rounding in ROUNDINGS:
        assert len({
            tuple(row.rejected for row in pyconv.explain(
                x, w, dtype="uint8", overflow=overflow, rounding=rounding
            ).candidates)
            for overflow in OVERFLOWS
        }) == 1  # fmt: skip


# ---- every kind of call -----------------------------------------------------------------------


def test_plans_explanations_pickles_and_tuning(rng, monkeypatch):
    """They take the option, and give the integers of the call."""
    x = rng.integers(0, 256, (60, 90)).astype(np.uint8)
    w = rng.random((3, 5)) / 16
    for rounding, flip in itertools.product(ROUNDINGS, (False, True)):
        call = pyconv.convolve if flip else pyconv.correlate
        options = {"mode": "same", "dtype": "uint8", "rounding": rounding}
        expected = call(x, w, **options)
        fast = {"half_even": "rounded_sum", "towards_zero": "fixed_point"}[rounding]
        plan = pyconv.plan(x, w, flip=flip, **options)
        assert plan.algorithm == fast
        for made in (plan, pickle.loads(pickle.dumps(plan))):
            np.testing.assert_array_equal(made(x), expected)
            assert made.algorithm == fast
            assert f"rounding {rounding!r}" in str(made.explain())
        why = pyconv.explain(x, w, flip=flip, **options)
        assert why.algorithm == fast
        assert why.sums == np.float64
        forced = pyconv.plan(x, w, flip=flip, method="reference", **options)
        assert pickle.loads(pickle.dumps(forced)).algorithm == "reference"
        np.testing.assert_array_equal(forced(x), expected)
        try:
            times = pyconv.tune(x, w, flip=flip, **options)
            assert next(iter(times)) in METHODS
            monkeypatch.setattr(planner, "least_seconds", lambda *_: {"reference": 1.0})
            pyconv.tune(x, w, flip=flip, **options)
            assert pyconv.plan(x, w, flip=flip, **options).algorithm == "reference"
            np.testing.assert_array_equal(call(x, w, **options), expected)
        finally:
            monkeypatch.undo()
            planner.WISDOM.forget()
            planner.clear_cache()


def test_plans_of_data_that_decide(rng):
    """Of floats and wide integers the bound is that of the samples: each call looks at it."""
    plan = pyconv.plan(shape=5, x_dtype="float32", w=[0.5], dtype="int8", rounding="half_even")
    assert plan.algorithm is None
    assert plan(np.array([3, 5, 7, -3, 1], "f4")).tolist() == [2, 2, 4, -2, 0]
    with pytest.raises(OverflowError, match="outside int8"):
        plan(np.full(5, 300, "f4"))
    with pytest.raises(ValueError, match="cannot solve this filter: the samples have more"):
        pyconv.plan(
            shape=5, x_dtype="int32", w=[0.5], dtype="int8", rounding="towards_zero",
            method="fixed_point",
        )  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layouts(rng, layout):
    """Views, foreign byte orders and what is not aligned, of samples, weights and ``out``."""
    for dtype in ("uint8", "float32", "float16", "int64"):
        x = samples(rng, (14, 40, 3), np.dtype(dtype))
        w = rng.integers(-8, 8, (3, 5)) / 8 + 1 / 16
        for rounding, axes in itertools.product(ROUNDINGS, ((0, 1), (1, 2))):
            options = {
                "axes": axes, "mode": "same", "dtype": "int16", "overflow": "wrap",
                "rounding": rounding,
            }  # fmt: skip
            expected = pyconv.correlate(x, w, method="reference", **options)
            out = LAYOUTS[layout](np.zeros_like(expected))
            for _, y in by_each(LAYOUTS[layout](x), LAYOUTS[layout](w), **options):
                np.testing.assert_array_equal(y, expected)
            if out.flags.writeable and not (out.strides and 0 in out.strides):
                assert pyconv.correlate(x, w, out=out, **options) is out
                np.testing.assert_array_equal(out, expected)


def test_threads_and_overlapping_results(isa, rng):
    """The same integers for any number of threads, and of a result that is written over x."""
    x = rng.integers(-128, 128, (200, 701)).astype(np.int8)
    kernels = (np.full((3, 3), 1 / 9), np.full((5, 5), 0.04), rng.random((3, 3)) / 9)
    for w, rounding in itertools.product(kernels, ROUNDINGS):
        options = {"mode": "same", "boundary": "wrap", "dtype": "int8", "rounding": rounding}
        expected = pyconv.correlate(x, w, method="reference", **options)
        for workers in (1, 2, 3, 7):
            y = pyconv.correlate(x, w, workers=workers, **options)
            np.testing.assert_array_equal(y, expected)
        over = x.copy()
        pyconv.correlate(over, w, out=over, **options)
        np.testing.assert_array_equal(over, expected)


def test_integers_leave_nothing_to_round(rng):
    """Integer weights of integer samples are summed exactly, by the algorithms of every call."""
    x, w = rng.integers(0, 256, (9, 30)).astype(np.uint8), np.array([[1, 2, 1]])
    for rounding in ROUNDINGS:
        why = pyconv.explain(x, w, rounding=rounding)
        assert [row.algorithm for row in why.candidates] == [a.name for a in ALGORITHMS]
        np.testing.assert_array_equal(
            pyconv.correlate(x, w, rounding=rounding, method="direct"), pyconv.correlate(x, w)
        )
    # Whole numbers that are floats are weights like others, and exact.
    y = pyconv.correlate(x, w.astype(float), dtype="int64", rounding="half_even")
    np.testing.assert_array_equal(y, pyconv.correlate(x, w))


def test_calls_without_the_option_have_no_rows_of_it():
    why = pyconv.explain(shape=(9, 30), x_dtype="u1", w=np.ones((3, 3)) / 9, dtype="i2",
                         overflow="wrap")  # fmt: skip
    assert [row.algorithm for row in why.candidates] == [a.name for a in ALGORITHMS]
    assert "rounding" not in str(why)


def test_taps_that_lie_far_apart(rng):
    """Loops pack what lies between; the definition reads the taps alone."""
    x, w = rng.integers(0, 256, (3, 4, 5)).astype(np.uint8), np.full((2, 2, 2), 1 / 16)
    far = 2**20
    options = {
        "mode": [(far, 0)] * 3, "boundary": "wrap", "dilation": far, "dtype": "u1",
        "rounding": "half_even",
    }  # fmt: skip
    why = pyconv.explain(x, w, **options)
    assert why.algorithm == "reference"
    assert "taps lie in more than" in why.candidates[2].rejected
    at = np.meshgrid(*map(np.arange, x.shape), indexing="ij")
    total = 0.0
    for u in np.ndindex(w.shape):
        index = [
            (i + k * far - far) % n for i, k, n in zip(at, u, x.shape, strict=True)
        ]  # fmt: skip
        total = total + x[tuple(index)] * (1 / 16)
    np.testing.assert_array_equal(pyconv.correlate(x, w, **options), np.rint(total))


def test_batches_of_nothing():
    for rounding in ROUNDINGS:
        options = {"dtype": "u1", "rounding": rounding}
        y = pyconv.correlate(np.zeros((0, 5), "u1"), [0.5, 0.5], **options)
        assert y.shape == (0, 4)
        assert y.dtype == np.uint8
        assert pyconv.tune(np.zeros((0, 5), "u1"), [0.5, 0.5], **options) == {}


def test_memory_is_a_limit_of_the_call(rng):
    """A loop that takes too much makes room for the next one; the last one says what is enough."""
    x = rng.integers(0, 256, (300, 400)).astype(np.uint8)
    w = rng.random((3, 3)) / 9
    options = {"mode": "same", "dtype": "uint8", "rounding": "towards_zero"}
    rows = {row.algorithm: row for row in pyconv.explain(x, w, **options).candidates}
    expected = pyconv.correlate(x, w, **options)
    limit = rows["fixed_point"].workspace - 1
    assert limit > rows["rounded_sum"].workspace
    for granted, name in ((limit, "rounded_sum"), (100_000, "reference")):
        assert pyconv.explain(x, w, max_memory=granted, **options).algorithm == name
        np.testing.assert_array_equal(
            pyconv.correlate(x, w, max_memory=granted, **options), expected
        )
    with pytest.raises(MemoryError, match="the least that would do is"):
        pyconv.correlate(x, w, max_memory=1000, **options)
    with pytest.raises(MemoryError, match=f"is {rows['fixed_point'].workspace} bytes"):
        pyconv.correlate(x, w, max_memory=limit, method="fixed_point", **options)


def test_results_that_strides_leave_out_count_as_copies(rng):
    """Loops that know no strides make every result, within the memory that is granted."""
    x = rng.integers(0, 256, (300, 400)).astype(np.uint8)
    w = np.full((3, 3), 1 / 9)
    options = {"mode": "same", "dtype": "uint8", "rounding": "half_even", "stride": 2}
    rows = {row.algorithm: row for row in pyconv.explain(x, w, **options).candidates}
    expected = pyconv.correlate(x, w, **options)
    assert rows["rounded_mean"].chosen
    assert rows["rounded_sum"].workspace > 299 * 399
    whole = pyconv.correlate(x, w, **options | {"stride": 1})
    np.testing.assert_array_equal(expected, whole[::2, ::2])
    y = pyconv.correlate(x, w, max_memory=100_000, **options)
    np.testing.assert_array_equal(y, expected)
    assert pyconv.explain(x, w, max_memory=100_000, **options).algorithm == "reference"


def test_a_foreign_byte_order_counts_as_a_copy(rng):
    """The algorithm is chosen before the array is seen: the error says how much is enough."""
    x, w = rng.integers(0, 999, (300, 400)).astype(">u2"), rng.random((3, 3)) / 9
    options = {"dtype": "uint16", "rounding": "half_even", "overflow": "wrap"}
    expected = pyconv.correlate(x, w, method="reference", **options)
    with pytest.raises(MemoryError, match="native byte order") as raised:
        pyconv.correlate(x, w, method="rounded_sum", max_memory=300_000, **options)
    least = int(str(raised.value).split()[-2])
    y = pyconv.correlate(x, w, method="rounded_sum", max_memory=least, **options)
    np.testing.assert_array_equal(y, expected)
    with pytest.raises(MemoryError):
        pyconv.correlate(x, w, method="rounded_sum", max_memory=least - 1, **options)


# ---- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("call", [pyconv.correlate, pyconv.convolve, pyconv.plan, pyconv.explain])
def test_what_is_refused(call):
    x, w = np.zeros((3, 9), np.uint8), [0.5, 0.5]
    words = "rounding='up' is unknown; allowed are None, half_even, towards_zero"
    with pytest.raises(ValueError, match=words):
        call(x, w, dtype="u1", rounding="up")
    with pytest.raises(ValueError, match="rounding=0 is unknown"):
        call(x, w, dtype="u1", rounding=0)
    for dtype in (None, "float32"):
        with pytest.raises(TypeError, match="rounding='half_even': the result is float"):
            call(x, w, dtype=dtype, rounding="half_even")
    with pytest.raises(TypeError, match="complex"):
        call(x, [0.5j], dtype="u1", rounding="half_even")
    with pytest.raises(ValueError, match="method='direct' is unknown; allowed are auto, rounded_"):
        call(x, w, dtype="u1", rounding="half_even", method="direct")
    with pytest.raises(ValueError, match="method='rounded_sum' is unknown"):
        call(x, w, dtype="u1", method="rounded_sum")
    with pytest.raises(TypeError, match="left out"):
        call(x, w, dtype="u1", rounding="half_even", mask=x == 0)
    with pytest.raises(ValueError, match="rtol=-1"):
        call(x, w, dtype="u1", rounding="half_even", rtol=-1)


def test_a_loop_takes_no_word_that_it_does_not_know(monkeypatch):
    """A new row of the table is right at once, if slow: `reference` makes it."""
    monkeypatch.setitem(ROUNDINGS, "up", np.ceil)
    rng = np.random.default_rng(7)
    for dtype in (np.uint8, np.float32, np.float64):
        x = rng.integers(0, 9, (40, 40)).astype(dtype)
        for w in (np.full((3, 3), 0.125), np.arange(5)[None] / 8):
            exact = pyconv.correlate(x.astype(np.float64), w)
            result = pyconv.correlate(x, w, dtype=np.int16, rounding="up")
            np.testing.assert_array_equal(result, np.ceil(exact).astype(np.int16))
