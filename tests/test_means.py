"""Means of 8-bit samples as integers: exact sums, divided and rounded half to even."""

import numpy as np
import pytest

from pyconv import filters
from pyconv._calls import filter_call
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.planning import ROUNDING_PLANNER
from pyconv._engine.problem import make_problem
from pyconv._engine.rounding_planning import rounded_run

#: Our boundary names → those of np.pad.
PADS = {
    "constant": "constant", "nearest": "edge", "symmetric": "symmetric", "mirror": "reflect",
    "wrap": "wrap",
}  # fmt: skip
#: Lengths around the vectors of every variant, rows of several samples a pixel, stacks of images.
SHAPES = [
    ((1, 31), (0, 1)), ((9, 33), (0, 1)), ((40,), (0,)), ((30, 31, 3), (0, 1)),
    ((3, 12, 64), (0, 1)), ((5, 6, 65), (1, 2)), ((5, 6, 7), (0, 2)), ((20, 100), (0,)),
    ((20, 5), (0,)), ((4, 9, 65), (2,)),
]  # fmt: skip


@pytest.fixture
def only_exact(monkeypatch):
    """Fail where means are not made from exact sums."""

    def required(*args, **keywords):
        run = rounded_run(*args, **keywords)
        assert run is not None
        return run

    monkeypatch.setattr(filter_call, "rounded_run", required)


def mean(x, size, axes, boundary, fill=0):
    """Return the means: integers are summed and divided."""
    pads = [(size // 2, (size - 1) // 2) if a in axes else (0, 0) for a in range(x.ndim)]
    options = {"constant_values": fill} if boundary == "constant" else {}
    total = np.pad(x.astype(np.int64), pads, PADS[boundary], **options)
    for axis in axes:
        total = np.lib.stride_tricks.sliding_window_view(total, size, axis=axis).sum(-1)
    n = size ** len(axes)
    whole, rest = np.divmod(total, n)
    return whole + ((2 * rest > n) | ((2 * rest == n) & (whole % 2 == 1)))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_every_mean_is_rounded_from_its_exact_sum(isa, only_exact, rng, dtype, boundary):
    """Even sizes have sums halfway between two whole numbers."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    fill = low + 3 if boundary == "constant" else 0
    for shape, axes in SHAPES:
        x = rng.integers(low, high + 1, shape).astype(dtype)
        for size in (1, 2, 3, 6, 31):
            y = filters.box(x, size, axes=axes, boundary=boundary, fill_value=fill, dtype=dtype)
            expected = mean(x, size, axes, boundary, fill)
            np.testing.assert_array_equal(y, expected.astype(dtype), strict=True)


@pytest.mark.parametrize("size", [127, 128])
def test_the_largest_boxes(isa, only_exact, rng, size):
    """Whose sums of a row just fit 16 bits."""
    x = rng.integers(0, 256, (140, 150)).astype(np.uint8)
    x[:60] = 255
    y = filters.box(x, size, dtype=np.uint8)
    np.testing.assert_array_equal(y, mean(x, size, (0, 1), "symmetric"))


@pytest.mark.parametrize("size", [(2, 7), (2, 41), (511, 127)])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_sums_beside_halves_whose_quotient_in_float_is_elsewhere(isa, only_exact, dtype, size):
    """14 is rounded up by its inverse, 82 down; the third is odd, and has sums next to halves."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    n = size[0] * size[1]
    half = n * np.arange(low, high) + n // 2
    totals = np.concatenate((half, half + n % 2))
    near = np.rint(totals.astype(np.float32) * (np.float32(1) / np.float32(n)))
    expected = np.rint(totals / n)
    wrong = np.flatnonzero(near != expected)
    assert len(wrong) or (n > 10_000 and dtype == "int8")
    chosen = wrong if n < 10_000 else np.append(wrong[-2:], [0, len(totals) - 1])
    x = np.empty((len(chosen), n), dtype)
    for row, total in zip(x, totals[chosen], strict=True):
        row[:] = total // n
        row[: total % n] += 1
    y = filters.box(
        x.reshape(-1, *size), size, axes=(1, 2), boundary="constant", dtype=dtype, workers=1
    )
    np.testing.assert_array_equal(y[:, size[0] // 2, size[1] // 2], expected[chosen])


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("fill", [0, 300, -1000])
def test_sums_beside_halves_of_every_number_of_samples(isa, only_exact, dtype, fill):
    """Sums of 16 bits are divided by a product; what is read outside decides whether they fit."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    for n in range(2, 262, 7 if fill else 1):
        totals = n * np.arange(low, high) + n // 2
        totals = np.concatenate((totals - 1, totals, totals + 1, [low * n, high * n]))
        totals = np.clip(totals, low * n, high * n)
        x = (totals // n)[:, None] + (np.arange(n) < (totals % n)[:, None])
        x = x.astype(dtype)[..., None]
        y = filters.box(
            x, (n, 1), axes=(1, 2), boundary="constant", fill_value=fill, dtype=np.int16, workers=1
        )
        np.testing.assert_array_equal(y[:, n // 2, 0], np.rint(totals / n), str(n))
        first = x[:, : (n - 1) // 2 + 1, 0].sum(1, dtype=int) + n // 2 * fill
        np.testing.assert_array_equal(y[:, 0, 0], np.rint(first / n), str(n))


def test_other_boxes_are_rounded_from_floats(rng):
    """Larger ones, volumes, wider samples and outsides that are not whole."""
    x = rng.integers(0, 256, (20, 140)).astype(np.uint8)

    def run_of(x_dtype, size, fill=0):
        return rounded_run(
            x.shape, np.dtype(x_dtype), size, None, "same", "constant", fill, (0, 1),
            np.dtype(np.uint8), "saturate",
        )  # fmt: skip

    for size, fill in (((3, 129), 0), ((3, 3), 0.5), ((3, 3), np.nan), ((3, 3), 1e9)):
        assert run_of("uint8", size, fill) is None
    assert run_of("int16", (3, 3)) is None
    assert run_of("uint8", (3, 3)) is not None
    y = filters.box(x, 3, dtype=np.uint8, boundary="constant", fill_value=0.5)
    assert np.array_equal(y, np.rint(filters.box(x, 3, boundary="constant", fill_value=0.5)))


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_means_that_a_dtype_cannot_hold(only_exact, rng, overflow):
    x = rng.integers(-128, 128, (20, 70)).astype(np.int8)
    exact = mean(x, 3, (0, 1), "symmetric")
    for dtype in ("uint8", "int16", "uint16", "int64", "uint64"):
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        expected = exact.clip(low, min(high, 2**62)) if overflow == "saturate" else exact
        y = filters.box(x, 3, dtype=dtype, overflow=overflow)
        np.testing.assert_array_equal(y, expected.astype(dtype), strict=True)


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_threads_and_layouts(only_exact, rng, workers):
    """The same for every number of threads, and for every view of the samples."""
    x = rng.integers(0, 256, (300, 1100)).astype(np.uint8)
    alone = filters.box(x, 5, dtype=np.uint8, workers=1)
    np.testing.assert_array_equal(filters.box(x, 5, dtype=np.uint8, workers=workers), alone)
    frozen = x.copy()
    frozen.flags.writeable = False
    for view in (x[::-1].copy()[::-1], np.repeat(x, 2, 1)[:, ::2], x.T.copy().T, frozen):
        np.testing.assert_array_equal(filters.box(view, 5, dtype=np.uint8), alone)
    assert filters.box(x, 5, dtype=np.uint8, out=x) is x
    np.testing.assert_array_equal(x, alone)


def test_outsides_that_no_sample_holds(only_exact, rng):
    """Arrays that are copied to be filtered, too: a slab of them could not hold such a border."""
    for shape in ((20, 30), (2_200_000, 3), (3_100_000, 2)):
        x = rng.integers(0, 256, shape).astype(np.uint8)
        for fill in (-300, 1000):
            y = filters.box(
                x, 3, boundary="constant", fill_value=fill, dtype=np.int16, overflow="wrap"
            )
            np.testing.assert_array_equal(y, mean(x, 3, (0, 1), "constant", fill))


def test_boxes_whose_rows_exceed_the_memory_of_other_calls(only_exact):
    """No limit is named: 66,000 rows of a panel take half a gigabyte."""
    x = np.full((2, 5000), 255, np.uint8)
    x[0, :7] = 1
    y = filters.box(x, (65_000, 1), boundary="wrap", dtype=np.uint8)
    np.testing.assert_array_equal(y, np.broadcast_to(np.rint(x.mean(0)), x.shape))


def problem_of(x_shape, x_dtype, size, **options):
    """Return the problem of means as 8-bit integers."""
    options = {
        "mode": "same", "dtype": np.uint8, "overflow": "wrap", "rounding": "half_even"
    } | options  # fmt: skip
    ones = np.dtype(np.float32)
    return make_problem(x_shape, np.dtype(x_dtype), size, ones, mean=True, **options)


def test_the_planner_sees_rounded_means():
    """A table of their algorithms, a word to force one, and memory that is too little."""
    problem = problem_of((512, 512), "uint8", (5, 5))
    chosen = ROUNDING_PLANNER.choose(problem)
    assert chosen.name == "rounded_mean"
    assert ROUNDING_PLANNER.choose(problem, "rounded_mean").name == "rounded_mean"
    rows = {row.algorithm: row for row in ROUNDING_PLANNER.explained(problem, "auto", chosen.name)}
    row = rows["rounded_mean"]
    assert row.chosen
    assert row.rejected is None
    assert 0 < row.workspace < 1 << 20
    assert row.error_bound == 0
    little = problem_of((512, 512), "uint8", (5, 5), max_memory=1000)
    with pytest.raises(MemoryError, match=f"is {row.workspace} bytes"):
        ROUNDING_PLANNER.choose(little)
    arguments = (
        (512, 512), np.dtype("uint8"), (5, 5), None, "same", "symmetric", 0, (0, 1),
        np.dtype("uint8"), "wrap",
    )  # fmt: skip
    assert rounded_run(*arguments, max_memory=row.workspace - 1) is None
    assert rounded_run(*arguments, max_memory=row.workspace) is not None


@pytest.mark.parametrize(
    ("shape", "dtype", "size", "options", "reason"),
    [
        ((20, 30), "int16", (3, 3), {}, "more than 8 bits"),
        ((20, 30, 40), "uint8", (3, 3, 3), {}, "more than two axes"),
        ((20, 30), "uint8", (3, 129), {}, "a row do not fit 16 bits"),
        ((20, 30), "uint8", (3000, 100), {}, "a box do not fit 24 bits"),
        ((20, 30), "uint8", (3, 3), {"stride": 5}, "left out"),
        ((20, 30), "uint8", (3, 3), {"dilation": 2}, "left out"),
        ((20, 30), "uint8", (3, 3), {"fill_value": 0.5}, "no integer of 16 bits"),
        ((20, 30), "uint8", (3, 3), {"dtype": bool}, "no numbers"),
        ((20, 30), "uint8", (3, 3), {"rounding": "towards_zero"}, "rounded half to even"),
    ],
)
def test_what_the_loop_does_not_take_is_said(shape, dtype, size, options, reason):
    with pytest.raises(ValueError, match=f"cannot solve this filter: .*{reason}"):
        ROUNDING_PLANNER.choose(problem_of(shape, dtype, size, **options), "rounded_mean")


def test_too_little_memory_is_named():
    """The error says how much is enough, though it is the tables of pads that do not fit."""
    with pytest.raises(MemoryError, match="max_memory=0 is too little") as raised:
        ROUNDING_PLANNER.choose(problem_of((20, 30), "uint8", (3, 3), max_memory=0), "rounded_mean")
    least = int(str(raised.value).split()[-2])
    for memory, enough in ((least, True), (least - 1, False)):
        problem = problem_of((20, 30), "uint8", (3, 3), max_memory=memory)
        if enough:
            assert ROUNDING_PLANNER.choose(problem, "rounded_mean").name == "rounded_mean"
        else:
            with pytest.raises(MemoryError):
                ROUNDING_PLANNER.choose(problem, "rounded_mean")
