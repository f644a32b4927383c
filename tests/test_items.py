"""An item has the bits that it has alone: in a batch, by a plan, from a pickle, beside gaps.

Over the tables of algorithms, dtypes, extents and boundaries, for kernels shorter and longer than
the array, and for every way in which samples may be left out.
"""

import itertools
import pickle

import numpy as np
import pytest
from arrays import bits, noise
from conftest import one_in

import pyconv
from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.planning import prepare
from pyconv._engine.problem import CallOptions

METHODS = ["auto", *(a.name for a in ALGORITHMS)]
#: Shapes of an item and of the kernel.
SHAPES = {
    "line": ((300,), (15,)),
    "long line": ((4000,), (301,)),
    "short line": ((20,), (47,)),
    "image": ((30, 41), (7, 7)),
    "wide kernel": ((50, 60), (31, 31)),
    "wider kernel": ((6, 9), (13, 11)),
}
BORDERS = [("valid", "constant"), ("full", "constant"), ("same", "nearest"), ("same", "wrap")]
ITEMS = 4


def weights(method, shape, dtype):
    """Return weights that an algorithm takes, whose sum is not near zero."""
    rng = np.random.default_rng(1)
    real = np.zeros(0, dtype).real.dtype
    if method == "box":
        return np.full(shape, 1 / 3, real)
    if method == "separable":
        rows = [rng.random(k) + 0.5 for k in shape]
        return (rows[0] if len(rows) == 1 else np.multiply.outer(*rows)).astype(real)
    if method == "recursive":
        rows = [np.exp(-((np.arange(k) - k // 2) ** 2) / (k / 4) ** 2 / 2) for k in shape]
        return np.multiply.outer(*rows).astype(real)
    return rng.random(shape).astype(real)


def options_of(method):
    """Return what lets an algorithm run."""
    granted = {"recursive": 1e-3, "box": 1e-3}
    return {"method": method, "rtol": granted.get(method)}


def ways(x, w, mode, boundary, **options):
    """Yield the results of one item by every way to ask for it alone."""
    yield pyconv.correlate(x, w, mode, boundary, **options)
    shape = {"shape": x.shape, "x_dtype": x.dtype}
    plan = pyconv.plan(w=w, mode=mode, boundary=boundary, **shape, **options)
    yield plan(x)
    yield pickle.loads(pickle.dumps(plan))(x)
    yield pyconv.correlate(x[np.newaxis], w, mode, boundary, **options)[0]


def assert_alone(x, w, mode, boundary, options, whole=None, of_items=None):
    """Assert that the items of a batch have the bits that they have alone; return the batch."""
    every = options | (whole or {})
    y = pyconv.correlate(x, w, mode, boundary, **every)
    shape = {"shape": x.shape, "x_dtype": x.dtype}
    plan = pyconv.plan(w=w, mode=mode, boundary=boundary, **shape, **every)
    assert bits(plan(x)) == bits(y)
    for i, item in enumerate(x):
        more = of_items[i] if of_items else {}
        for alone in ways(item, w, mode, boundary, **options, **more):
            assert bits(alone) == bits(y[i]), (i, mode, boundary, options)
    return y


def cases(method, kind, dtype):
    """Yield extents and boundaries that an algorithm can do."""
    shape, taps = SHAPES[kind]
    for mode, boundary in BORDERS:
        if mode == "valid" and any(k > n for k, n in zip(taps, shape, strict=True)):
            continue
        try:
            x, w = np.ones((2, *shape), dtype), weights(method, taps, dtype)
            pyconv.plan(x, w, mode, boundary, **options_of(method))
        except ValueError:
            continue
        yield mode, boundary


def skip_slow(method, kind):
    """Skip what takes seconds, and what the page about performance excepts."""
    if method in ("reference", "im2col") and kind in ("wide kernel", "long line"):
        pytest.skip("takes seconds")
    if method == "recursive" and len(SHAPES[kind][0]) == 1:
        pytest.skip("a line is cut into pieces where there are few")


EVERY = one_in(2, ["f4", "f8", "c8", "f2"], list(SHAPES), METHODS)


@pytest.mark.parametrize(("dtype", "kind", "method"), EVERY)
def test_an_item_is_the_same_alone_by_plan_and_call(rng, method, kind, dtype):
    """And with a mask that hides nothing, and where NaN may be left out and there is none."""
    skip_slow(method, kind)
    shape, taps = SHAPES[kind]
    x, w = noise(rng, (ITEMS, *shape), dtype), weights(method, taps, dtype)
    spoilt = x.copy()
    spoilt[1].flat[5] = np.nan
    for mode, boundary in cases(method, kind, dtype):
        options = options_of(method)
        y = assert_alone(x, w, mode, boundary, options)
        for more in ({"nan_policy": "omit"}, {"mask": np.zeros(shape, bool)}):
            assert bits(assert_alone(x, w, mode, boundary, options | more)) == bits(y)
        with np.errstate(all="ignore"):
            z = pyconv.correlate(spoilt, w, mode, boundary, **options)
        assert bits(z[[0, 2, 3]]) == bits(y[[0, 2, 3]])


@pytest.mark.parametrize(("dtype", "kind", "method"), EVERY)
def test_an_item_is_the_same_beside_gaps(rng, method, kind, dtype):
    """Of its own, of others, or of all."""
    skip_slow(method, kind)
    shape, taps = SHAPES[kind]
    x, w = noise(rng, (ITEMS, *shape), dtype), weights(method, taps, dtype)
    hidden = rng.random(x.shape) < 0.02
    hidden[[0, 3]] = False
    hidden[1].flat[5] = True
    gaps = x.copy()
    gaps[hidden] = np.nan
    shared = hidden[1]
    for mode, boundary in cases(method, kind, dtype):
        options = options_of(method)
        plain = pyconv.correlate(x, w, mode, boundary, **options)
        y = assert_alone(gaps, w, mode, boundary, options | {"nan_policy": "omit"})
        assert bits(y[[0, 3]]) == bits(plain[[0, 3]])
        masks = {"mask": hidden}, [{"mask": m} for m in hidden]
        z = assert_alone(x, w, mode, boundary, options, *masks)
        assert bits(z) == bits(y)
        assert_alone(x, w, mode, boundary, options | {"mask": shared})


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "f2"])
@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
def test_gaps_in_every_layout(rng, method, dtype):
    """Copies that are not aligned, not native, in another order."""
    for shape, taps in SHAPES.values():
        x, w = noise(rng, (ITEMS, *shape), dtype), weights(method, taps, dtype)
        x[rng.random(x.shape) < 0.02] = np.nan
        room = np.frombuffer(b"-" + x.tobytes(), np.uint8)[1:]
        copies = {
            "swapped": x.astype(x.dtype.newbyteorder()),
            "unaligned": room.view(x.dtype).reshape(x.shape),
            "Fortran": np.asfortranarray(x),
        }
        for n, mode in itertools.product((1, ITEMS), ("full", "same")):
            options = {"method": method, "nan_policy": "omit"}
            y = pyconv.correlate(x[:n], w, mode, **options)
            for name, other in copies.items():
                z = pyconv.correlate(other[:n], w, mode, **options)
                assert bits(z) == bits(y), (name, shape, n, mode)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("axes", [(1, 2), (2, 1), (0, 2), (2, 0), (0, 1)])
def test_items_under_longer_kernels_lie_along_any_axes(rng, axes, flip):
    """Exchanged, cut or as written: on every pair of axes, with strides, into any array."""
    ways = set()
    for (dtype, taps), mode in itertools.product(
        (("i4", (11, 9)), ("f8", (11, 9)), ("f8", (41, 39)), ("c16", (41, 39))),
        ("full", "same", "pads"),
    ):
        pads = [(taps[0] - 1, taps[0] - 2), (taps[1] + 3, taps[1] - 1)]
        x, w = noise(rng, (5, 6, 7), dtype), noise(rng, taps, dtype)
        (batch,) = {0, 1, 2} - set(axes)
        call = pyconv.convolve if flip else pyconv.correlate
        for stride in (1, (2, 3)):
            options = {"mode": pads if mode == "pads" else mode, "stride": stride}
            every = CallOptions(**options, axes=axes, flip=flip)
            prepared = prepare(x, w, every)
            ways.add((prepared.exchange is not None, prepared.cut is not None))
            y = call(x, w, axes=axes, **options)
            order = (0, 1) if axes[0] < axes[1] else (1, 0)
            items, results = np.moveaxis(x, batch, 0), np.moveaxis(y, batch, 0)
            for item, result in zip(items, results, strict=True):
                alone = call(item, w, axes=order, **options)
                assert bits(alone) == bits(np.ascontiguousarray(result))
            plain = call(x, w, axes=axes, method="direct", **options)
            np.testing.assert_allclose(y, plain, rtol=1e-12, atol=1e-11)
            out = np.empty_like(y)
            assert call(x, w, axes=axes, out=out, **options) is out
            assert bits(out) == bits(y)
    assert ways == {(False, False), (True, False), (False, True)}


def test_exchanged_items_that_are_not_finite(rng):
    """They are summed as written, as all are under infinite weights; the others are exchanged."""
    x, w = rng.standard_normal((6, 20)), rng.standard_normal(400)
    assert prepare(x, w, CallOptions(mode="full")).exchange is not None
    x[1, 3], x[4, 0] = np.nan, np.inf
    with np.errstate(all="ignore"):
        y = assert_alone(x, w, "full", "constant", {})
        np.testing.assert_array_equal(
            np.isfinite(y), np.isfinite(pyconv.correlate(x, w, "full", method="direct"))
        )
        w[7] = np.inf
        assert_alone(x, w, "full", "constant", {})


@pytest.mark.parametrize("method", ["auto", "direct", "fft", "im2col"])
@pytest.mark.parametrize("flip", [False, True])
def test_taps_that_read_zeros_alone_are_left_out(rng, flip, method):
    """The sum is the same, but for weights that are not finite: those taps make NaN of zeros."""
    call = pyconv.convolve if flip else pyconv.correlate
    for shape, taps in (((9,), (60,)), ((1,), (8,)), ((5, 40), (33, 7)), ((4, 3, 2), (9, 1, 12))):
        x, w = rng.standard_normal((3, *shape)), rng.standard_normal(taps)
        far = [(k + 4, k - 2) for k in taps]
        for mode, stride in (("same", 1), (far, 2), ([(3, k + 9) for k in taps], 1)):
            options = {"stride": stride, "mode": mode}
            y = assert_alone(x, w, mode, "constant", {"stride": stride, "method": method})
            plain = call(x, w, method="reference", **options)
            z = call(x, w, method=method, **options)
            np.testing.assert_allclose(z, plain, rtol=1e-12, atol=1e-12)
            assert flip or bits(z) == bits(y)
            edge = w.copy()
            edge.flat[0] = edge.flat[-1] = np.inf
            with np.errstate(all="ignore"):
                z = call(x, edge, method=method, **options)
                plain = call(x, edge, method="reference", **options)
            np.testing.assert_array_equal(np.isfinite(z), np.isfinite(plain))
            whole = call(x.astype("i2"), w.astype("i2"), **options)
            plain = call(x.astype("i2"), w.astype("i2"), method="reference", **options)
            np.testing.assert_array_equal(whole, plain)
            if all(k > 2 * n for n, k in zip(shape, taps, strict=True)) and mode == "same":
                every = CallOptions(**options, flip=flip, method=method)
                assert prepare(x, w, every).cut is not None


def test_a_cut_keeps_its_dilation_and_boundaries(rng):
    """Taps fall out along axes with zeros outside alone."""
    x = rng.integers(-9, 9, (4, 7, 6))
    for taps, dilation, boundary in itertools.product(
        ((19, 20), (3, 40), (40, 3)), (1, 2, 3, (5, 1)), ("constant", ("constant", "wrap"))
    ):
        w = rng.integers(-9, 9, taps)
        for mode in ("same", [(50, 60), (70, 41)]):
            options = {"dilation": dilation, "boundary": boundary, "mode": mode}
            spans = np.subtract(taps, 1) * dilation
            if mode != "same" and max(spans) > 100:
                continue
            y = pyconv.correlate(x, w, **options)
            plain = pyconv.correlate(x, w, method="reference", **options)
            np.testing.assert_array_equal(y, plain)
        y = pyconv.correlate(x, w, "same", dilation=dilation, fill_value=2)
        plain = pyconv.correlate(x, w, "same", dilation=dilation, fill_value=2, method="reference")
        np.testing.assert_array_equal(y, plain)


@pytest.mark.parametrize("boundary", ["nearest", "symmetric", "mirror", "wrap"])
def test_taps_that_read_one_sample_are_added(rng, boundary):
    """Along an axis of one sample; not where infinities of both signs would have met."""
    for shape, taps in (((1, 30), (7, 5)), ((30, 1), (4, 9)), ((1,), (6,)), ((1, 8, 1), (3, 2, 5))):
        x, w = rng.standard_normal((3, *shape)), rng.random(taps) + 0.1
        mixed, infinite = w.copy(), w.copy()
        mixed.flat[0], infinite.flat[1] = -0.1, np.inf
        x[1].flat[0], x[2].flat[-1] = np.inf, np.nan
        for weights, options in itertools.product(
            (w, -w, mixed, infinite), ({}, {"method": "direct"}, {"rtol": 0.0}, {"method": "fft"})
        ):
            every = CallOptions(mode="same", boundary=boundary, **options)
            prepared = prepare(x, weights, every)
            assert (prepared.cut is None) == ("rtol" in options)
            with np.errstate(all="ignore"):
                plain = pyconv.correlate(x, weights, "same", boundary, method="reference")
                y = assert_alone(x, weights, "same", boundary, options)
            np.testing.assert_allclose(y, plain, rtol=1e-12, atol=1e-12)


def test_an_explanation_says_what_is_summed_in_the_place_of_a_call(rng):
    """Of the data, for some do not allow for it; rows stay those of the call as written."""
    cut = "w (9,) without weights that read zeros alone, by 'direct'"
    added = "w (1, 5) of sums of weights that read one sample, by 'direct'"
    exchanged = "each item of x as the kernel of w, by 'direct'"
    both = cut.replace("9", "5999", 1).replace("by", "each item of x as the kernel of w, by")
    both = both.replace("direct", "fft")
    for x_shape, taps, options, instead in (
        ((5,), (99,), {"mode": "same"}, cut),
        ((6, 20), (400,), {"mode": "full"}, exchanged),
        ((1, 30), (7, 5), {"mode": "same", "boundary": "nearest"}, added),
        ((3000,), (30000,), {"mode": "same"}, both),
        ((5,), (99,), {"mode": "same", "method": "reference"}, ""),
        ((30,), (3,), {"mode": "same"}, ""),
    ):
        x, w = rng.standard_normal(x_shape), rng.random(taps) + 0.1
        plan = pyconv.plan(x, w, **options)
        for why in (pyconv.explain(x, w, **options), plan.explain(),
                    pickle.loads(pickle.dumps(plan.explain()))):  # fmt: skip
            assert why.instead == instead
            lines = str(why).split("\n")
            assert (f"in its place: {instead}" in lines) == bool(instead)
            assert not instead or instead.endswith(f"by {plan.algorithm!r}")
            assert why.flops == 2 * w.size * plan(x).size  # of the definition
        w.flat[-1] = np.inf
        assert not pyconv.explain(x, w, **options).instead.startswith("w ")
