"""Sums of 8-bit samples in fixed point: SciPy's integers, to the last of them.

Data are noise, of which some sums lie next to whole numbers, steps of two values, of which many
do, and flat areas, of which all do. One test shows that fixed point alone fails on them.
"""

import itertools
import math

import numpy as np
import pytest
import scipy.ndimage

import pyconv
from pyconv import ndimage
from pyconv._engine import planner
from pyconv._engine.algorithms.correlation import fixed_point
from pyconv._engine.algorithms.correlation.rounded_sum import RoundedSum
from pyconv._engine.algorithms.terms import box_terms, kernel_terms, line_terms
from pyconv._engine.machine import MACHINE
from pyconv._engine.planner import clear_cache
from pyconv._engine.planning import ROUNDING_PLANNER, BoundProblem
from pyconv._engine.problem import make_problem
from pyconv.ndimage import _several_axes, _weighted_sums
from pyconv.ndimage._gaussian import kernel_1d

MODES = ("reflect", "mirror", "nearest", "wrap", "constant")
#: Lengths around the vectors and the steps of every variant, and rows that are filtered together.
SIZES = (1, 2, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 300)


def samples(rng, shape, dtype, kind="noise"):
    """Return values all over the range, or two of them."""
    if kind == "noise":
        x = rng.integers(0, 256, shape, np.uint8)
    else:
        x = np.where(rng.random(shape) < 0.5, 20, 100).astype(np.uint8)
    return x % 3 == 0 if dtype == "bool" else x.view(dtype)


@pytest.fixture
def only_fixed(monkeypatch):
    """Fail where sums are not made in fixed point."""
    monkeypatch.setattr(RoundedSum, "rejects", lambda self, problem: "not in fixed point")
    clear_cache()
    yield
    clear_cache()


def problem_of(x_shape, x_dtype, w_shape, output, **options):
    """Return the problem of sums along axes in turn, cut to integers."""
    options = {
        "dtype": output, "overflow": "wrap", "rounding": "towards_zero", "by_axis": True,
        "boundary": "symmetric",
    } | options  # fmt: skip
    return make_problem(x_shape, np.dtype(x_dtype), w_shape, np.dtype(np.float64), **options)


def in_turn(x, weights, output, method):
    """Return the sums along the first axes, which read one sample before them."""
    shape = tuple(map(len, weights))
    pads = [(1, k - 2) for k in shape]
    axes = range(len(weights))
    problem = problem_of(x.shape, x.dtype, shape, output, mode=pads, axes=tuple(axes))
    algorithm = ROUNDING_PLANNER.choose(problem, method, np.concatenate(weights))
    unread = np.ones((1,) * len(weights))
    return BoundProblem(problem, algorithm).solve(x, unread, None, None)


def same(name, x, *args, **keywords):
    """Assert that a function gives what SciPy's does."""
    np.testing.assert_array_equal(
        getattr(ndimage, name)(x, *args, **keywords),
        getattr(scipy.ndimage, name)(x, *args, **keywords),
    )


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_axes_in_turn(isa, only_fixed, dtype, rng):
    """Every mode and rank; what is cut after one axis is what the next one reads."""
    for n, mode in itertools.product(SIZES, MODES):
        cval = {"constant": -7 if dtype == "int8" else 250}.get(mode, 0)
        for shape in ((21, n), (n, 70), (6, 5, n), (5, n, 3), (2, 3, 70)):
            x = samples(rng, shape, dtype)
            same("gaussian_filter", x, 1.1, mode=mode, cval=cval)
    for shape in ((40, 65), (9, 8, 70), (3, 4, 5, 70)):
        x = samples(rng, shape, dtype)
        for order in range(4):
            same("gaussian_filter", x, 1.4, order=order)
        same("uniform_filter", x, 4, origin=-1)
        same("gaussian_laplace", x, 1)
        if dtype == "uint8":
            same("gaussian_gradient_magnitude", x, 1)
        same("gaussian_filter", x, (2, 0.7), axes=(0, 1))
        same("gaussian_filter", x, (0.7, 2), axes=(-1, 0))


@pytest.mark.parametrize("output", ["bool", "uint8", "int8", "int16", "uint16", "int32", "int64"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool"])
def test_results_are_stored_as_sums_in_double_are(isa, output, dtype, rng):
    """Every result wraps alike, also that of a pass which another one reads."""
    lines = [
        [0.2, 0.5, 0.3], [1.5, 2.25, 1.5], [-0.5, 0, 0.5], [0.3, 5.5, -0.3], [0.0, 0.0], [3.7],
        [1, 2, 1], [-0.7, 1.1], [0.0] * 3,
    ]  # fmt: skip
    for shape, w in itertools.product([(9,), (70,), (12, 130), (130, 12)], map(np.array, lines)):
        x = samples(rng, shape, dtype)
        expected = x
        for count in range(1, len(shape) + 1 if len(w) > 1 else 1):
            last = np.moveaxis(expected, count - 1, 0)
            last = np.moveaxis(in_turn(last, [w], output, "rounded_sum"), 0, count - 1)
            expected = np.ascontiguousarray(last)
            try:
                y = in_turn(x, [w] * count, output, "fixed_point")
            except ValueError:
                # A middle beside differences; more than 16 bits of a pass; more than 8 between.
                odd = w.tolist() == [0.3, 5.5, -0.3] or output == "uint16"
                wide = np.dtype(output).itemsize > 1
                assert odd or (count > 1 and shape[-1] < 64 and wide)
            else:
                np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("kind", ["noise", "steps"])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_sums_beside_whole_numbers(isa, only_fixed, kind, dtype, rng):
    """Along rows, columns and planes, by kernels of one, two and three axes."""
    x = samples(rng, (150, 301), dtype, kind)
    for sigma in (0.6, 1, 2, 3, 8):
        same("gaussian_filter1d", x, sigma, 0)
        same("gaussian_filter1d", x, sigma, 1)
        same("gaussian_filter", x, sigma, order=1)
    for w in (rng.random((5, 5)), np.full((5, 5), 0.04), rng.random((2, 7)) - 0.5):
        same("correlate", x, w)
    volume = samples(rng, (7, 33, 70), dtype, kind)
    for shape in ((3, 3, 3), (2, 1, 4), (5, 2, 1)):
        same("correlate", volume, np.full(shape, 1 / math.prod(shape)))
        same("convolve", volume, rng.random(shape), mode="constant", cval=3)
    same("gaussian_filter", volume, 2)


def test_fixed_point_alone_is_not_enough(rng):
    """The data have sums that rounding decides: cut in fixed point they would be others."""
    x = samples(rng, (256, 301), "uint8", "steps")
    x[:, 200:] = np.arange(256)[:, np.newaxis]
    padded = np.pad(x.astype(np.int64), ((0, 0), (8, 8)), "symmetric")
    wrong = 0
    for sigma in (0.5, 0.8, 1, 1.7, 2):
        kernel = kernel_1d(sigma, 0, 8)
        weights = fixed_point.fixed_weights(line_terms(kernel), 0, 255)
        digits = weights.fraction + fixed_point.LOW_DIGITS
        middle, *half = weights.multiples.tolist()
        multiples = [*half, 2 * middle, *half[::-1]]
        total = sum(w * padded[:, u : u + x.shape[1]] for u, w in enumerate(multiples))
        wrong += np.count_nonzero(total >> digits != ndimage.correlate1d(x, kernel))
    assert wrong > 0


def test_flat_areas(isa, only_fixed):
    """Every value: sums are whole but for their last bits, which decide."""
    for sigma in (0.5, 1, 1.7, 3.3):
        x = np.repeat(np.arange(256, dtype=np.uint8), 140).reshape(256, 140)
        same("gaussian_filter1d", x, sigma, 1)
        same("gaussian_filter1d", x.view(np.int8), sigma, 1)
        same("gaussian_filter1d", np.ascontiguousarray(x.T), sigma, 0)
    for value in (1, 127, 128, 255):
        x = np.full((40, 150), value, np.uint8)
        x[20, 75] = 3
        same("gaussian_filter", x, 2)
        same("correlate", x, np.full((5, 5), 1 / 25))


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_some_outputs_of_a_step_are_flat(isa, only_fixed, dtype, rng):
    """Columns of one value each, and flat areas whose neighbours in the vector are noise."""
    for n in SIZES:
        columns = np.repeat(samples(rng, (1, n), dtype), 40, axis=0)
        patches = samples(rng, (40, n), dtype)
        patches[:, n // 3 : n // 2] = np.array(-1).astype(dtype)
        patches[5:30, : n // 4] = 17
        for x in (columns, patches, np.ascontiguousarray(columns.T)):
            for sigma in (0.7, 1.5, 4):
                same("gaussian_filter", x, sigma)
                same("gaussian_filter1d", x, sigma, 0, order=2)
            same("correlate", x, [[0.2, 0.5, 0.2], [0.0, 0.05, 0.05]])


def test_every_mean_of_every_sum():
    """The multiple of 1/n is above it by so little that cutting gives the same: all that occur."""
    for n in range(2, 129):
        weights = fixed_point.fixed_weights(box_terms(n), -128, 255)
        shift = weights.fraction + fixed_point.LOW_DIGITS
        total = np.arange(-128 * n, 255 * n + 1, dtype=np.int64)
        exact = np.sign(total) * (np.abs(total) // n)
        high, low = divmod(int(weights.multiples[0]), 2**fixed_point.LOW_DIGITS)
        value = total * high + (total * low >> fixed_point.LOW_DIGITS)
        value += (value >> 63) & (2**weights.fraction - 1)
        np.testing.assert_array_equal(value >> weights.fraction, exact)
        assert shift == 30
        assert max(high, low) < 2**15
    assert fixed_point.fixed_weights(box_terms(129), 0, 255) is None


def cut(x, w, w_shape, window, y, **options):
    """Write sums of ``x`` that are cut to integers."""
    step = _weighted_sums.cut_sums(x.shape, x.dtype, w, w_shape, window, y.dtype, **options)
    step(x, y)


@pytest.mark.parametrize("n", [2, 3, 5, 31, 128])
def test_means(isa, only_fixed, n, rng):
    """Of both signs, along every axis."""
    for dtype in ("uint8", "int8"):
        x = samples(rng, (40, 131), dtype)
        for axis in (0, 1):
            y = np.empty(x.shape, dtype)
            low = n // 2
            window = _weighted_sums.Window((axis,), (n,), (low,), ("wrap",), 0.0)
            cut(x, None, (n,), window, y)
            pads = [(0, 0), (0, 0)]
            pads[axis] = (low, n - 1 - low)
            padded = np.pad(x.astype(int), pads, "wrap")
            windows = np.lib.stride_tricks.sliding_window_view(padded, n, axis)
            np.testing.assert_array_equal(y, np.trunc(windows.sum(-1) / n))


def test_weights_are_refused_where_sums_would_not_fit():
    """Of 16 bits, of 32 bits, with too few digits, or of what is no number."""
    for w in ([9.0], [np.inf, 0.5], [np.nan], [1e-9] * 300, [2.0**12]):
        assert fixed_point.fixed_weights(kernel_terms(np.array(w)), 0, 255) is None
    fits = fixed_point.fixed_weights(kernel_terms(np.array([7.5, -2.0])), 0, 255)
    assert (fits.lowest, fits.highest) == (-510, 1912)
    assert not fits.doubtful
    x = np.ones((4, 70), np.uint8)
    for mode, cval in (("constant", 0.5), ("constant", 256), ("constant", np.nan)):
        both = [
            module.gaussian_filter(x, 1, mode=mode, cval=cval) if cval == cval else None
            for module in (ndimage, scipy.ndimage)
        ]
        np.testing.assert_array_equal(*both)
    ndimage.gaussian_filter(x, 1, mode="constant", cval=np.nan)


def test_layouts_outputs_and_inputs(only_fixed, rng):
    """Strided, reversed, read-only, into strides, into itself."""
    x = samples(rng, (60, 90), "uint8")
    expected = scipy.ndimage.gaussian_filter(x, 1.5)
    views = [x.T.copy().T, x[::-1].copy()[::-1], np.repeat(x, 2, 1)[:, ::2], x.copy()]
    views[-1].flags.writeable = False
    for view in views:
        np.testing.assert_array_equal(ndimage.gaussian_filter(view, 1.5), expected)
    for y in (np.empty((120, 180), np.uint8)[::2, ::-2], np.empty((90, 60), np.uint8).T, x):
        assert ndimage.gaussian_filter(x, 1.5, output=y) is y
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_more_rows_than_lines_are_kept_of(isa, only_fixed, dtype, rng):
    """Rows so wide that a slab is filtered a few at a time, or by panels of columns."""
    with pyconv.set_workers(1):  # threads would be given fewer rows each
        for shape in ((90, 4100), (2, 70, 3100)):
            x = samples(rng, shape, dtype)
            same("gaussian_filter", x, 1)
        for shape in ((20, 66_000), (3, 9, 66_000)):
            x = samples(rng, shape, dtype)
            for output in (None, np.int32):
                same("gaussian_filter1d", x, 1, -2, output=output)
                same("correlate", x[..., :17_000], np.full((3,) * x.ndim, 0.05), output=output)


@pytest.mark.parametrize("mode", MODES)
def test_short_rows_of_volumes(isa, only_fixed, mode, rng):
    """Those that follow each other are summed as one, but for planes and rows outside."""
    for shape in ((9, 7, 64), (12, 20, 127), (2, 40, 80), (40, 2, 65), (3, 9, 513), (6, 5, 40, 3)):
        x = samples(rng, shape, "uint8")
        given = {"mode": mode, "cval": 3, "axes": (0, 1, 2)}
        for output in ("uint8", "int16"):
            same("gaussian_filter", x, (1, 1.3, 0.8), output=output, **given)
            same("uniform_filter", x, (3, 4, 5), output=output, **given)


def test_flat_on_one_side(isa, only_fixed, rng):
    """Differences of rows that are one value and of others that are not."""
    x = np.where(rng.random((60, 200)) < 0.5, 20, 70).astype(np.uint8)
    x[:30] = 20
    for w, view in itertools.product(([-0.2, 0, 0.2], [-0.1, -0.2, 0, 0.2, 0.1]), (x, x[::-1])):
        same("correlate1d", view.copy(), w, 0)


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_threads(only_fixed, workers, rng, monkeypatch):
    """The same for every number of threads."""
    monkeypatch.setattr(MACHINE, "seconds_per_thread", 1e-9)  # as many as are allowed
    for shape in ((300, 900), (12, 90, 130), (9, 70_000), (70_000,)):
        x = samples(rng, shape, "uint8")
        alone = ndimage.gaussian_filter(x, 3)
        with pyconv.set_workers(workers):
            np.testing.assert_array_equal(ndimage.gaussian_filter(x, 3), alone)


def test_what_is_filtered_in_turn_is_kept_in_order(only_fixed, rng, monkeypatch):
    """Axes out of order, and short rows as they lie, are one call too if results have 8 bits."""
    calls = []

    def count(shape, x_dtype, w, w_shape, *arguments, **options):
        step = cut_sums(shape, x_dtype, w, w_shape, *arguments, **options)
        calls.append((len(w_shape), step is not None))
        return step

    cut_sums = _weighted_sums.cut_sums
    monkeypatch.setattr(_several_axes, "cut_sums", count)
    monkeypatch.setattr(_weighted_sums, "cut_sums", count)
    x = samples(rng, (20, 30, 80), "uint8")
    ndimage.gaussian_filter(x, 1)
    assert calls == [(3, True)]
    calls.clear()
    ndimage.gaussian_filter(x, 1, axes=(2, 0))
    assert calls == [(2, True)]
    calls.clear()
    ndimage.gaussian_filter(x[:, :, :4], 1)
    assert calls == [(3, True)]  # seen with another axis last
    calls.clear()
    ndimage.gaussian_filter(x[:, :, :9], 1)
    assert calls == [(3, True)]


def test_roots_of_squares(isa):
    """All pairs of 8 bits, as NumPy has them in half precision; lengths around blocks."""
    first = np.repeat(np.arange(256, dtype=np.uint8), 256)
    second = np.tile(np.arange(256, dtype=np.uint8), 256)
    total = first * first + second * second
    expected = np.sqrt(total).astype(np.uint8)
    for n in (1, 63, 8192, 8193, 65536):
        y = first[:n].copy()
        isa.root_of_squares(y, [second[:n]])
        np.testing.assert_array_equal(y, expected[:n])
    isa.root_of_squares(first, [second, second])
    again = (total + second * second).astype(np.uint8)
    np.testing.assert_array_equal(first, np.sqrt(again).astype(np.uint8))


def test_passes_in_turn_do_not_write_what_they_read(isa, only_fixed, rng):
    """Arrays of short rows, so long that a pass writes rows before it has read all."""
    for shape in ((5000, 40), (40, 1500, 20), (3000, 7, 9)):
        x = samples(rng, shape, "uint8")
        same("gaussian_filter", x, 3)
        same("gaussian_filter", x, 2, axes=tuple(range(len(shape)))[::-1])
        same("uniform_filter", x, 5)


def table(problem, w, method="auto"):
    """Return the rows of the table of a problem's algorithms, by their names."""
    chosen = ROUNDING_PLANNER.choose(problem, method, w).name
    return {row.algorithm: row for row in ROUNDING_PLANNER.explained(problem, method, chosen, w)}


def test_the_planner_sees_rounded_sums(rng):
    """A table of both ways, a word to force one, and memory that is too little."""
    w = rng.random(9) / 9
    problem = problem_of((300, 400), "uint8", (9,), np.uint8, mode="same")
    rows = table(problem, w)
    assert list(rows) == ["rounded_mean", "fixed_point", "rounded_sum", "reference"]
    assert rows["fixed_point"].chosen
    assert "rounded half to even" in rows["rounded_mean"].rejected
    assert rows["rounded_sum"].rejected is None
    for row in (rows["fixed_point"], rows["rounded_sum"]):
        assert row.workspace > 0
    assert table(problem, w, "rounded_sum")["rounded_sum"].chosen
    # A copy of samples that are not contiguous is counted too.
    copied = 300 * 400
    assert rows["fixed_point"].workspace > copied
    little = problem_of((300, 400), "uint8", (9,), np.uint8, mode="same", max_memory=copied)
    assert table(little, w)["rounded_sum"].chosen
    assert "more than max_memory" in table(little, w)["fixed_point"].rejected
    less = problem_of((300, 400), "uint8", (9,), np.uint8, mode="same", max_memory=1000)
    least = min(rows[name].workspace for name in ("fixed_point", "rounded_sum"))
    with pytest.raises(MemoryError, match=f"is {least} bytes"):
        ROUNDING_PLANNER.choose(less, w=w)


@pytest.mark.parametrize(
    ("x_dtype", "w", "shape", "options", "reasons"),
    [
        ("int16", [0.5], (1,), {}, ("more than 8 bits", None)),
        ("uint8", [2.0**12], (1,), {}, ("would not fit", None)),
        ("uint8", [0.5, 0.5], (1, 1), {}, (None, "stored before the next")),
        ("uint8", [0.5, 0.5], (1, 1), {"axes": (1, 0)}, (None, "stored before the next")),
        ("uint8", [0.5] * 2, (1, 1), {"axes": (1, 0), "dtype": "int32"},
         ("along an axis have more than 8", "stored before the next")),
        ("uint8", [0.5], (1,), {"stride": 17}, ("left out", "left out")),
        ("uint8", [0.5] * 2, (2,), {"dilation": 2}, ("left out", None)),
        ("uint8", [0.5], (1,), {"rounding": "half_even"}, ("not rounded", None)),
        ("uint8", [0.5], (1,), {"rounding": "half_even", "dtype": "bool"},
         ("not rounded", "bool, that are rounded half to even")),
        ("uint8", [0.5] * 3, (3,), {"boundary": "constant", "fill_value": 0.5},
         ("no integer of 16 bits", None)),
        ("uint8", [0.5] * 3, (3,), {"boundary": "constant", "fill_value": 300},
         ("no integer of 8 bits", None)),
    ],
)  # fmt: skip
def test_what_an_algorithm_does_not_take_is_said(x_dtype, w, shape, options, reasons):
    problem = problem_of((20, 80), x_dtype, shape, options.pop("dtype", np.uint8), mode="same",
                         **options)  # fmt: skip
    for name, reason in zip(("fixed_point", "rounded_sum"), reasons, strict=True):
        if reason is None:
            assert ROUNDING_PLANNER.choose(problem, name, np.array(w)).name == name
        else:
            with pytest.raises(ValueError, match=f"cannot solve this filter: .*{reason}"):
                ROUNDING_PLANNER.choose(problem, name, np.array(w))


def test_tuning_decides_between_rounded_sums(monkeypatch, rng):
    """What was found fastest runs from then on, and gives the same integers."""
    x = samples(rng, (60, 90), "uint8", "steps")
    expected = ndimage.correlate1d(x, [0.2, 0.3, 0.5])
    problem = problem_of(
        x.shape, x.dtype, (3,), np.uint8, mode="same", max_memory=2**62, rtol=0
    )  # fmt: skip
    w = np.array([0.2, 0.3, 0.5])

    def runner(name):
        plan = BoundProblem(problem, ROUNDING_PLANNER.choose(problem, name, w))
        return lambda: plan.solve(x, w, None, 1)

    try:
        times = ROUNDING_PLANNER.tune(problem, runner, w, None)
        assert times.keys() == {"fixed_point", "rounded_sum"}
        monkeypatch.setattr(planner, "least_seconds", lambda *_: {"rounded_sum": 1.0})
        ROUNDING_PLANNER.tune(problem, runner, w, None)
        assert ROUNDING_PLANNER.choose(problem, w=w).name == "rounded_sum"
        monkeypatch.delattr(fixed_point.FixedPoint, "bind")
        np.testing.assert_array_equal(ndimage.correlate1d(x, w), expected)
    finally:
        planner.WISDOM.forget()
        clear_cache()
