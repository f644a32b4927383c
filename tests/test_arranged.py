"""Axes in another order: every shape gives the right result, an item the bits it has alone."""

import numpy as np
import oracles
import pytest

import pyconv
from pyconv._engine import planning
from pyconv._engine.algorithms import ALGORITHMS, arranged
from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._engine.algorithms.correlation import direct
from pyconv._engine.problem import make_problem
from pyconv.nn import functional, grad

#: Arrays with a short last axis, thin ones, kernels with axes of one tap.
THIN = [
    ((40, 1), (5, 5)),
    ((40, 1), (5, 1)),
    ((1, 40), (1, 5)),
    ((400, 1), (3, 3)),
    ((1, 400), (3, 3)),
    ((3, 400), (3, 1)),
    ((90, 2), (3, 4)),
    ((90, 2), (4, 1)),
    ((90, 2), (1, 2)),
    ((30, 3), (1, 3)),
    ((30, 8), (5, 6)),
    ((20, 20, 1), (3, 3, 1)),
    ((20, 20, 3), (3, 3, 1)),
    ((20, 20, 3), (3, 4, 3)),
    ((20, 1, 20), (3, 1, 3)),
    ((70, 1, 1), (3, 3, 3)),
    ((1, 70, 1), (1, 4, 1)),
    ((40, 3, 3), (3, 2, 3)),
    ((9, 10, 11), (4, 1, 1)),
    ((9, 10, 11), (1, 4, 1)),
    ((9, 10, 11), (1, 1, 4)),
    ((9, 10, 11), (3, 1, 4)),
    ((9, 10, 2), (1, 1, 1)),
]
METHODS = ["auto", *(a.name for a in ALGORITHMS if not isinstance(a, WeightDependentAlgorithm))]


def _problem(x_shape, w_shape, **options):
    dtype = np.dtype("f4")
    return make_problem(x_shape, dtype, w_shape, dtype, **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("x_shape", "w_shape"), THIN)
def test_every_shape_gives_the_oracles_result(isa, rng, method, x_shape, w_shape):
    """Under every extent and border, strided and dilated, with the batch in front or behind."""
    n = len(x_shape)
    w = rng.standard_normal(w_shape)
    for lead, trail in (((), ()), ((5,), ()), ((), (3,))):
        x = rng.standard_normal((*lead, *x_shape, *trail))
        axes = tuple(range(len(lead), len(lead) + n))
        for mode, boundary in (("same", "mirror"), ("full", "constant"), ("same", "wrap")):
            for stride, dilation in ((1, 1), (2, 1), (1, 2)):
                if (stride, dilation) != (1, 1) and (method == "reference" or lead or trail):
                    continue
                options = {"axes": axes, "stride": stride, "dilation": dilation}
                y = pyconv.correlate(x, w, mode, boundary, method=method, **options)
                expected, scale = oracles.correlate(x, w, mode, boundary, **options)
                assert y.shape == expected.shape
                assert abs(y - expected).max() <= 1e-11 * scale.max()


@pytest.mark.parametrize("kind", ["product", "equal"])
@pytest.mark.parametrize(("x_shape", "w_shape"), THIN)
def test_weights_are_seen_in_the_same_order(rng, kind, x_shape, w_shape):
    """By algorithms that only some weights are fit for."""
    factors = [rng.standard_normal(k) if kind == "product" else np.ones(k) for k in w_shape]
    w = np.ones(())
    for factor in factors:
        w = np.multiply.outer(w, factor)
    x = rng.standard_normal(x_shape)
    for method, rtol in (("separable", None), ("box", None), ("recursive", 0.5)):
        for flip in (pyconv.correlate, pyconv.convolve):
            try:
                y = flip(x, w, "same", "nearest", method=method, rtol=rtol)
            except ValueError as error:
                assert "cannot solve this problem" in str(error)  # noqa: PT017
                continue
            turned = flip is pyconv.convolve
            expected, scale = oracles.correlate(x, w, "same", "nearest", flip=turned)
            assert abs(y - expected).max() <= max(1e-10, rtol or 0) * scale.max()


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "complex64", ">f4"])
def test_every_dtype_in_every_layout(rng, dtype):
    """Whole numbers, which every dtype sums exactly, into arrays of every kind."""
    for x_shape, w_shape in THIN:
        x = rng.integers(0, 5, x_shape).astype(dtype)
        w = rng.integers(0, 3, w_shape).astype(dtype)
        expected, _ = oracles.correlate(x, w, "same", "symmetric")
        for view in (x, np.asfortranarray(x), x[..., ::-1].copy()[..., ::-1]):
            y = pyconv.correlate(view, w, "same", "symmetric", overflow="wrap")
            assert y.flags.c_contiguous
            np.testing.assert_array_equal(y.astype(expected.dtype), expected.astype(y.dtype))
            out = np.empty(y.shape[::-1], y.dtype).T
            assert pyconv.correlate(view, w, "same", "symmetric", overflow="wrap", out=out) is out
            np.testing.assert_array_equal(out, y)


def _seen(x_shape, w_shape, **options):
    """Return the numbers of the axes z, y and x that the loops of `direct` go along."""
    problem = _problem(x_shape, w_shape, **options)
    arrangement = arranged.arrangement_of(problem, "direct")
    seen = problem if arrangement is None else arrangement.problem(problem)
    form = direct.form_of(seen)
    return [(a.size, a.taps, a.out, a.low) for a in form.axes], form.group, form.line


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (((4096, 1), (5, 1)), ((1, 4096), (1, 5))),
        (((4096, 1), (5, 5)), ((1, 4096), (5, 5))),
        (((4096, 2), (5, 3)), ((2, 4096), (3, 5))),
        (((64, 64, 1), (5, 5, 1)), ((1, 64, 64), (1, 5, 5))),
        (((64, 64, 1), (5, 5, 5)), ((1, 64, 64), (5, 5, 5))),
        (((64, 1, 64), (5, 5, 5)), ((1, 64, 64), (5, 5, 5))),
        (((4096, 1, 1), (5, 1, 1)), ((1, 1, 4096), (1, 1, 5))),
        (((1, 4096, 1), (3, 5, 3)), ((1, 1, 4096), (3, 3, 5))),
        (((400, 3, 3), (5, 3, 3)), ((3, 3, 400), (3, 3, 5))),
        (((4096, 3), (1, 3)), ((3, 4096), (3, 1))),
    ],
)
def test_a_shape_is_seen_as_its_transpose(one, other):
    """The loops go along the same axes, with a long one last."""
    assert _seen(*one, mode="same") == _seen(*other, mode="same")
    assert _seen(*one, mode="same")[0][2][0] >= 64


def test_arrays_of_usual_shapes_are_seen_as_they_are():
    """Nothing is copied, or looked at in another order, without need."""
    for x_shape, w_shape in [((64, 64), (3, 3)), ((9, 9), (3, 3)), ((5, 3), (3, 3)), ((7,), (3,)),
                             ((16, 16, 16), (3, 3, 3)), ((40, 9), (3, 3))]:  # fmt: skip
        problem = _problem(x_shape, w_shape, mode="same")
        assert arranged.arrangement_of(problem, "fft") is None


# ---- an item of a batch -------------------------------------------------------------------------


ITEMS = [
    ((100,), (17,)),
    ((300,), (40,)),
    ((310,), (100,)),
    ((400,), (7,)),
    ((1000,), (33,)),
    ((1000,), (201,)),
    ((3,), (3,)),
    ((200,), (101,)),
    ((30, 31), (7, 7)),
    ((64, 64), (15, 15)),
    ((40, 2), (5, 3)),
    ((1, 400), (3, 5)),
    ((9, 10, 11), (1, 3, 4)),
]


@pytest.mark.parametrize("method", ["auto", "direct", "fft", "separable", "box"])
@pytest.mark.parametrize(("x_shape", "w_shape"), ITEMS)
def test_an_item_is_summed_as_it_is_alone(isa, rng, method, x_shape, w_shape):
    """To the bit, in batches of every size; an algorithm is chosen for one item."""
    x = rng.random((40, *x_shape), "f4")
    for w in (rng.random(w_shape, "f4"), np.full(w_shape, 0.25, "f4")):
        for dtype in ("f4", "f8"):
            samples, weights = x.astype(dtype), w.astype(dtype)
            try:
                alone = [pyconv.correlate(item, weights, "same", method=method) for item in samples]
            except ValueError:
                assert method in ("separable", "box")
                continue
            for n in (1, 2, 9, 40):
                y = pyconv.correlate(
                    samples[:n], weights, "same", method=method, axes=range(1, x.ndim)
                )
                assert all(np.array_equal(a, b) for a, b in zip(alone, y, strict=False))


@pytest.mark.parametrize("method", ["auto", "fft", "separable", "box", "recursive"])
def test_an_item_does_not_depend_on_its_neighbours_nan(rng, method):
    """To the bit: only the item that holds it is summed plainly."""
    x = rng.random((2, 3, 60, 50), "f4")
    side = np.exp(-(np.linspace(-2.5, 2.5, 17) ** 2))
    w = np.ones((17, 17), "f4") if method == "box" else np.outer(side, side).astype("f4")
    x[0, 1, 30, 20] = np.nan
    x[1, 2, 3, 4] = np.inf
    options = {"method": method, "rtol": 1e-2 if method == "recursive" else None}
    y = pyconv.correlate(x, w, "same", "mirror", **options)
    for at in np.ndindex(2, 3):
        alone = pyconv.correlate(x[at], w, "same", "mirror", **options)
        assert np.array_equal(y[at], alone, equal_nan=True)


@pytest.mark.parametrize(
    ("x_shape", "w", "boundary"),
    [
        ((64, 64), np.full((9, 9), 0.25, "f4"), "nearest"),
        ((1000,), np.full(65, 0.25, "f4"), "nearest"),
        ((500,), np.arange(101, dtype="f4"), "constant"),
        ((24, 24, 24), np.random.default_rng(0).random((9, 9, 9), "f4"), "wrap"),
        ((48, 48), np.outer(np.hanning(11), np.hanning(9)).astype("f4"), "mirror"),
    ],
)
def test_the_algorithm_does_not_depend_on_the_batch(x_shape, w, boundary):
    """Nor do axes before or behind the kernel's."""
    axes = range(-len(x_shape), 0)
    chosen = {
        pyconv.plan(None, w, "same", boundary, shape=(*lead, *x_shape), axes=axes).algorithm
        for lead in ((), (1,), (7,), (1000,), (20, 50))
    }
    behind = pyconv.plan(
        None, w, "same", boundary, shape=(*x_shape, 50), axes=range(len(x_shape))
    ).algorithm
    assert chosen == {behind}


def test_exact_sums_are_chosen_for_the_whole_batch():
    """They have the same bits in every order, and some algorithms are for large batches."""
    w = np.outer(np.arange(1, 8), np.arange(1, 8)).astype("i2")
    shapes = ((24, 24), (4000, 24, 24))
    algorithms = [
        planning.prepare(
            np.broadcast_to(np.zeros((), "i4"), shape), w,
            planning.CallOptions(mode="same"),
        ).plan(np.zeros((), "i4"), w).algorithm.name
        for shape in shapes
    ]  # fmt: skip
    assert algorithms[0] == "direct" != algorithms[1]


# ---- memory and gaps ----------------------------------------------------------------------------


@pytest.mark.parametrize("x_shape", [(60_000, 2), (60_000, 1), (300, 300, 3)])
def test_results_are_copied_within_max_memory(rng, x_shape):
    """A piece at a time, to the same bits."""
    x, w = rng.random(x_shape, "f4"), rng.random((3,) * len(x_shape), "f4")
    whole = pyconv.correlate(x, w, "same", "mirror")
    made = pyconv.plan(x, w, "same", "mirror", max_memory=400_000)
    np.testing.assert_array_equal(made(x), whole)


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize(("x_shape", "w_shape"), THIN)
def test_samples_are_left_out_of_every_shape(rng, method, x_shape, w_shape):
    """NaN and masked samples alike, as by the sums of both parts."""
    x, w = rng.random(x_shape), rng.random(w_shape)
    gap = rng.random(x_shape) < 0.2
    gap.flat[0] = False
    seen, _ = oracles.correlate(~gap * 1.0, w, "same", "mirror")
    total, _ = oracles.correlate(np.where(gap, 0, x), w, "same", "mirror")
    with np.errstate(all="ignore"):
        expected = np.where(seen > 1e-3 * w.sum(), total / seen * w.sum(), np.nan)
    holed = np.where(gap, np.nan, x)
    for given, options in ((holed, {"nan_policy": "omit"}), (x, {"mask": gap})):
        y = pyconv.correlate(given, w, "same", "mirror", method=method, **options)
        known = ~np.isnan(expected)
        np.testing.assert_allclose(y[known], expected[known], rtol=1e-8)


# ---- layers and pools ---------------------------------------------------------------------------

LAYERS = [((40, 1), 3), ((40, 2), 3), ((1, 40), 3), ((40, 1), 1), ((20, 20, 1), 3),
          ((20, 20, 2), 3), ((20, 1, 20), 3), ((40, 1, 1), 3)]  # fmt: skip


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(("sizes", "k"), LAYERS)
def test_layers_do_not_depend_on_the_order_of_axes(rng, sizes, k, groups):
    """A layer, its plan and its gradients are those of the exchanged arrays, exchanged."""
    n = len(sizes)
    x = rng.integers(-3, 4, (2, 4, *sizes)).astype("f4")
    w = rng.integers(-3, 4, (8, 4 // groups, *(k,) * n)).astype("f4")
    options = {"padding": k // 2, "groups": groups}
    order = (0, 1, *range(n + 1, 1, -1))
    back = np.argsort(order)
    conv = getattr(functional, f"conv{n}d")
    by_input, by_weight = (getattr(grad, f"conv{n}d_{a}") for a in ("input", "weight"))
    for stride in (1, 2):
        y = conv(x, w, stride=stride, **options)
        other = conv(x.transpose(order), w.transpose(order), stride=stride, **options)
        _close(y, other.transpose(back))
        images = x.transpose(0, *range(2, n + 2), 1)
        padded = np.pad(images, [(0, 0), *[(k // 2, k // 2)] * n, (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (k,) * n, range(1, n + 1))
        windows = windows[(slice(None), *(slice(None, None, stride),) * n)]
        each = 4 // groups
        for group in range(groups):
            filters = w[group * 8 // groups : (group + 1) * 8 // groups]
            part = windows[..., group * each : (group + 1) * each, *(slice(None),) * n]
            expected = np.tensordot(part, filters, (range(n + 1, 2 * n + 2), range(1, n + 2)))
            part = y[:, group * 8 // groups : (group + 1) * 8 // groups]
            _close(part, np.moveaxis(expected, -1, 1))
        plan = functional.plan_conv(x.shape, w, stride=stride, **options)
        _close(plan(x), y)
        dy = rng.integers(-3, 4, y.shape).astype("f4")
        dx = by_input(x.shape, w, dy, stride=stride, **options)
        dw = by_weight(x, w.shape, dy, stride=stride, **options)
        # <A x, dy> is <x, Aᵀ dy>, and <w, dw>.
        product = np.vdot(y.astype("f8"), dy)
        assert np.vdot(x.astype("f8"), dx) == pytest.approx(product, abs=0.1)
        assert np.vdot(w.astype("f8"), dw) == pytest.approx(product, abs=0.1)


def _close(a, b):
    """Assert that whole numbers are the same, but for the rounding of Winograd's transforms."""
    np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.parametrize("sizes", [s for s, _ in LAYERS])
def test_pools_do_not_depend_on_the_order_of_axes(rng, sizes):
    """Of equal samples the first in the caller's order is found."""
    n = len(sizes)
    x = rng.integers(0, 4, (2, 3, *sizes)).astype("f4")
    order = (0, 1, *range(n + 1, 1, -1))
    back = np.argsort(order)
    padded = np.pad(x, [(0, 0), (0, 0), *[(1, 1)] * n], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3,) * n, range(2, n + 2))
    places = np.pad(np.arange(x[0, 0].size).reshape(sizes), [(1, 1)] * n, constant_values=-1)
    places = np.lib.stride_tricks.sliding_window_view(places, (3,) * n)
    pool = getattr(functional, f"max_pool{n}d")
    for stride in (1, 2):
        every = (slice(None, None, stride),) * n
        seen = windows[(slice(None), slice(None), *every)].reshape(
            2, 3, *places[every].shape[:n], -1
        )
        y, indices = pool(x, 3, stride=stride, padding=1, return_indices=True)
        np.testing.assert_array_equal(y, seen.max(axis=-1))
        at = np.broadcast_to(places[every].reshape(*places[every].shape[:n], -1), seen.shape)
        first = np.take_along_axis(at, seen.argmax(axis=-1)[..., np.newaxis], -1)[..., 0]
        np.testing.assert_array_equal(indices, first)
        alone = pool(x, 3, stride=stride, padding=1)
        assert alone.flags.c_contiguous
        np.testing.assert_array_equal(alone, y)
        for name, options in (("avg", {"padding": 1}), ("avg", {"padding": 1, "ceil_mode": True})):
            average = getattr(functional, f"{name}_pool{n}d")
            y = average(x, 3, stride=stride, **options)
            other = average(x.transpose(order), 3, stride=stride, **options)
            np.testing.assert_allclose(y, other.transpose(back), rtol=1e-6)
            adjoint = getattr(grad, f"{name}_pool{n}d_input")
            dy = rng.integers(-3, 4, y.shape).astype("f4")
            dx = adjoint(x.shape, dy, 3, stride=stride, **options)
            assert np.vdot(dx, x) == pytest.approx(np.vdot(dy, y), abs=1e-2)
    for name in ("adaptive_max_pool", "adaptive_avg_pool"):
        adaptive = getattr(functional, f"{name}{n}d")
        np.testing.assert_allclose(
            adaptive(x, 5), adaptive(x.transpose(order), 5).transpose(back), rtol=1e-6
        )
