"""plan: the same bits as the call, for any number of arrays and threads; explain: why what runs."""

import inspect
import itertools
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from arrays import LAYOUTS, bits, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from test_properties import valid_calls

import pyconv
from pyconv._calls import correlation
from pyconv._engine import output_arrays, planner, planning
from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.dtypes import DTYPES, OVERFLOWS
from pyconv._engine.problem import EXTENTS, CallOptions, make_problem
from pyconv._native import calls
from pyconv.nn import functional


def called(x, w, *args, flip=False, **keywords):
    """Return what the call returns."""
    return (pyconv.convolve if flip else pyconv.correlate)(x, w, *args, **keywords)


def outcome(function, *args, **keywords):
    """Return the bits of a result, or the type and text of what was raised instead."""
    try:
        return bits(function(*args, **keywords))
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        return type(error), str(error)


# ---- plan = call -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["auto", *(a.name for a in ALGORITHMS if not isinstance(a, WeightDependentAlgorithm))]
)
@pytest.mark.parametrize("flip", [False, True])
def test_plan_equals_call(rng, method, flip):
    """Bit for bit, over the tables of extents and boundaries, from an array and from a shape."""
    for mode, boundary in itertools.product([*EXTENTS, [(2, 1), (-1, 3)]], BOUNDARIES):
        keywords = {"fill_value": 2.5, "method": method, "stride": (1, 2)}
        x, w = noise(rng, (3, 20, 21), "float32"), noise(rng, (4, 3), "float32")
        expected = bits(called(x, w, mode, boundary, flip=flip, **keywords))
        for source in ({"x": x}, {"shape": x.shape, "x_dtype": x.dtype}):
            made = pyconv.plan(**source, w=w, mode=mode, boundary=boundary, flip=flip, **keywords)
            assert bits(made(x)) == expected
            assert bits(made(x, workers=3)) == expected


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("dtype", [None, "uint8", "int64", "float32"])
def test_every_pair_of_dtypes(rng, dtype, overflow):
    """The result or the error is that of the call, raised by the plan or by its call."""
    for x_dtype, w_dtype in itertools.product(DTYPES, repeat=2):
        x, w = noise(rng, (40,), x_dtype), noise(rng, (5,), w_dtype)
        keywords = {"dtype": dtype, "overflow": overflow}
        expected = outcome(called, x, w, **keywords)
        shape = {"shape": x.shape, "x_dtype": x_dtype, **keywords}
        assert outcome(lambda: pyconv.plan(x, w, **keywords)(x)) == expected  # noqa: B023
        assert outcome(lambda: pyconv.plan(w=w, **shape)(x)) == expected  # noqa: B023


@given(valid_calls(), st.booleans())
@settings(max_examples=200)
def test_any_call(call, flip):
    """Whatever the keywords."""
    x, w, keywords = call
    expected = outcome(called, x, w, flip=flip, **keywords)
    assert outcome(lambda: pyconv.plan(x, w, flip=flip, **keywords)(x)) == expected


def test_integers_whose_sums_depend_on_the_values(rng):
    """Small values, then values that need wider sums, then none that would do."""
    w = np.array([1, 2**20, -3])
    made = pyconv.plan(shape=50, w=w, x_dtype="int64")
    assert made.algorithm is None
    for largest in (3, 2**20, 2**40, 2**42 - 1):
        x = rng.integers(-largest, largest, 50)
        assert bits(made(x)) == bits(pyconv.correlate(x, w))
        assert made(x).tolist() == [
            sum(int(a) * int(b) for a, b in zip(x[i : i + 3], w, strict=True)) for i in range(48)
        ]
    with pytest.raises(OverflowError, match="outside int64"):
        made(np.full(50, 2**62))
    assert bits(made(np.arange(50))) == bits(pyconv.correlate(np.arange(50), w))


def test_narrow_integers_are_settled(rng):
    """The limits of the dtype bound the sums: the overflow is known before any data."""
    w = np.ones((3, 3), np.uint8)
    assert pyconv.plan(shape=(9, 9), w=w).algorithm is not None
    with pytest.raises(OverflowError, match="outside uint8"):
        pyconv.plan(shape=(9, 9), w=w, dtype="uint8")
    x = rng.integers(0, 256, (9, 9), np.uint8)
    wrapped = pyconv.plan(shape=(9, 9), w=w, dtype="uint8", overflow="wrap")
    assert bits(wrapped(x)) == bits(pyconv.correlate(x, w, dtype="uint8", overflow="wrap"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_weights_decide_about_narrow_integers(rng, dtype):
    """Plans of one shape are kept by their weights; one that is refused is refused each time."""
    x = rng.integers(0, 100, (9, 40)).astype(dtype)
    options = {"mode": "same", "dtype": np.int16, "overflow": "raise"}
    few, many = np.ones((3, 3), np.int64), np.full((3, 3), 2**12)
    if dtype == np.int16:
        options["dtype"], many = np.int32, many * 2**8
    exact = [pyconv.correlate(x.astype(np.int64), w, mode="same") for w in (few, few[::-1] * 2)]
    for _ in range(2):
        for w, right in zip((few, few[::-1] * 2), exact, strict=True):
            np.testing.assert_array_equal(pyconv.correlate(x, w, **options), right)
        with pytest.raises(OverflowError):
            pyconv.correlate(x, many, **options)


@pytest.mark.parametrize("shape", [(64, 64), (1 << 14,), (3, 5, 1 << 12), (1,) * 60 + (1 << 15,)])
@pytest.mark.parametrize("dtype", [*DTYPES])
def test_fresh_results_begin_at_a_line_of_the_cache(shape, dtype):
    y = output_arrays.empty(shape, dtype)
    assert y.shape == shape
    assert y.dtype == dtype
    assert y.flags.carray
    assert y.nbytes < output_arrays._ALIGNED_FROM or y.ctypes.data % 64 == 0
    y[...] = 1
    assert y.all()
    assert (y.base is None) == (y.nbytes < output_arrays._ALIGNED_FROM)


def test_fresh_results_are_as_large_as_they_say():
    """What the compiled function is told is not believed."""
    for size in (0, 399, 401, 2**62):
        with pytest.raises(ValueError, match="has not"):
            calls.aligned((10, 10), np.dtype(np.float32), size)
    for dtype, size in ((object, 80), (np.float64, -80)):
        with pytest.raises(ValueError, match="is allowed here"):
            calls.aligned((10,), np.dtype(dtype), size)
    with pytest.raises((ValueError, MemoryError)):
        calls.aligned((2**60,), np.dtype(np.float32), 2**62)


def test_keys_tell_values_by_their_types():
    """Numbers that are equal are not the same option; classes are, and arrays are no key."""
    keys = [planning.exact_key((o,)) for o in (1, 1.0, True, np.int16, np.dtype(np.int16), "1")]
    assert len(set(keys)) == len(keys)
    assert planning.exact_key((1, None)) == planning.exact_key((1, None))
    assert planning.exact_key(([1, 2],)) != planning.exact_key(([1.0, 2],))
    assert planning.exact_key((np.ones(2),)) is None
    assert planning.exact_key(()) == ((), ())


def test_data_that_would_spoil_a_transform(rng):
    """A plan for transforms still answers locally for a NaN, and transforms again without."""
    x, w = noise(rng, (150, 160), "float32"), noise(rng, (31, 31), "float32")
    made = pyconv.plan(x, w)
    assert made.algorithm == "fft"
    spoilt = x.copy()
    spoilt[70, 80] = np.nan
    assert np.isnan(made(spoilt)).sum() == w.size
    assert bits(made(x)) == bits(pyconv.correlate(x, w))


# ---- what a plan keeps -------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_are_copied(rng, layout):
    """Changing them afterwards changes nothing, whatever their memory layout."""
    x, w = noise(rng, (20, 21), "float32"), LAYOUTS[layout](noise(rng, (3, 4), "float32"))
    expected = bits(pyconv.correlate(x, w))
    writeable = w.flags.writeable
    made = pyconv.plan(x, w)
    assert w.flags.writeable == writeable
    if writeable:
        w[...] = 0
    assert bits(made(x)) == expected
    assert bits(made(LAYOUTS[layout](x))) == expected


@pytest.mark.parametrize("shape", [((200,), (5,)), ((150, 160), (31, 31)), ((90, 80), (3, 3))])
def test_threads_share_a_plan(rng, shape):
    """Many at the same time, each with its own data."""
    arrays = [noise(rng, shape[0], "float32") for _ in range(8)]
    w = noise(rng, shape[1], "float32")
    made = pyconv.plan(shape=shape[0], w=w)
    expected = [bits(pyconv.correlate(x, w)) for x in arrays]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert [bits(y) for y in pool.map(made, arrays)] == expected


def test_integers_share_a_plan(rng):
    """Threads whose values ask for different sums."""
    arrays = [rng.integers(-(2**e), 2**e, 300) for e in (2, 20, 30, 50)] * 4
    w = np.array([3, -5, 7])
    made = pyconv.plan(arrays[0], w)
    expected = [bits(pyconv.correlate(x, w)) for x in arrays]
    with ThreadPoolExecutor(8) as pool:
        assert [bits(y) for y in pool.map(made, arrays)] == expected


def test_out(rng):
    """It is filled and returned; it may be the array itself."""
    x, w = noise(rng, (30, 31), "float64"), noise(rng, (3, 3), "float64")
    made = pyconv.plan(x, w, "same", "mirror")
    expected = bits(made(x))
    for out in (np.empty((30, 31)), np.empty((31, 30)).T, np.empty((30, 31), ">f8")):
        assert made(x, out=out) is out
        assert bits(out) == expected
    assert made(x, x) is x
    assert bits(x) == expected


def test_attributes():
    """Names, shapes and dtypes, in words too."""
    made = pyconv.plan(
        shape=(9, 8, 7), x_dtype=">f8", w=np.ones((2, 3), "f4"), mode="full", axes=(2, 0)
    )
    assert (made.x_shape, made.w_shape, made.y_shape) == ((9, 8, 7), (2, 3), (11, 8, 8))
    assert (made.x_dtype, made.dtype) == (np.float64, np.float64)
    assert made.algorithm in [a.name for a in ALGORITHMS]
    assert made.algorithm in repr(made)
    with pytest.raises(AttributeError):
        made.y_shape = ()


def test_lists_are_converted_where_that_is_safe():
    """An array of another dtype is a mistake; a list has none that was chosen."""
    made = pyconv.plan(shape=3, w=[1.0, 1.0])
    assert made([1, 2, 3]).tolist() == [3, 5]
    with pytest.raises(TypeError, match="x has dtype int64, but the plan is for float64"):
        made(np.array([1, 2, 3]))
    with pytest.raises(TypeError, match="x has dtype complex128"):
        made([1j, 2, 3])


# ---- errors come first -------------------------------------------------------------------------

WRONG = {
    "mode": ({"mode": "sme"}, ValueError, "mode='sme' is unknown"),
    "boundary": ({"boundary": "reflect"}, ValueError, "reflect"),
    "method": ({"method": "fast"}, ValueError, "method='fast' is unknown"),
    "rejected": ({"method": "fft", "rtol": 0}, ValueError, "cannot solve this problem"),
    "memory": ({"max_memory": 1}, MemoryError, "least that would do"),
    "policy": ({"nan_policy": "skip"}, ValueError, "nan_policy='skip' is unknown"),
    "dtype": ({"dtype": "O"}, TypeError, "dtype"),
    "x_dtype": ({"x_dtype": "U3"}, TypeError, "x_dtype has dtype <U3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_raised_by_plan(case):
    """Not by its calls."""
    keywords, error, words = WRONG[case]
    with pytest.raises(error, match=words):
        pyconv.plan(shape=(30, 30), w=np.ones((3, 3)), **keywords)


def test_integers_that_no_values_could_make_right():
    """A forced algorithm that no sums would suit is refused at once."""
    with pytest.raises(ValueError, match="integer results are exact"):
        pyconv.plan(shape=30, w=[1, 2], x_dtype="int64", method="fft")


@pytest.mark.parametrize("call", [pyconv.plan, pyconv.explain])
def test_an_array_is_no_shape(call):
    """A tuple is an array as a list is; a shape is said to be one."""
    w = np.ones(2)
    for x in ((10, 10), [10, 10], np.array([10, 10])):
        assert "x (2,) int64" in str(call(x, w))
    for shape in ((10, 12), [10, 12], np.array([10, 12])):
        assert "x (10, 12) float64" in str(call(shape=shape, w=w))
        assert "x (10, 12) float32" in str(call(shape=shape, x_dtype="f4", w=w))
    assert "x (10,) float64" in str(call(shape=10, w=w))


@pytest.mark.parametrize("call", [pyconv.plan, pyconv.explain, pyconv.tune])
def test_an_array_or_its_shape(call):
    """One of the two, with a dtype that arrays may have; it is refused at once."""
    w = np.ones(2)
    sources = {"neither was": {"w": w}, "both were": {"x": [1, 2], "shape": 2, "w": w}}
    for words, source in sources.items():
        message = f"either x, an array, or shape=, its shape, is allowed; {words} given"
        with pytest.raises(TypeError, match=message):
            call(**source)
    with pytest.raises(TypeError, match="w=None"):
        call([1, 2])
    with pytest.raises(TypeError, match="x_dtype='f4' is for shape="):
        call(np.ones(5), w, x_dtype="f4")
    for x_dtype in ("U3", "O", "M8[s]", np.dtypes.StringDType(), "g", [("a", "f4")]):
        with pytest.raises(TypeError, match="x_dtype has dtype"):
            call(shape=5, x_dtype=x_dtype, w=w)
    for shape in ({3, 4}, {3: 4}, iter((3, 4)), (n for n in (3, 4)), "34", 3.0, (3.0,)):
        with pytest.raises(TypeError, match="shape="):
            call(shape=shape, w=w)


def test_shapes_that_are_refused():
    """The message names the argument and what is allowed."""
    w = np.ones(2)
    with pytest.raises(ValueError, match="non-negative integers"):
        pyconv.plan(shape=(3, -1), w=w)
    with pytest.raises(TypeError, match="shape=2.5: integers are allowed"):
        pyconv.plan(shape=(3, 2.5), w=w)
    for shape in ((2**62, 4), (2**40, 2**40)):
        with pytest.raises(ValueError, match=r"shape=\(.*NumPy can address"):
            pyconv.explain(shape=shape, w=w)
    with pytest.raises(TypeError, match="x_dtype='f4' is for shape="):
        pyconv.plan(np.ones(5), w, x_dtype="f4")
    with pytest.raises(ValueError, match="x has shape"):
        pyconv.plan(shape=3, w=w)(np.ones(4))
    with pytest.raises(TypeError, match="masked"):
        pyconv.plan(shape=3, w=w)(np.ma.ones(3))


def test_nan_policy():
    """Weights are looked at once, arrays at every call."""
    with pytest.raises(ValueError, match="w holds NaN"):
        pyconv.plan(shape=5, w=[1, np.nan], nan_policy="raise")
    made = pyconv.plan(shape=5, w=[1.0, 2.0], nan_policy="raise")
    with pytest.raises(ValueError, match="x holds NaN"):
        made([1, 2, np.nan, 4, 5])
    assert made(np.ones(5)).tolist() == [3] * 4


# ---- explain -----------------------------------------------------------------------------------

EXPLAINED = {
    "small": ((32, 32), (3, 3), "float32", {}),
    "large": ((400, 400), (31, 31), "float32", {"mode": "same"}),
    "plain": ((400, 400), (31, 31), "float32", {"rtol": 0}),
    "tight": ((400, 400), (31, 31), "float32", {"max_memory": 300_000}),
    "complex": ((60, 70), (5, 3), "complex64", {"flip": True}),
    "bytes": ((60, 70), (5, 3), "uint8", {}),
    "long integers": ((300,), (5,), "int64", {"boundary": "wrap", "mode": "full"}),
    "huge span": ((10,), (2,), "float64", {"mode": "full", "dilation": 2**24 + 1, "stride": 10**6}),
    "empty": ((0, 30), (3,), "float32", {}),
    "rounded": ((60, 70), (5, 3), "float32", {"dtype": "int16", "overflow": "saturate"}),
}


@pytest.mark.parametrize("case", EXPLAINED)
@pytest.mark.parametrize("method", ["auto", *(a.name for a in ALGORITHMS)])
def test_explanation_agrees_with_what_runs(rng, case, method):
    """Every algorithm has a row: the chosen one, the reason of each that cannot, the least cost."""
    x_shape, w_shape, dtype, keywords = EXPLAINED[case]
    x, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
    keywords = {"method": method, **keywords}
    try:
        run = planning.plan_for(x, w, **keywords)
    except (ValueError, MemoryError) as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            pyconv.explain(x, w, **keywords)
        return
    why = pyconv.explain(x, w, **keywords)
    assert [row.algorithm for row in why.candidates] == [a.name for a in ALGORITHMS]
    assert [row.algorithm for row in why.candidates if row.chosen] == [why.algorithm]
    assert why.algorithm == run.algorithm.name
    assert why.sums == run.problem.compute
    assert why.flops == 2 * run.problem.products
    if method == "auto":
        able = [row for row in why.candidates if row.rejected is None]
        assert min(able, key=lambda row: row.seconds).algorithm == why.algorithm
        assert all(row.workspace <= run.problem.max_memory for row in able)
    for row, algorithm in zip(why.candidates, ALGORITHMS, strict=True):
        assert row.chosen <= (row.rejected is None)
        assert row.rejected is not None or method in ("auto", row.algorithm)
        reason = algorithm.rejects(run.problem)
        assert reason is None or row.rejected == reason
        assert row.rejected is None or row.rejected in str(why)
        assert row.algorithm in str(why)
    assert [line.split()[1] for line in str(why).splitlines() if "->  " in line] == [why.algorithm]
    assert repr(why) == str(why)


def test_explanation_looks_at_integers():
    """Their values decide the sums; a shape stands for zeros."""
    w = np.array([1, 1])
    assert pyconv.explain(np.arange(9), w).sums == np.float32
    assert pyconv.explain(np.array([2**40, 0, 0]), w).sums == np.float64
    assert pyconv.explain(shape=9, w=w).sums == np.float32
    with pytest.raises(OverflowError):
        pyconv.explain(np.array([2**62, 2**62]), w * 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bounds_are_those_of_the_sums_that_are_rounded(dtype):
    """What they are rounded to, to whole numbers, has no ε of its own."""
    w = np.ones((5, 3), dtype)
    rounded = pyconv.explain(shape=(60, 70), w=w, dtype="int8").candidates
    for row, plain in zip(rounded, pyconv.explain(shape=(60, 70), w=w).candidates, strict=True):
        assert row.error_bound is None or row.error_bound == plain.error_bound


@pytest.mark.parametrize("case", EXPLAINED)
def test_plans_explain_themselves(rng, case):
    """As the call would be explained."""
    x_shape, w_shape, dtype, keywords = EXPLAINED[case]
    w = noise(rng, w_shape, dtype)
    made = pyconv.plan(shape=x_shape, w=w, **keywords)
    assert str(made.explain()) == str(pyconv.explain(shape=x_shape, w=w, **keywords))
    assert made.algorithm in (None, made.explain().algorithm)


def test_explanations_take_every_option_of_the_call(rng):
    """And raise its errors; those that decide nothing change nothing."""
    x, w = noise(rng, (40, 40), "float32"), np.ones((5, 5), "float32")
    called = inspect.signature(pyconv.correlate).parameters
    assert called.keys() - inspect.signature(pyconv.explain).parameters.keys() == set()
    usual = str(pyconv.explain(x, w))
    assert usual == str(pyconv.explain(x, w, nan_policy="raise", out=np.empty((36, 36), "f4")))
    assert usual == str(pyconv.explain(x, w, nan_policy="propagate", mask=None, workers=3))
    for bad, error, words in (
        ({"nan_policy": "skip"}, ValueError, "nan_policy='skip' is unknown"),
        ({"mask": np.ones((3, 3), bool)}, ValueError, "mask has shape"),
        ({"mask": np.ones((40, 40))}, TypeError, "mask has dtype float64"),
        ({"out": np.empty((3, 3), "f4")}, ValueError, "out has shape"),
        ({"out": np.empty((36, 36))}, TypeError, "out has dtype float64"),
        ({"workers": "all"}, TypeError, "workers='all'"),
        ({"mask": x > 0, "dtype": "int8"}, TypeError, "dtype='int8'"),
    ):
        for call in (pyconv.correlate, pyconv.explain):
            with pytest.raises(error, match=re.escape(words)):
                call(x, w, **bad)
    x[3, 3] = np.nan
    for call in (pyconv.correlate, pyconv.explain):
        with pytest.raises(ValueError, match="x holds NaN"):
            call(x, w, nan_policy="raise")
        with pytest.raises(ValueError, match="weights that cancel"):
            call(x, w - 1 + np.eye(5, k=1) - np.eye(5), nan_policy="omit")


def test_explanations_say_what_is_left_out_and_copied(rng):
    """Missing samples, and a result that cannot be written in place."""
    x, w = noise(rng, (40, 40), "float32"), np.ones((5, 5), "float32")
    masked = np.ma.masked_array(x, x > 1)
    for case in (
        pyconv.explain(x, w, mask=x > 1),
        pyconv.explain(x, w, nan_policy="omit"),
        pyconv.explain(masked, w),
        pyconv.explain(shape=(40, 40), w=w, nan_policy="omit"),
    ):
        assert "samples are left out" in str(case)
    assert "left out" not in str(pyconv.explain(np.ones((40, 40), "u1"), w, nan_policy="omit"))
    assert "left out" not in str(pyconv.explain(x, w))
    # The quotients of integers whose samples may be missing are float64.
    integers = np.ones((40, 40), "u1"), np.ones((5, 5), "u1")
    assert "-> (36, 36) float64" in str(pyconv.explain(*integers, mask=integers[0] > 1))
    assert "-> (36, 36) uint64" in str(pyconv.explain(*integers))
    room = np.ones((60, 60), "float32")
    source = room[:40, :40]
    assert "copied into out" in str(pyconv.explain(source, w, out=room[4:40, 4:40]))
    assert "copied into out" not in str(pyconv.explain(source, w, out=np.empty((36, 36), "f4")))


@pytest.mark.parametrize("call", [pyconv.plan, pyconv.explain, pyconv.tune])
@pytest.mark.parametrize("x", [(32, 32), [32, 32], (32,), []])
def test_a_tuple_is_no_shape(call, x):
    """It is data, as a list is; where it cannot be, the error says what takes a shape."""
    with pytest.raises(ValueError, match=re.escape(f"pass shape={x!r}")):
        call(x, np.ones((3, 3)))
    if x:
        assert pyconv.plan(x, [1]).x_shape == (len(x),)


# ---- the options of a call ---------------------------------------------------------------------


@pytest.mark.parametrize("call", ["correlate", "convolve"])
def test_calls_name_their_options_in_one_order(monkeypatch, call):
    """Each argument arrives under its own name."""
    given = {name: object() for name in CallOptions._fields if name != "flip"}
    arrived = []

    def prepare(x, w, options):
        arrived.append(CallOptions(*options)._asdict())
        raise LookupError

    monkeypatch.setattr(correlation, "prepare", prepare)
    with pytest.raises(LookupError):
        getattr(pyconv, call)([1.0], [1.0], **given)
    assert arrived == [given | {"flip": call == "convolve"}]
    defaults = inspect.signature(getattr(pyconv, call)).parameters
    for name, value in CallOptions()._asdict().items():
        assert name == "flip" or defaults[name].default == value


def test_caches_are_bounded():
    """The oldest plans go first."""
    cache = planner.Cache(3)
    for i in range(5):
        assert cache.get(i, lambda n: n + 10, i) == i + 10
    assert list(cache.found) == [2, 3, 4]
    assert cache.get(2, lambda: 0) == 12
    assert cache.get([], lambda: 7) == 7  # no key
    assert len(cache.found) == 3
    for n in range(1, 300):
        pyconv.correlate(np.ones(n), [1.0])
        functional.conv1d(np.ones((1, 1, n)), [[[1.0]]])
    assert len(planner.CALLS.found) == 256
    assert len(planner.LAYERS.found) == 256
    planner.clear_cache()
    assert not planner.CALLS.found
    assert not planner.LAYERS.found


def test_a_problem_has_the_options_that_it_was_made_of():
    """Pickles and adjoints are made of them: none is left at its default."""
    asked = CallOptions(
        flip=True,
        mode=((3, 1),),
        boundary=("constant",),
        fill_value=2.0,
        axes=(0,),
        stride=(2,),
        dilation=(3,),
        dtype=np.dtype(np.int16),
        overflow="saturate",
        rounding="half_even",
        rtol=0.0,
        max_memory=10**6,
    )
    defaults = CallOptions()
    missing = [n for n in CallOptions._fields if getattr(asked, n) == getattr(defaults, n)]
    assert set(missing) <= {"method", "boundary"}  # a fill value stands only beside "constant"
    problem = make_problem((9, 5), np.dtype("f4"), (2,), np.dtype("f4"), **asked.of_problem())
    assert problem.options() == asked
    periodic = asked._replace(boundary=("wrap",), fill_value=0)
    problem = make_problem((9, 5), np.dtype("f4"), (2,), np.dtype("f4"), **periodic.of_problem())
    assert problem.options() == periodic
