"""Layers and pools of dask arrays: the bits of the whole array, however it is cut."""

import itertools
import pickle
import re

import numpy as np
import pytest

from pyconv._pieces import piece_plan
from pyconv.nn import functional

da = pytest.importorskip("dask.array")
assert_eq = pytest.importorskip("dask.array.utils").assert_eq

FLOATS = [np.float32, np.float64, np.float16, np.complex64]
#: Output channels, input channels and groups.
CHANNELS = [(8, 3, 1), (1, 16, 1), (16, 1, 1), (40, 40, 1), (6, 8, 2), (7, 7, 7), (8, 4, 4)]
#: Stride, padding, dilation and padding_mode.
CALLS = [
    (1, 0, 1, "zeros"),
    (1, 1, 1, "zeros"),
    (1, "same", 2, "reflect"),
    (2, 2, 1, "circular"),
    ((1, 3), ((0, 2), (2, 1)), 1, "replicate"),
    (2, 3, 2, "zeros"),
    (3, 1, 1, "reflect"),
]
#: Shapes of images, and their chunks: single samples, fewer than a kernel has, irregular ones.
IMAGES = [
    ((19, 23), ((7, 7, 5), (9, 9, 5))),
    ((6, 9), ((1,) * 6, (2, 0, 4, 3))),
    ((7, 5), ((7,), (1, 4))),
    ((33, 16), ((2, 31), (16,))),
    ((60, 3), ((20, 20, 20), (1, 2))),
]


def cut_batch(n, channels):
    """Return chunks of a batch and of channels."""
    return (1,) * n, (channels // 2, channels - channels // 2) if channels > 1 else (1,)


def check(function, x, chunks, *arguments, **options):
    """Compare a call on chunks with the call on the whole array."""
    expected = function(x, *arguments, **options)
    y = function(da.from_array(x, chunks=chunks), *arguments, **options)
    for found, whole in zip(
        y if isinstance(y, tuple) else (y,),
        expected if isinstance(expected, tuple) else (expected,),
        strict=True,
    ):
        assert isinstance(found, da.Array)
        assert (found.shape, found.dtype, found._meta.dtype) == (
            whole.shape, whole.dtype, whole.dtype,
        )  # fmt: skip
        computed = found.compute(scheduler="synchronous")
        np.testing.assert_array_equal(computed, whole, strict=True)
    return y


# ---- convolutions -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["blocked", "depthwise", "depthwise_lanes", "reference", "auto"])
@pytest.mark.parametrize("channels", CHANNELS)
def test_layers_have_the_bits_of_the_whole_array(rng, channels, method):
    k, c, groups = channels
    if method.startswith("depthwise") and groups != c:
        return
    if method == "reference" and k * c > 100:
        return
    for i, (call, (image, chunks)) in enumerate(itertools.product(CALLS, IMAGES)):
        stride, padding, dilation, mode = call
        dtype, taps = FLOATS[i % 4], [(3, 3), (1, 1), (2, 4)][i % 3]
        if method in ("depthwise", "auto") and groups == c and (stride, dilation) == (2, 1):
            continue  # see below
        x = rng.standard_normal((2, c, *image)).astype(dtype)
        w = rng.standard_normal((k, c // groups, *taps)).astype(dtype)
        bias = rng.standard_normal(k).astype(dtype) if i % 2 else None
        options = {
            "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
            "padding_mode": mode, "method": method,
        }  # fmt: skip
        cut = (*cut_batch(2, c), *chunks)
        try:
            functional.conv2d(x, w, bias, **options)
        except ValueError as error:  # the kernel spans more than there is
            with pytest.raises(ValueError, match=re.escape(str(error))):
                functional.conv2d(da.from_array(x, chunks=cut), w, bias, **options)
            continue
        y = check(functional.conv2d, x, cut, w, bias, **options)
        assert y.chunks[:2] == ((1, 1), (k,))


@pytest.mark.parametrize("shape", [(7, 5), (9, 5), (4, 27), (6, 11), (4, 6), (4, 5, 5), (35,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_last_pixels_are_those_of_the_whole_image(rng, shape, dtype):
    """Too few for a vector, they are summed in another order."""
    n = len(shape)
    x = rng.standard_normal((2, 64, *shape)).astype(dtype)
    w = rng.standard_normal((64, 64, *[3] * n)).astype(dtype)
    for sizes in itertools.product((1, 2, 3, -1), repeat=n):
        check(getattr(functional, f"conv{n}d"), x, (2, 64, *sizes), w, method="blocked")


@pytest.mark.parametrize("method", ["winograd2", "winograd4"])
@pytest.mark.parametrize("channels", [(8, 3, 1), (40, 40, 1), (6, 8, 2)])
def test_tiles_of_winograd_are_those_of_the_whole_image(rng, channels, method):
    k, c, groups = channels
    for i, (image, chunks) in enumerate(IMAGES[:4]):
        x = rng.standard_normal((2, c, *image)).astype(FLOATS[i % 2])
        for taps, mode in itertools.product([(3, 3), (1, 3)], ["zeros", "reflect", "circular"]):
            w = rng.standard_normal((k, c // groups, *taps)).astype(x.dtype)
            options = {"padding": 1, "padding_mode": mode, "groups": groups, "method": method}
            check(functional.conv2d, x, (*cut_batch(2, c), *chunks), w, **options)


@pytest.mark.parametrize("chunks", [3, 50, (1, 9, 40, 33), (2, 5, 101, 77)])
def test_tiles_of_products_of_matrices_are_the_same_in_all_chunks(rng, chunks):
    x = rng.standard_normal((2, 9, 101, 77)).astype(np.float32)
    w = rng.standard_normal((5, 9, 3, 3)).astype(np.float32)
    options = {"stride": (1, 2), "padding": 2, "method": "im2col"}
    whole = functional.conv2d(da.from_array(x, chunks=-1), w, **options)
    if chunks == 3:
        x, whole = x[:, :, :20, :16], functional.conv2d(
            da.from_array(x[:, :, :20, :16], chunks=-1), w, **options
        )  # fmt: skip
    found = functional.conv2d(da.from_array(x, chunks=chunks), w, **options)
    expected = whole.compute(scheduler="synchronous")
    np.testing.assert_array_equal(found.compute(scheduler="synchronous"), expected)
    near = functional.conv2d(x, w, **options)
    np.testing.assert_allclose(expected, near, rtol=0, atol=1e-4)


def test_depthwise_layers_of_stride_2_have_the_same_bits_in_all_chunks(rng):
    x = rng.standard_normal((1, 6, 40, 31)).astype(np.float32)
    w = rng.standard_normal((6, 1, 3, 3)).astype(np.float32)
    for mode in ("zeros", "circular"):
        options = {"stride": 2, "padding": 1, "groups": 6, "padding_mode": mode}
        whole = functional.conv2d(da.from_array(x, chunks=-1), w, method="depthwise", **options)
        assert "depthwise_lanes" in whole.name
        expected = whole.compute(scheduler="synchronous")
        for chunks in ((1, 6, 5, 7), (1, 2, 40, 4), (1, 6, 1, 31)):
            y = functional.conv2d(da.from_array(x, chunks=chunks), w, method="depthwise", **options)
            np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected)
        near = functional.conv2d(x, w, method="depthwise", **options)
        np.testing.assert_allclose(expected, near, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", ["auto", "blocked", "reference"])
def test_layers_of_one_and_three_axes_have_the_bits_of_the_whole_array(rng, method):
    for n, shape, chunks in (
        (1, (3, 4, 51), (2, 3, 7)),
        (1, (4, 300), (4, 64)),
        (3, (2, 3, 9, 8, 11), (1, 2, 4, 3, 5)),
        (3, (3, 6, 5, 17), (3, 1, 5, 16)),
    ):
        x = rng.standard_normal(shape).astype(np.float32)
        w = rng.standard_normal((5, shape[-n - 1], *(3, 2, 4)[:n])).astype(np.float32)
        function = getattr(functional, f"conv{n}d")
        for stride, padding, mode in ((1, "same", "zeros"), (2, 1, "circular"), (3, 2, "reflect")):
            options = {"stride": stride, "padding": padding, "padding_mode": mode}
            check(function, x, chunks, w, method=method, **options)


def test_rows_without_a_copy_have_the_bits_of_the_whole_array(rng):
    """A piece of a padded image under one tap may lie as its results do."""
    for dtype, c in itertools.product(FLOATS, (3, 64)):
        x = da.from_array(rng.standard_normal((1, c, 33, 40)).astype(dtype), chunks=(1, c, 9, 9))
        w = rng.standard_normal((8, c, 1, 1)).astype(dtype)
        y = functional.conv2d(x.map_blocks(np.ascontiguousarray), w, padding=1, method="blocked")
        expected = functional.conv2d(x.compute(), w, padding=1, method="blocked")
        np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected)


def test_pads_wider_than_chunks_and_images_are_read_by_the_rule(rng):
    x = rng.standard_normal((1, 2, 5, 6)).astype(np.float32)
    w = rng.standard_normal((3, 2, 3, 7)).astype(np.float32)
    for mode in ("zeros", "replicate", "reflect", "circular"):
        check(functional.conv2d, x, (1, 1, 1, 2), w, padding=(9, 13), padding_mode=mode)


def test_a_limit_of_memory_holds_for_each_task(rng):
    x = da.from_array(rng.standard_normal((1, 8, 64, 64)).astype(np.float32), chunks=(1, 8, 16, 16))
    w = rng.standard_normal((8, 8, 3, 3)).astype(np.float32)
    y = functional.conv2d(x, w, max_memory=10_000_000)
    np.testing.assert_array_equal(y, functional.conv2d(x.compute(), w, max_memory=10_000_000))
    with pytest.raises(MemoryError):
        functional.conv2d(x, w, max_memory=1)


# ---- pools ------------------------------------------------------------------------------------

POOLS = [
    ((2, 3, 19, 23), ((1, 1), (1, 2), (7, 7, 5), (9, 9, 5))),
    ((1, 2, 6, 9), ((1,), (2,), (1,) * 6, (2, 0, 4, 3))),
    ((1, 2, 40, 3), ((1,), (1, 1), (20, 20), (1, 2))),
    ((1, 2, 3, 300), ((1,), (2,), (3,), (1, 100, 3, 196))),
    ((2, 31), ((1, 1), (4, 5, 22))),
    ((2, 5, 9, 8, 11), ((2,), (2, 3), (4, 5), (8,), (1, 9, 1))),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8])
@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("case", POOLS)
def test_pools_have_the_bits_of_the_whole_array(rng, case, kind, dtype):
    shape, chunks = case
    if kind == "avg" and dtype == np.uint8:
        return
    n = {2: 1, 4: 2, 5: 3}[len(shape)]
    x = (rng.standard_normal(shape) * 40).astype(dtype)
    if x.dtype.kind == "f":
        x[rng.random(shape) < 0.02] = np.nan
    function = getattr(functional, f"{kind}_pool{n}d")
    more = [{"return_indices": True, "dilation": 2}, {"dilation": 1}]
    if kind == "avg":
        more = [{"count_include_pad": False}, {"count_include_pad": True}, {"divisor_override": 3}]
    sizes, long = shape[-n:], (*(1,) * (n - 1), 70)
    for i, (size, stride, (padding, ceil)) in enumerate(
        itertools.product(
            (1, 2, 3, 5, long, sizes), (None, 1, 3), ((0, False), (1, True), ([(0, 9)] * n, True))
        )
    ):
        options = {
            "padding": padding,
            "ceil_mode": ceil,
            "wide_padding": True,
            **more[i % len(more)],
        }
        try:
            function(x, size, stride, **options)
        except ValueError as error:  # windows span more than there is
            with pytest.raises(ValueError, match=re.escape(str(error))):
                function(da.from_array(x, chunks=chunks), size, stride, **options)
            continue
        check(function, x, chunks, size, stride, **options)


# ---- graphs -----------------------------------------------------------------------------------


def calls_of(x):
    """Return the layers and pools of images of one channel."""
    w = np.ones((2, x.shape[1], 3, 3), x.dtype)
    return [
        functional.conv2d(x, w, padding=1),
        functional.conv2d(x, w, stride=2, bias=np.ones(2, x.dtype)),
        functional.max_pool2d(x, 3, 1, 1),
        *functional.max_pool2d(x, 3, return_indices=True),
        functional.avg_pool2d(x, 2),
    ]


def test_results_are_as_dask_would_have_them(rng):
    x = rng.standard_normal((3, 2, 20, 30)).astype(np.float32)
    chunked = da.from_array(x, chunks=(1, 2, 9, 11))
    for y, expected in zip(calls_of(chunked), calls_of(x), strict=True):
        assert_eq(y, expected)
        assert_eq(y[1:, :, ::2, 3] * 2, expected[1:, :, ::2, 3] * 2)


def test_a_chunk_is_a_task():
    x = da.zeros((4, 1, 64, 64), chunks=(1, 1, 16, 16), dtype=np.float32)
    words = ["conv2d", "conv2d", "max-pool2d", "max-pool", "max-pool-indices2d", "avg-pool2d"]
    for y, word in zip(calls_of(x), words, strict=True):
        assert len(y.dask) - len(x.dask) <= y.npartitions + 1
        assert y.npartitions <= x.npartitions
        assert any(word in layer for layer in y.dask.layers)


def test_a_task_reads_the_chunks_of_its_windows():
    x = da.zeros((3, 4, 40, 40), chunks=(1, 2, 10, 10), dtype=np.float32)
    w = np.ones((5, 4, 3, 3), np.float32)
    y = functional.conv2d(x, w, padding=1)
    task = y.dask[(y.name, 1, 0, 1, 1)]
    read = sorted(d for d in task.dependencies if d[0] == x.name)
    rows, channels = range(3), range(2)
    assert read == [(x.name, 1, c, i, j) for c in channels for i in rows for j in rows]
    pooled = functional.max_pool2d(x, 2)
    task = pooled.dask[(pooled.name, 1, 0, 1, 1)]
    assert [d for d in task.dependencies if d[0] == x.name] == [(x.name, 1, 0, 1, 1)]


def test_nothing_runs_before_a_result_is_computed():
    def fail(block):
        raise AssertionError("a chunk was made")

    x = da.zeros((2, 3, 20, 30), chunks=(1, 3, 7, 7)).map_blocks(
        fail, dtype=np.float64, meta=np.empty((0,) * 4)
    )
    for y in calls_of(x):
        with pytest.raises(AssertionError):
            y.compute(scheduler="synchronous")


def test_an_empty_batch_has_no_results():
    x = da.zeros((0, 3, 20, 30), chunks=(1, 3, 7, 7), dtype=np.float32)
    for y, expected in zip(calls_of(x), calls_of(x.compute()), strict=True):
        assert_eq(y, expected)
    some = da.zeros((3, 3, 20, 30), chunks=((0, 2, 0, 1), 3, 7, 7), dtype=np.float32)
    for y, expected in zip(calls_of(some), calls_of(some.compute()), strict=True):
        assert_eq(y, expected)


def test_equal_calls_have_equal_names():
    x = da.zeros((2, 3, 20, 30), chunks=(1, 3, 7, 7))
    first, again = calls_of(x), calls_of(x)
    assert [y.name for y in first] == [y.name for y in again]
    assert len({y.name for y in first}) == len(first)
    w = np.ones((2, 3, 3, 3))
    assert functional.conv2d(x, w).name != functional.conv2d(x, 2 * w).name


def test_plans_travel(rng):
    x = rng.standard_normal((2, 3, 20, 30)).astype(np.float32)
    w = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    calls = [(functional.conv2d, (w,), {"padding": 1}), (functional.avg_pool2d, (3,), {})]
    calls += [(functional.max_pool2d, (2,), {})]
    for function, arguments, options in calls:
        plan = piece_plan(function, x.shape, x.dtype, *arguments, **options)
        again = pickle.loads(pickle.dumps(plan))
        box = tuple((n // 3, n) for n in plan.shape)
        where = tuple(
            next(iter(r.slices(n))) for r, n in zip(plan.reads(box), x.shape, strict=True)
        )
        expected = function(x, *arguments, **options)[tuple(slice(*pair) for pair in box)]
        np.testing.assert_array_equal(again.solve(x[where], box), expected)


# ---- what is refused --------------------------------------------------------------------------


def test_weights_in_chunks_are_refused():
    x, w, b = da.zeros((2, 3, 20, 30)), da.ones((4, 3, 3, 3)), da.ones(4)
    with pytest.raises(TypeError, match=r"weight\.compute"):
        functional.conv2d(x, w)
    with pytest.raises(TypeError, match=r"bias\.compute"):
        functional.conv2d(x, w.compute(), b)


def test_an_array_for_the_result_is_refused():
    x, w = da.zeros((2, 3, 20, 30)), np.ones((4, 3, 3, 3))
    with pytest.raises(TypeError, match="store"):
        functional.conv2d(x, w, out=np.zeros((2, 4, 18, 28)))


def test_chunks_of_unknown_size_are_refused():
    x = da.ones((6, 3, 20, 30), chunks=(2, 3, 20, 30))
    x = x[x[:, 0, 0, 0] > 0]
    for call in (
        lambda: functional.conv2d(x, np.ones((4, 3, 3, 3))),
        lambda: functional.max_pool2d(x, 2),
        lambda: functional.avg_pool2d(x, 2),
    ):
        with pytest.raises(ValueError, match="compute_chunk_sizes"):
            call()


def test_bad_arguments_are_refused_in_the_words_of_a_call_in_memory():
    w = np.ones((4, 3, 3, 3))
    for call in (
        lambda x: functional.conv2d(x, w[:, :2]),
        lambda x: functional.conv2d(x, w, np.ones(3)),
        lambda x: functional.conv2d(x, w, stride=0),
        lambda x: functional.conv2d(x, w, method="depthwise"),
        lambda x: functional.conv2d(x.astype(int), w),
        lambda x: functional.max_pool2d(x, 0),
        lambda x: functional.max_pool2d(x, 2, return_indices="yes"),
        lambda x: functional.avg_pool2d(x, 2, divisor_override=0),
        lambda x: functional.avg_pool2d(x.astype(int), 2),
    ):
        with pytest.raises((ValueError, TypeError)) as error:
            call(np.zeros((2, 3, 20, 30)))
        with pytest.raises(error.type, match=re.escape(str(error.value))):
            call(da.zeros((2, 3, 20, 30)))
