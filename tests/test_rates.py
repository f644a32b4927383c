"""Strides that are fractions: correlations between two rates of samples, by every algorithm.

The definition puts zeros between samples, sums, and keeps every so many results (`oracles`).
"""

import itertools
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
from arrays import LAYOUTS, assert_exact, bits, noise, small
from conftest import clear_caches, one_in
from oracles import resample

import pyconv
from pyconv import operators, signal
from pyconv._engine.algorithms import RATE_ALGORITHMS, slabs
from pyconv._engine.algorithms.correlation import each_phase, polyphase
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.planning import RATE_PLANNER, planner_of, prepare
from pyconv._engine.problem import CallOptions

METHODS = [a.name for a in RATE_ALGORITHMS]
PLAIN = [name for name in METHODS if name != "fft"]
#: up, down.
RATES = ((2, 1), (1, 2), (3, 2), (2, 3), (5, 7), (7, 5), (16, 1), (160, 147))
EXTENTS = ("valid", "same", "full", [(40, 33)], [(-3, 7)], [(5, -4)])
#: Samples and taps: fewer taps than phases, fewer samples than taps, more than vectors hold.
SIZES = ((1, 1), (4, 9), (33, 2), (40, 33))
#: Of x, of w and of the result, if that is not theirs.
DTYPES = (
    ("f4", "f4", None), ("f8", "f4", None), ("f2", "f2", None), ("f4", "f8", "f4"),
    ("c8", "f4", None), ("c16", "c16", None), ("f4", "c8", None), ("u1", "i1", None),
    ("i2", "i2", "i2"), ("i8", "i4", None), ("?", "u2", None), ("f4", "f4", "u1"),
)  # fmt: skip


def answer(x, w, method, *args, flip=False, **keywords):
    """Return the result, or None where a method cannot solve this."""
    call = pyconv.convolve if flip else pyconv.correlate
    try:
        return call(x, w, *args, method=method, **keywords)
    except ValueError as error:
        if f"method={method!r} cannot solve this problem: " in str(error):
            return None
        raise


def methods_for(up, down):
    """Return the words for ``method`` that a stride has."""
    return ["auto", *PLAIN] if down % up else ["auto", "direct", "reference"]


@pytest.mark.parametrize(("rate", "boundary"), one_in(2, RATES, tuple(BOUNDARIES)))
def test_the_definition(rng, isa, rate, boundary):
    """Whole numbers, exactly: extents, sizes, dtypes, flipped or conjugated."""
    (up, down), seen = rate, set()
    for place, mode in enumerate(EXTENTS):
        for n, taps in SIZES:
            # Each dtype meets each extent with some size.
            for turn, (x_dtype, w_dtype, dtype) in enumerate(DTYPES[place % 3 :: 3]):
                x, w = small(rng, (3, n), x_dtype), small(rng, taps, w_dtype)
                flip, fill = bool(turn % 2), 0 if place % 2 else 2
                if x_dtype == "?":
                    fill = fill // 2
                asked = {"boundary": boundary, "fill_value": fill, "flip": flip}
                try:
                    expected, _ = resample(x, w, up, down, mode, **asked)
                except ValueError:
                    expected = np.empty(0)
                if expected.size == 0:
                    with pytest.raises(ValueError, match="empty along axis 1"):
                        answer(x, w, "auto", mode, stride=Fraction(down, up), **asked)
                    continue
                asked |= {"stride": Fraction(down, up), "dtype": dtype, "overflow": "wrap"}
                for method in methods_for(up, down):
                    y = answer(x, w, method, mode, **asked)
                    if y is None:
                        assert method == "polyphase"
                        continue
                    wrapped = expected if dtype != "u1" else expected.astype(int)
                    assert_exact(y, wrapped, y.dtype)
                    seen.add(method)
    assert seen == set(methods_for(up, down))


@pytest.mark.parametrize("dilation", [2, 3, 5, 6])
def test_dilated_kernels(rng, dilation):
    """Taps whose steps share factors with the rates, and phases in which none meets a sample."""
    for up, down in ((6, 1), (6, 5), (4, 3), (3, 2), (2, 5), (9, 4)):
        for mode, boundary in zip(EXTENTS, (*BOUNDARIES, "wrap"), strict=True):
            x, w = small(rng, (2, 60), "f4"), small(rng, 7, "f4")
            asked = {"boundary": boundary, "dilation": dilation, "flip": up == 4}
            expected, _ = resample(x, w, up, down, mode, **asked)
            for method in ("auto", "direct", "reference"):
                y = answer(x, w, method, mode, stride=Fraction(down, up), **asked)
                assert_exact(y, expected, np.float32)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8"])
@pytest.mark.parametrize("lines", [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33])
def test_lines_around_the_width_of_vectors(rng, isa, lines, dtype):
    """Beside one another and one behind the other, of outputs around it as well."""
    for n in (1, 15, 16, 17, 65):
        x, w = small(rng, (lines, n), dtype), small(rng, 9, "f4")
        expected, _ = resample(x, w, 3, 2, "same", "mirror")
        stride = Fraction(2, 3)
        y = pyconv.correlate(x, w, "same", "mirror", stride=stride, method="polyphase")
        assert_exact(y, expected, y.dtype)
        across = np.ascontiguousarray(x.T)
        y = pyconv.correlate(across, w, "same", "mirror", stride=stride, axes=0, method="polyphase")
        assert_exact(y, expected.T, y.dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(rng, layout):
    """Samples, weights and results wherever they lie, along each axis."""
    for dtype, axis in (("f4", 0), ("f8", 1), ("c8", 2), ("i2", 1), ("f2", 0)):
        x, w = small(rng, (5, 18, 7), dtype), small(rng, 6, "i2" if dtype == "i2" else "f4")
        expected, _ = resample(x, w, 3, 4, "full", axis=axis)
        for method in PLAIN:
            seen, weights = LAYOUTS[layout](x), LAYOUTS[layout](w)
            options = {"stride": Fraction(4, 3), "axes": axis, "method": method}
            y = pyconv.correlate(seen, weights, "full", **options)
            assert_exact(y, expected, y.dtype)
            room = LAYOUTS[layout](np.zeros_like(y))
            if room.flags.writeable:
                assert pyconv.correlate(seen, weights, "full", out=room, **options) is room
                np.testing.assert_array_equal(room, expected.astype(y.dtype))


def test_batches_of_nothing():
    """No lines, or lines of no channels."""
    for method in ("auto", *METHODS):
        options = {"stride": Fraction(3, 2), "method": method}
        assert pyconv.correlate(np.ones((0, 10)), np.ones(3), **options).shape == (0, 6)
        y = pyconv.correlate(np.ones((4, 10, 0), "i2"), np.ones(3), axes=1, **options)
        assert y.shape == (4, 6, 0)


def test_short_axes_beside_long_ones(rng):
    """Phases of few results, of many lines, are seen with the lines last."""
    for n in (1, 3, 7):
        x, w = small(rng, (2, 400, n), "c8"), small(rng, 3, "c8")
        for axis in (1, 2):
            expected, _ = resample(x, w, 2, 3, "same", "nearest", axis=axis)
            options = {"stride": Fraction(3, 2), "axes": axis, "boundary": "nearest"}
            for method in ("auto", "direct", "reference"):
                y = pyconv.correlate(x, w, "same", method=method, **options)
                assert_exact(y, expected, np.complex64)


def test_out_may_be_the_samples(rng):
    """As if it were not."""
    x, w = small(rng, (4, 31), "f8"), small(rng, 5, "f8")
    expected, _ = resample(x, w, 2, 3, [(20, 20)])
    room = np.zeros((4, expected.shape[1] + 31))
    room[:, 9:40] = x
    out = room[:, : expected.shape[1]]
    y = pyconv.correlate(room[:, 9:40], w, [(20, 20)], stride=Fraction(3, 2), out=out)
    assert y is out
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("method", METHODS)
def test_bits_do_not_depend_on_threads_or_neighbours(rng, widest_isa, method):
    """An item alone is what it is in a batch, by any number of threads."""
    for dtype in ("f4", "c16"):
        x, w = noise(rng, (33, 700), dtype), noise(rng, 101, dtype)
        if method == "polyphase":
            w = w.real.copy()
        options = {"stride": Fraction(3, 5), "method": method, "boundary": "symmetric"}
        y = pyconv.correlate(x, w, "same", workers=1, **options)
        for workers in (2, 3, 7):
            again = pyconv.correlate(x, w, "same", workers=workers, **options)
            assert bits(again) == bits(y)
        for item in (0, 31, 32):
            alone = pyconv.correlate(x[item], w, "same", **options)
            assert bits(alone) == bits(y[item])


def test_bits_do_not_depend_on_the_number_of_results(rng, isa):
    """Those of few are the first ones of many, though some phases have none."""
    for (up, down), taps in (((5, 7), 7), ((16, 3), 40), ((160, 147), 333), ((3, 2), 31)):
        x, w = noise(rng, (3, 90), "f4"), noise(rng, taps, "f4")
        options = {"stride": Fraction(down, up), "method": "polyphase"}
        many = pyconv.correlate(x, w, [(0, taps)], **options)
        for count in (1, 2, 4, 5, 17):
            high = (count - 1) * down + taps - (89 * up + 1)
            few = pyconv.correlate(x, w, [(0, high)], **options)
            assert bits(few) == bits(many[:, :count])


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_errors_are_within_the_bounds(rng, dtype):
    """Each algorithm by the bound that it states, as a part of max|x| · Σ|w|."""
    for (up, down), taps in (((2, 1), 900), ((3, 7), 200), ((160, 147), 3201)):
        x, w = noise(rng, 3000, dtype), noise(rng, taps, dtype)
        expected, _ = resample(x, w, up, down, "same", "nearest")
        scale = float(np.abs(x).max() * np.abs(w).sum())
        options = {"stride": Fraction(down, up), "boundary": "nearest"}
        why = pyconv.explain(x, w, "same", **options)
        for row in why.candidates:
            if row.error_bound is None:
                assert (row.algorithm, np.dtype(dtype).kind) == ("polyphase", "c")
                continue
            y = pyconv.correlate(x, w, "same", method=row.algorithm, **options)
            assert np.abs(y - expected).max() <= row.error_bound * scale
        fft = next(row for row in why.candidates if row.algorithm == "fft")
        assert pyconv.correlate(x, w, "same", rtol=fft.error_bound, **options).shape == y.shape
        with pytest.raises(ValueError, match="proven error bound"):
            pyconv.correlate(x, w, "same", rtol=fft.error_bound / 2, method="fft", **options)


@pytest.mark.parametrize("method", METHODS)
def test_not_a_number_reaches_what_reads_it(rng, method):
    """NaN and infinity, and no output of another phase."""
    x, w = noise(rng, (3, 4000), "f8"), noise(rng, 90, "f8")
    x[1, 1234], x[2, 7] = np.nan, np.inf
    marks = np.zeros(x.shape)
    marks[1, 1234] = marks[2, 7] = 1
    read, _ = resample(marks, np.ones(90), 4, 3, "full")
    y = pyconv.correlate(x, w, "full", stride=Fraction(3, 4), method=method)
    assert np.array_equal(~np.isfinite(y), read > 0)
    x[~np.isfinite(x)] = 0
    plain, _ = resample(x, w, 4, 3, "full")
    np.testing.assert_allclose(y[read == 0], plain[read == 0], atol=1e-10)


def test_weights_between_samples_are_not_multiplied():
    """A NaN among the weights is in the outputs whose phase has it."""
    for method in PLAIN:
        y = pyconv.correlate(
            np.arange(1.0, 5), [1.0, np.nan, 1.0], "same", stride=Fraction(1, 2), method=method
        )
        np.testing.assert_array_equal(np.isnan(y), [True, False] * 3 + [True])
        y = pyconv.correlate(
            np.array([np.nan, 1.0, 1.0]), [1.0], stride=Fraction(1, 2), method=method
        )
        np.testing.assert_array_equal(y, [np.nan, 0, 1, 0, 1])


def test_whole_fractions_are_integers(rng):
    """The same plan, for kernels of several axes, too."""
    x, w = noise(rng, (40, 41), "f4"), noise(rng, (3, 5), "f4")
    for whole, fraction in (
        (2, Fraction(2)), ((2, 3), (Fraction(4, 2), 3)), ((1, 3), [1, Fraction(9, 3)]),
    ):  # fmt: skip
        y = pyconv.correlate(x, w, stride=fraction)
        assert bits(y) == bits(pyconv.correlate(x, w, stride=whole))
    assert pyconv.plan(x, w, stride=Fraction(2)).algorithm in pyconv._engine.planning.METHODS


def test_cached_plans_tell_strides_apart(rng):
    """2 and 1/2, and fractions in sequences."""
    x, w = small(rng, 20, "f8"), small(rng, 3, "f8")
    for stride in (2, Fraction(1, 2), (Fraction(1, 2),), [Fraction(1, 2)], [2], 1, Fraction(2, 1)):
        first = stride if isinstance(stride, int | Fraction) else stride[0]
        rate = Fraction(first)
        expected, _ = resample(x, w, rate.denominator, rate.numerator)
        np.testing.assert_array_equal(pyconv.correlate(x, w, stride=stride), expected)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "i2"])
def test_full_is_upfirdn(rng, dtype):
    """SciPy's lengths and values; `pyconv.signal` has the bits of one loop."""
    for (up, down), n, taps in ((r, n, k) for r in RATES for n in (1, 7, 90) for k in (1, 8, 31)):
        x, h = noise(rng, (2, n), dtype), noise(rng, taps, "f4")
        y = pyconv.convolve(x, h, "full", stride=Fraction(down, up))
        expected = scipy.signal.upfirdn(h, x.astype(np.result_type(x, "f8")), up, down)
        np.testing.assert_allclose(y, expected, atol=1e-4)
        if down % up:
            plain = pyconv.convolve(
                x, h, "full", stride=Fraction(down, up), method="polyphase",
                dtype=np.result_type(x, h),
            )  # fmt: skip
            assert bits(signal.upfirdn(h, x, up, down)) == bits(plain)


def test_upfirdn_reads_the_weights_that_meet_samples(rng):
    """Rates that share a factor, from any output on."""
    x = small(rng, (2, 9), "f8")
    for up, down in ((4, 6), (6, 4), (6, 9), (10, 4)):
        for taps in (1, 2, 3, 25):
            h = small(rng, taps, "f8")
            expected = scipy.signal.upfirdn(h, x, up, down)
            np.testing.assert_array_equal(signal.upfirdn(h, x, up, down), expected)


# ---- integers -------------------------------------------------------------------------------


def test_bounds_are_those_of_a_phase():
    """Weights that never meet the same samples are not added up."""
    x, w = np.array([255, 255], "u1"), np.array([1, 3, 1], "i4")
    y = pyconv.correlate(x, w, [(2, 2)], stride=Fraction(1, 2), dtype="u2")
    assert y.tolist() == [255, 765, 510, 765, 255]
    with pytest.raises(OverflowError, match=r"\[0, 765\]"):
        pyconv.correlate(x, w, [(2, 2)], stride=Fraction(1, 2), dtype="u1")
    saturated = pyconv.correlate(
        x, w, [(2, 2)], stride=Fraction(1, 2), dtype="u1", overflow="saturate"
    )
    assert saturated.tolist() == [255] * 5
    wrapped = pyconv.correlate(x, w, [(2, 2)], stride=Fraction(1, 2), dtype="u1", overflow="wrap")
    assert wrapped.tolist() == [255, 253, 254, 253, 255]
    with pytest.raises(OverflowError, match="NaN or infinite"):
        pyconv.correlate(np.array([1.0, np.nan]), w, stride=Fraction(1, 2), dtype="i4")


def test_integers_of_any_size(rng):
    """Sums in 64 bits and beyond, of which no loop of floats is exact."""
    for x_dtype, w_dtype, size in (("i8", "i8", 2**40), ("u8", "u8", 2**40), ("i8", "u8", 2**62)):
        x = rng.integers(0, size, (2, 30)).astype(x_dtype)
        w = rng.integers(0, 2**20, 7).astype(w_dtype)
        expected, _ = resample(x, w, 3, 2, "same", "wrap")
        y = pyconv.correlate(x, w, "same", "wrap", stride=Fraction(2, 3), overflow="wrap")
        np.testing.assert_array_equal(y, (expected % 2**64).astype("u8").astype(y.dtype))
        assert "floats" in next(
            row.rejected
            for row in pyconv.explain(
                x, w, "same", "wrap", stride=Fraction(2, 3), overflow="wrap"
            ).candidates
            if row.algorithm == "polyphase"
        )


# ---- plans and explanations -----------------------------------------------------------------


def test_explanations():
    """A row for each algorithm; the loop of all phases goes before phases by themselves."""
    why = pyconv.explain(shape=(4, 1000), w=np.ones(31, "f4"), stride=Fraction(2, 3))
    assert [row.algorithm for row in why.candidates] == METHODS
    assert why.algorithm == "polyphase"
    assert why.flops == 2 * -(-4 * 1484 * 31 // 3)
    assert "w (31,) float32 -> (4, 1484) float32, summed in float32" in str(why)
    assert "->  polyphase" in str(why)
    for taps, algorithm in ((120, "polyphase"), (400, "fft")):  # what docs/performance.rst says
        long = pyconv.explain(shape=100_000, w=np.ones(taps), stride=Fraction(1, 2))
        assert long.algorithm == algorithm
    plain = pyconv.explain(shape=9000, w=np.ones(4001), stride=Fraction(1, 2), rtol=0)
    assert plain.algorithm == "polyphase"
    assert "rtol=0" in plain.candidates[METHODS.index("fft")].rejected
    for w, options, words in (
        (np.ones(9, "c8"), {}, "the weights are complex"),
        (np.ones(9), {"dilation": 2}, "dilation"),
        (np.ones(9), {"mode": "same", "x_dtype": "c16", "fill_value": 1}, "fill_value=1"),
        (np.ones(9), {"stride": Fraction(2, polyphase.MOST + 1)}, "8192"),
    ):
        why = pyconv.explain(shape=90, w=w, **{"stride": Fraction(3, 4), **options})
        assert words in why.candidates[0].rejected
        assert why.algorithm != "polyphase"
    many = pyconv.explain(shape=90, w=np.ones(9), stride=Fraction(7, each_phase.MOST + 1))
    assert "more than 1024" in many.candidates[METHODS.index("direct")].rejected


@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_plans(rng, method):
    """They give what calls give, are pickled, and say what runs."""
    x, w = noise(rng, (3, 90), "f4"), noise(rng, 40, "f4")
    options = {"stride": Fraction(5, 3), "mode": "full", "boundary": "wrap", "method": method}
    made = pyconv.plan(x, w, flip=True, **options)
    y = pyconv.convolve(x, w, **options)
    assert bits(made(x)) == bits(y)
    again = pickle.loads(pickle.dumps(made))
    assert (again.algorithm, again.y_shape) == (made.algorithm, y.shape)
    assert bits(again(x)) == bits(y)
    assert made.explain().algorithm == made.algorithm


def test_the_loop_of_all_phases_is_predicted_to_be_faster(rng):
    """Than each phase by itself, wherever it can: the choice decides about bits."""
    fast, apart = RATE_ALGORITHMS[:2]
    sizes = ((1, 1), (3, 90), (200, 7), (1, 5000))
    for (up, down), (lines, n), taps in (
        (r, s, k) for r in RATES if r[1] % r[0] for s in sizes for k in (1, 2, 31, 900)
    ):
        for dtype, mode in (("f4", "full"), ("c16", "full"), ("u1", [(0, 1 - n)]), ("f2", "same")):
            pads = [(taps, pad[1]) for pad in mode] if isinstance(mode, list) else mode
            w = np.zeros(taps, np.dtype(dtype).char if dtype != "c16" else "f8")
            options = CallOptions(mode=pads, stride=Fraction(down, up))
            problem = prepare(np.zeros((lines, n), dtype), w, options).problem
            problem = problem.summed_in(problem.compute or np.dtype(np.float32))
            item = RATE_PLANNER.item(problem)
            costs = [a.cost(item, pyconv._engine.machine.MACHINE) for a in (fast, apart)]
            assert costs[0] < costs[1]


def test_tuning(rng):
    """It times the algorithms, and later calls take the fastest."""
    x, w = noise(rng, 500, "f4"), noise(rng, 9, "f4")
    try:
        times = pyconv.tune(x, w, stride=Fraction(2, 3))
        assert {"polyphase", "direct"} <= set(times) <= set(METHODS)
        assert pyconv.explain(x, w, stride=Fraction(2, 3)).algorithm == next(iter(times))
        # One result is all that these strides leave; they are three problems.
        known = set()
        for stride in (7, Fraction(7, 2), Fraction(7, 3)):
            problem = prepare(np.zeros(2), np.ones(2), CallOptions(stride=stride)).problem
            assert problem.y_shape == (1,)
            known.add(planner_of(problem).description(problem))
        assert len(known) == 3
    finally:
        pyconv._engine.planner.WISDOM.forget()
        clear_caches()


# ---- memory ---------------------------------------------------------------------------------


def test_slabs(rng, monkeypatch):
    """What is converted on the way is in parts, which begin with whole periods."""
    seen, samples = [], slabs._Slabs._samples

    def counted(self, x, start, n):
        seen.append((start, n))
        return samples(self, x, start, n)

    monkeypatch.setattr(slabs._Slabs, "_samples", counted)
    monkeypatch.setattr(slabs, "SLAB", 500)
    monkeypatch.setattr(slabs, "SPANS", 1)
    clear_caches()
    for place, ((up, down), mode, boundary) in enumerate(
        itertools.product(RATES, EXTENTS, BOUNDARIES)
    ):
        if down % up == 0 or place % 2:
            continue
        for x_dtype, w_dtype in (("f2", "f4"), (">c8", "f4"), ("c8", "c8"), (">i2", "i2")):
            x, w = small(rng, (2, 140), x_dtype), small(rng, 9, w_dtype)
            asked = {"mode": mode, "boundary": boundary, "fill_value": 3 if w_dtype != "f4" else 0}
            expected, _ = resample(x, w, up, down, **asked)
            y = pyconv.correlate(x, w, stride=Fraction(down, up), **asked)
            assert_exact(y, expected, y.dtype)
    assert len(seen) > 500
    assert any(start for start, _ in seen)
    clear_caches()


@pytest.mark.parametrize("method", METHODS)
def test_memory_that_is_too_little(rng, method):
    """The message names the least that would do, and it does."""
    n, taps = (20, 9) if method == "reference" else (900, 300)  # a block of it is one result
    x, w = noise(rng, (2, n), "c8"), noise(rng, taps, "f4")
    options = {"stride": Fraction(2, 3), "method": method}
    expected = pyconv.correlate(x, w, **options)
    with pytest.raises(MemoryError, match="the least that would do is") as caught:
        pyconv.correlate(x, w, max_memory=1000, **options)
    y = pyconv.correlate(x, w, max_memory=caught.value.least, **options)
    np.testing.assert_allclose(y, expected, atol=1e-3)


# ---- errors ---------------------------------------------------------------------------------

X, W = np.arange(12.0), np.ones(3)
#: Arguments → the error and words of its message.
REFUSED = {
    "kernel of two axes": (
        {"x": np.ones((4, 4)), "w": np.ones((2, 2)), "stride": (Fraction(1, 2), 1)}, ValueError,
        ["stride=(Fraction(1, 2), 1)", "one dimension", "w has 2"],
    ),
    "one fraction for two axes": (
        {"x": np.ones((4, 4)), "w": np.ones((2, 2))}, ValueError, ["stride=Fraction(3, 2)", "one"],
    ),
    "two for one": ({"stride": (Fraction(1, 2), 1)}, ValueError, ["stride=", "2 entries", "1"]),
    "zero": ({"stride": Fraction(0)}, ValueError, ["stride=Fraction(0, 1)", "above 0"]),
    "negative": ({"stride": Fraction(-1, 2)}, ValueError, ["stride=Fraction(-1, 2)", "above 0"]),
    "a float beside it": ({"stride": (Fraction(1, 2), 0.5)}, ValueError, ["2 entries"]),
    "tiny": ({"stride": Fraction(1, 2**60)}, ValueError, ["stride 1/1152921504606846976", "2**59"]),
    "huge": ({"stride": Fraction(2**61 + 1, 2)}, ValueError, ["stride", "2**59"]),
    "mask": ({"mask": X > 3}, ValueError, ["stride=Fraction(3, 2)", "mask", "whole strides"]),
    "masked array": ({"x": np.ma.array(X, mask=X > 3)}, ValueError, ["mask", "whole strides"]),
    "NaN left out": (
        {"nan_policy": "omit"}, ValueError, ["stride=Fraction(3, 2)", "nan_policy='omit'"],
    ),
    "NaN refused": ({"x": X * np.nan, "nan_policy": "raise"}, ValueError, ["x holds NaN"]),
    "rounding": (
        {"dtype": "u1", "rounding": "half_even"}, ValueError,
        ["rounding='half_even'", "stride=Fraction(3, 2)", "None is allowed"],
    ),
    "another's method": ({"method": "im2col"}, ValueError, ["method='im2col'", *METHODS]),
    "nothing left": ({"mode": [(-30, 0)]}, ValueError, ["empty along axis 0", "23 places"]),
    "out of another shape": ({"out": np.empty(3)}, ValueError, ["out", "(3,)"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    """The message names the argument and what is allowed; nothing is written."""
    given, error, words = REFUSED[case]
    options = {"x": X, "w": W, "stride": Fraction(3, 2), **given}
    out = options.setdefault("out", np.full((7,), 5.0))
    for call in (pyconv.correlate, pyconv.convolve, pyconv.explain, pyconv.plan):
        if call is pyconv.plan:
            if "out" in given or given.get("nan_policy") == "raise":
                continue
            options.pop("out")
        with pytest.raises(error) as caught:
            call(**options)
        for word in words:
            assert word in str(caught.value)
    assert (out == 5).all() or "out" in given


def test_others_take_whole_strides():
    """Whatever reads a stride and has no use for a fraction says so."""
    stride = Fraction(3, 2)
    for call in (
        lambda: pyconv.coverage(X, W, stride=stride, mask=X > 3),
        lambda: operators.linear_operator(X.shape, W, stride=stride),
        lambda: operators.sparse_matrix(X.shape, W, stride=stride),
    ):
        with pytest.raises(ValueError, match=r"stride=Fraction\(3, 2\) is a fraction"):
            call()
    with pytest.raises(TypeError, match=r"stride=Fraction\(3, 2\): integers"):
        pyconv.filters.gaussian(X, 1, stride=stride)
    with pytest.raises(TypeError, match=r"Fraction\(3, 2\)"):
        pyconv.nn.functional.conv1d(X[None, None], W[None, None], stride=stride)


def test_labelled_arrays_take_whole_strides():
    """Coordinates cannot be cut to a fraction."""
    xarray = pytest.importorskip("xarray")
    import pyconv.xarray  # noqa: F401

    with pytest.raises(ValueError, match="coordinates of a dimension take whole strides"):
        xarray.DataArray(X, dims="t").pyconv.correlate(W, dims="t", stride=Fraction(3, 2))


# ---- few results of many phases, weights that are no numbers ------------------------------------


@pytest.mark.parametrize("method", ["auto", "polyphase", "direct", "fft", "reference"])
def test_a_weight_that_is_nan_reaches_the_results_that_read_it(method):
    """Other phases do not read it, and results between samples read nothing."""
    x, w = np.ones(40), np.array([1.0, np.nan, 1.0, 2.0])
    y = pyconv.correlate(x, w, "full", stride=Fraction(1, 2), method=method)
    spoilt = 0 if np.isnan(y[0]) else 1
    assert np.isnan(y[spoilt::2]).all()
    assert np.isfinite(y[1 - spoilt :: 2]).all()
    alone = pyconv.correlate(x, w[1:2], "full", stride=Fraction(1, 7), method=method)
    assert np.isnan(alone[::7]).all()
    assert np.isnan(alone).sum() == len(x)


@pytest.mark.parametrize(
    ("n", "taps", "stride"),
    [
        (150, 4 * 9001, Fraction(8191, 9001)),
        (10, 1000, Fraction(7, 10**5)),
        (7, 30, Fraction(10**5, 9)),
        (50, 2049, Fraction(2, 1025)),
    ],
)
@pytest.mark.parametrize("dtype", ["f8", "i4", "c16"])
@pytest.mark.parametrize("boundary", ["constant", "mirror"])
def test_rates_of_many_phases(rng, n, taps, stride, dtype, boundary):
    """Each result sums the taps that lie on samples, however many phases there are."""
    x = rng.integers(-9, 9, n).astype(dtype)
    w = rng.integers(-9, 9, taps).astype(dtype)
    y = pyconv.convolve(x, w, "full", boundary, stride=stride)
    n_y = -(-((n - 1) * stride.denominator + taps) // stride.numerator)
    assert y.shape == (n_y,)
    for i in rng.integers(0, n_y, 60):
        place = int(i) * stride.numerator
        total = 0
        for m in range((place - taps) // stride.denominator - 1, place // stride.denominator + 2):
            u = place - m * stride.denominator
            if 0 <= u < taps:
                total += w[u] * (x[_mirrored(m, n)] if boundary == "mirror" else (
                    x[m] if 0 <= m < n else 0))  # fmt: skip
        assert y[i] == total
    if boundary == "constant" and dtype == "f8":
        up, down = stride.denominator, stride.numerator
        np.testing.assert_array_equal(signal.upfirdn(w, x, up, down), y)


def _mirrored(m, n):
    """Return the sample that lies at a place outside."""
    m %= 2 * (n - 1)
    return min(m, 2 * (n - 1) - m)


def test_the_method_of_fractions_is_told_of_a_whole_stride():
    for stride in (2, Fraction(2, 1)):
        with pytest.raises(ValueError, match=r"^method='polyphase' is for strides that are frac"):
            pyconv.correlate(np.ones(9), np.ones(3), stride=stride, method="polyphase")


@pytest.mark.parametrize("stride", [1.5, "3/2", [1.5]])
def test_a_number_that_is_no_fraction(stride):
    with pytest.raises(TypeError, match=r"an integer of at least 1, or a fractions.Fraction"):
        pyconv.correlate(np.ones(9), np.ones(3), stride=stride)
