"""dask arrays in, dask arrays out: the bits of the whole array, however it is cut."""

import itertools
import os
import pickle
import signal as signals
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import one_in
from hypothesis import given, settings
from hypothesis import strategies as st

import pyconv
from pyconv import filters, ndimage, signal
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._pieces import piece_plan
from pyconv._pieces.sums import LOCAL, TILED

da = pytest.importorskip("dask.array")
assert_eq = pytest.importorskip("dask.array.utils").assert_eq

#: Shapes of arrays, their chunks, and the axes that are summed over.
CUTS = [
    ((50,), (7,), None),
    ((400,), (1,), None),
    ((900, 5), (100, 2), 0),
    ((40, 30), (7, 9), None),
    ((40, 30), (1, 30), None),
    ((40, 30), (40, 1), None),
    ((3, 20, 30), (2, 13, 30), (1, 2)),
    ((12, 13, 30), (5, 5, 9), (0, 1, 2)),
    ((5, 6), (2, 3), None),
    ((200, 4), (30, 3), None),
    ((6, 9), ((2, 0, 4), (9,)), None),
]
DTYPES = [np.float32, np.float64, np.float16, np.complex64, np.int8, np.uint16, np.int64, np.bool]


def paired(first, second, *others):
    """Return each pair of two tables with entries of others in turn; every other pair is slow."""
    return [
        pytest.param(
            a, b, *(t[(i * (k + 1) + j * (k + 2)) % len(t)] for k, t in enumerate(others)),
            marks=[pytest.mark.slow] if (i + j) % 2 else [],
        )
        for i, a in enumerate(first)
        for j, b in enumerate(second)
    ]  # fmt: skip


def samples(rng, shape, dtype):
    """Return samples of a dtype, of both signs if it has them."""
    if np.dtype(dtype).kind == "b":
        return rng.random(shape) < 0.5
    values = rng.standard_normal(shape) * 40 + 60
    return (abs(values) if np.dtype(dtype).kind == "u" else values).astype(dtype)


def weights(rng, shape, dtype):
    """Return weights for samples of a dtype."""
    w = rng.standard_normal(shape)
    if np.dtype(dtype).kind in "biu":
        return np.rint(5 * w).astype(np.int16)
    return w.astype(np.float64 if dtype == np.float64 else np.float32)


def axes_of(shape, axes):
    return tuple(range(len(shape))) if axes is None else tuple(np.atleast_1d(axes).tolist())


def check(function, x, chunks, *arguments, known=None, **options):
    """Compare a call on chunks with the call on the whole array, errors among the results.

    ``known`` are options of the latter alone.
    """
    try:
        expected = function(x, *arguments, **options, **(known or {}))
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        with pytest.raises(type(error)):
            function(da.from_array(x, chunks=chunks), *arguments, **options).compute(
                scheduler="synchronous"
            )
        return
    y = function(da.from_array(x, chunks=chunks), *arguments, **options)
    assert isinstance(y, da.Array)
    assert (y.shape, y.dtype, y._meta.dtype) == (expected.shape, expected.dtype, expected.dtype)
    found = y.compute(scheduler="synchronous")
    np.testing.assert_array_equal(found, expected, strict=True)


# ---- correlations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "dtype", "boundary", "extent", "stride", "dilation"),
    paired(CUTS, DTYPES, [*BOUNDARIES], ["same", "valid", "full"], [1, 3], [1, 2]),
)
def test_correlations_have_the_bits_of_the_whole_array(
    rng, cut, dtype, boundary, extent, stride, dilation
):
    shape, chunks, axes = cut
    x = samples(rng, shape, dtype)
    where = axes_of(shape, axes)
    for k in ((3, 3, 3), (1, 5, 2), (9, 4, 7)):
        w = weights(rng, k[: len(where)], dtype)
        fill = 1 if boundary == "constant" else 0
        options = {"axes": where, "stride": stride, "dilation": dilation, "fill_value": fill}
        for call in (pyconv.correlate, pyconv.convolve):
            # In memory it may be an algorithm of tiles that is fastest.
            known = {"method": "direct"} if np.dtype(dtype).kind in "fc" else {}
            check(call, x, chunks, w, extent, boundary, known=known, **options)


@pytest.mark.parametrize("method", LOCAL)
@pytest.mark.parametrize("cut", CUTS)
def test_every_algorithm_of_pieces_has_the_bits_of_the_whole_array(rng, method, cut):
    shape, chunks, axes = cut
    where = axes_of(shape, axes)
    x = samples(rng, shape, np.float32)
    if method == "box":
        w = np.full((5, 3, 4)[: len(where)], 0.25, np.float32)
    else:
        rows = [rng.random(k) for k in (5, 3, 4)[: len(where)]]
        w = pyconv.kernels.outer(rows).astype(np.float32)
    for boundary, stride in itertools.product(BOUNDARIES, (1, 2)):
        options = {"axes": where, "stride": stride, "method": method}
        check(pyconv.correlate, x, chunks, w, "same", boundary, **options)


@pytest.mark.parametrize("chunks", [19, 64, (1, 100), (33, 250)])
@pytest.mark.parametrize("method", TILED)
def test_tiles_have_the_same_bits_however_the_array_is_cut(rng, chunks, method):
    x = rng.standard_normal((150, 300)).astype(np.float32)
    w = rng.standard_normal((9, 21)).astype(np.float32)
    whole = da.from_array(x, chunks=-1)
    options = {"mode": "same", "boundary": "mirror", "method": method}
    expected = pyconv.correlate(whole, w, **options).compute(scheduler="synchronous")
    found = pyconv.correlate(da.from_array(x, chunks=chunks), w, **options)
    np.testing.assert_array_equal(found.compute(scheduler="synchronous"), expected)
    near = pyconv.correlate(x, w, **options)
    np.testing.assert_allclose(expected, near, rtol=0, atol=1e-4)


def test_rounded_sums_are_the_same_integers(rng):
    x = rng.integers(0, 256, (40, 50)).astype(np.uint8)
    w = rng.random((3, 4)) / 12
    for rounding in ("half_even", "towards_zero", None):
        options = {"dtype": "uint8", "rounding": rounding, "overflow": "saturate"}
        check(pyconv.correlate, x, (9, 11), w, "same", "nearest", **options)


# ---- samples missing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "dtype"),
    one_in(3, CUTS, [np.float32, np.float64, np.float16, np.complex64, np.int16]),
)
def test_missing_samples_are_left_out_of_every_cut_alike(rng, cut, dtype):
    shape, chunks, axes = cut
    where = axes_of(shape, axes)
    x = samples(rng, shape, dtype)
    if x.dtype.kind in "fc":
        x[rng.random(shape) < 0.05] = np.nan
    mask = rng.random(shape) < 0.1
    w = rng.random((3, 5, 2)[: len(where)]) + 0.1
    if x.dtype != np.float64:
        w = w.astype(np.float32)
    for boundary, stride, seen in itertools.product(("mirror", "wrap"), (1, 2), (None, mask)):
        options = {"axes": where, "stride": stride, "mask": seen}
        chunked = da.from_array(x, chunks=chunks)
        for call, policy in ((pyconv.correlate, {"nan_policy": "omit"}), (pyconv.coverage, {})):
            y = call(chunked, w, "same", boundary, **options, **policy)
            found = y.compute(scheduler="synchronous")
            plain = {"method": "direct"} if policy else {}
            expected = call(x, w, "same", boundary, **options, **policy, **plain)
            if (policy and np.isnan(expected).any()) or seen is not None or call is pyconv.coverage:
                np.testing.assert_array_equal(found, expected, strict=True)
            else:
                np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_masks_are_of_chunks_or_not(rng):
    x, mask = rng.standard_normal((30, 40)), rng.random((30, 40)) < 0.2
    w = np.full((3, 3), 1 / 9)
    expected = pyconv.correlate(x, w, "same", mask=mask, method="direct")
    chunked, cut = da.from_array(x, chunks=(7, 11)), da.from_array(mask, chunks=(13, 40))
    for samples_, seen in ((chunked, mask), (chunked, cut), (x, cut)):
        y = pyconv.correlate(samples_, w, "same", mask=seen)
        np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected)
    row = da.from_array(mask[0], chunks=9)
    expected = pyconv.correlate(x, w, "same", mask=mask[0], method="direct")
    y = pyconv.correlate(chunked, w, "same", mask=row)
    np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected)


# ---- filters ----------------------------------------------------------------------------------

FILTERS = {
    "gaussian": (1.3,),
    "box": (3,),
    "sobel": (),
    "prewitt": (),
    "scharr": (),
    "laplace": (),
    "edge": (),
    "log": (1.0,),
    "dog": (1.0,),
    "sharpen": (),
    "unsharp": (1.0,),
    "gradient_magnitude": (),
    "disk": (2,),
    "ball": (2,),
    "motion": (4, 0.3),
    "emboss": (),
    "roberts": (),
    "gabor": (4.0,),
    "gabor_bank": ([4.0, 6.0], 2),
}


@pytest.mark.parametrize(
    ("name", "cut", "dtype", "boundary"),
    paired(FILTERS, CUTS, DTYPES, [*BOUNDARIES]),
)
def test_filters_have_the_bits_of_the_whole_array(rng, name, cut, dtype, boundary):
    shape, chunks, axes = cut
    where = axes_of(shape, axes)
    x = samples(rng, shape, dtype)
    options = {"axes": where, "boundary": boundary}
    if boundary == "constant":
        options["fill_value"] = 3
    if np.dtype(dtype).kind == "c" and name in ("gradient_magnitude", "gabor_bank"):
        return
    if name in ("sobel", "prewitt", "scharr"):
        options["axis"] = where[-1]
    function = getattr(filters, name)
    for stride in (1, 2):
        check(function, x, chunks, *FILTERS[name], stride=stride, **options)


@pytest.mark.parametrize(("cut", "dtype"), one_in(2, CUTS, [np.float32, np.uint8]))
def test_wide_means_and_rounded_ones_have_the_bits_of_the_whole_array(rng, cut, dtype):
    shape, chunks, axes = cut
    x = samples(rng, shape, dtype)
    for boundary, stride, size in itertools.product(BOUNDARIES, (1, 3), (5, 17)):
        options = {"axes": axes_of(shape, axes), "boundary": boundary, "stride": stride}
        check(filters.box, x, chunks, size, **options)
        if dtype == np.uint8:
            check(filters.box, x, chunks, size, dtype=dtype, **options)
            check(filters.gaussian, x, chunks, 1.5, dtype=dtype, **options)


def test_every_filter_takes_chunks():
    """The functions that are compared above are all of them."""
    assert set(FILTERS) == set(filters.__all__)


NDIMAGE = {
    "gaussian_filter": (1.3,),
    "gaussian_filter1d": (1.3,),
    "uniform_filter": (5,),
    "uniform_filter1d": (18,),
    "sobel": (),
    "prewitt": (0,),
    "laplace": (),
    "gaussian_laplace": (1.0,),
    "gaussian_gradient_magnitude": (1.0,),
    "correlate": (),
    "convolve": (),
    "correlate1d": ([1.0, -2.5, 1.0, 0.3],),
    "convolve1d": ([1, 2, 1],),
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(
    ("name", "cut", "dtype", "mode"),
    paired(
        NDIMAGE,
        CUTS,
        [np.float32, np.float64, np.complex64, np.uint8, np.int32, np.bool],
        ["reflect", "wrap", "mirror", "constant", "nearest"],
    ),
)
def test_filters_of_ndimage_have_the_bits_of_the_whole_array(rng, name, cut, dtype, mode):
    shape, chunks, _ = cut
    x = samples(rng, shape, dtype)
    arguments = NDIMAGE[name]
    if name in ("correlate", "convolve"):
        arguments = (rng.standard_normal((3, 2, 4)[: len(shape)]),)
    options = {"mode": mode, "cval": 3.0 if mode == "constant" else 0.0}
    check(getattr(ndimage, name), x, chunks, *arguments, **options)


def test_every_filter_of_ndimage_takes_chunks():
    assert set(NDIMAGE) == set(ndimage.__all__)


@pytest.mark.parametrize("shape", [(150, 160), (30, 40)])
@pytest.mark.parametrize("name", ["gaussian_filter", "uniform_filter", "sobel", "laplace",
                                  "gaussian_laplace", "gaussian_gradient_magnitude"])  # fmt: skip
def test_each_axis_has_its_own_mode(rng, name, shape):
    x = rng.standard_normal(shape)
    arguments = {"uniform_filter": (17,)}.get(name, NDIMAGE[name])
    for mode in (["wrap", "constant"], ["mirror", "wrap"], ["nearest", "constant"]):
        check(getattr(ndimage, name), x, (31, 23), *arguments, mode=mode, cval=2.5)


# ---- signal -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.complex64])
@pytest.mark.parametrize("cut", [((60,), 7), ((40, 50), (7, 9)), ((12, 13, 30), 5)])
def test_convolutions_of_signal_have_the_bits_of_the_whole_array(rng, cut, dtype, mode):
    shape, chunks = cut
    x = samples(rng, shape, dtype)
    for k in ((3, 4, 2), (1, 9, 5)):
        w = weights(rng, k[: len(shape)], dtype)
        for call in (signal.convolve, signal.correlate):
            for method in ("auto", "direct"):
                check(call, x, chunks, w, mode, method)
        for call in (signal.fftconvolve, signal.oaconvolve):
            check(call, x, chunks, w, mode)
        if len(shape) == 2:
            for boundary in ("fill", "wrap", "symm"):
                fill = 3 if boundary == "fill" else 0
                for call in (signal.convolve2d, signal.correlate2d):
                    check(call, x, chunks, w, mode, boundary, fillvalue=fill)


# ---- graphs -----------------------------------------------------------------------------------


@st.composite
def cut_arrays(draw):
    """Draw a shape and chunks of it, one sample and none among them."""
    shape = draw(st.lists(st.integers(1, 24), min_size=1, max_size=3))
    chunks = []
    for n in shape:
        cuts = sorted(draw(st.lists(st.integers(0, n), max_size=5)))
        chunks.append(tuple(np.diff([0, *cuts, n]).tolist()))
    return tuple(shape), tuple(chunks)


@settings(max_examples=25)
@given(
    cut_arrays(), st.sampled_from([*BOUNDARIES]), st.integers(1, 3), st.integers(1, 9), st.data()
)
def test_any_chunks_give_the_bits_of_the_whole_array(cut, boundary, stride, taps, data):
    shape, chunks = cut
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    w = np.random.default_rng(1).random([taps] * len(shape)).astype(np.float32)
    extent = data.draw(st.sampled_from(["same", "full", "valid"]))
    check(pyconv.correlate, x, chunks, w, extent, boundary, stride=stride, method="direct")
    check(filters.gaussian, x, chunks, taps / 3, axes=tuple(range(len(shape))), boundary=boundary)


@pytest.mark.parametrize("shape", [(1,), (5,), (1, 6), (4, 7), (3, 1, 5)])
@pytest.mark.parametrize("taps", [2, 9, 40])
def test_kernels_longer_than_the_array_have_the_bits_of_the_whole(rng, shape, taps):
    """Taps that read nothing, or what another reads, are none in pieces either."""
    x = rng.standard_normal(shape).astype(np.float32)
    w = rng.random((taps, 3, 2)[: len(shape)]).astype(np.float32)
    for boundary, extent in itertools.product(BOUNDARIES, ("same", "full")):
        check(pyconv.correlate, x, (2,) * len(shape), w, extent, boundary, method="direct")


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_results_are_as_dask_would_have_them(rng, scheduler):
    x = rng.standard_normal((40, 50)).astype(np.float32)
    chunked = da.from_array(x, chunks=(9, 20))
    y = filters.gaussian(chunked, 2)
    assert y.chunks == chunked.chunks
    assert_eq(y, filters.gaussian(x, 2), scheduler=scheduler)
    assert_eq(y[3:9, ::2] + 1, filters.gaussian(x, 2)[3:9, ::2] + 1, scheduler=scheduler)


def test_chunks_of_the_result_are_those_of_the_array():
    x = da.zeros((20, 41), chunks=(6, 20), dtype=np.float32)
    w = np.ones((3, 5), np.float32)
    assert pyconv.correlate(x, w, "same").chunks == x.chunks == ((6, 6, 6, 2), (20, 20, 1))
    assert pyconv.correlate(x, w, "same", stride=2).chunks == ((3, 3, 3, 1), (10, 10, 1))
    # A result lies in the chunk of the sample under the kernel's middle.
    assert pyconv.correlate(x, w).chunks == ((5, 6, 6, 1), (18, 19))
    assert pyconv.correlate(x, w, "full").chunks == ((7, 6, 6, 3), (22, 20, 3))
    bank = filters.gabor_bank(x, [4, 8], 3)
    assert bank.chunks == ((2,), (3,), *x.chunks)


def test_a_chunk_is_a_task():
    x = da.zeros((64, 64, 64), chunks=16, dtype=np.float32)
    for y in (filters.gaussian(x, 2, axes=(0, 1, 2)), ndimage.gaussian_filter(x, 2)):
        chunks = np.prod(x.numblocks)
        assert len(y.dask) - len(x.dask) <= chunks + 1
        assert any("gaussian" in layer for layer in y.dask.layers)


def test_nothing_runs_before_a_result_is_computed():
    def fail(block):
        raise AssertionError("a chunk was made")

    x = da.zeros((20, 30), chunks=7).map_blocks(fail, dtype=np.float64, meta=np.empty((0, 0)))
    w = np.ones((3, 3))
    for y in (pyconv.correlate(x, w), filters.box(x, 17), ndimage.sobel(x), signal.convolve(x, w)):
        assert y.dtype == np.float64
        with pytest.raises(AssertionError):
            y.compute(scheduler="synchronous")


def test_equal_calls_have_equal_names():
    x = da.zeros((20, 30), chunks=7)
    assert filters.gaussian(x, 2).name == filters.gaussian(x, 2).name
    assert filters.gaussian(x, 2).name != filters.gaussian(x, 3).name
    w = np.ones((3, 3))
    assert pyconv.correlate(x, w).name == pyconv.correlate(x, w.copy()).name
    assert pyconv.correlate(x, w).name != pyconv.correlate(x, 2 * w).name


@pytest.mark.parametrize("masked", [False, True])
def test_plans_travel(rng, masked):
    x = rng.standard_normal((30, 40)).astype(np.float32)
    mask = rng.random(x.shape) < 0.1 if masked else None
    w = rng.random((3, 5)).astype(np.float32)
    calls = [(pyconv.correlate, (w, "same")), (filters.gaussian, (1.5,)), (filters.disk, (2,))]
    calls += [] if masked else [(ndimage.gaussian_filter, (1.5,)), (signal.convolve, (w,))]
    for function, arguments in calls:
        plan = piece_plan(function, x.shape, x.dtype, *arguments, masked=masked)
        again = pickle.loads(pickle.dumps(plan))
        box = tuple((n // 3, n - 2) for n in plan.shape)
        where = tuple(
            next(iter(r.slices(n))) for r, n in zip(plan.reads(box), x.shape, strict=True)
        )
        seen = None if mask is None else mask[where]
        expected = plan.solve(x[where], box, seen)
        np.testing.assert_array_equal(again.solve(x[where], box, seen), expected)


@pytest.fixture(scope="module")
def cluster():
    """Two processes of one thread each, and the client that they work for."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_cluster_gives_the_same_bits(cluster, rng):
    x = rng.standard_normal((60, 70)).astype(np.float32)
    calls = [
        (filters.gaussian, (2,), {"boundary": "wrap"}),
        (ndimage.uniform_filter, (17,), {}),
        (pyconv.correlate, (np.ones((3, 5), np.float32), "full"), {}),
    ]
    for function, arguments, options in calls:
        y = function(da.from_array(x, chunks=(13, 20)), *arguments, **options)
        found = cluster.compute(y).result()
        np.testing.assert_array_equal(found, function(x, *arguments, **options))


def test_a_worker_that_is_killed_changes_nothing(cluster, rng):
    """Its chunks are computed again, by the other one or by the one in its place."""
    x = rng.standard_normal((400, 500)).astype(np.float32)
    y = filters.gaussian(da.from_array(x, chunks=(20, 25)), 3, axes=(0, 1))
    pids = [*cluster.run(os.getpid).values()]
    found = cluster.compute(y)
    os.kill(pids[0], signals.SIGKILL)
    np.testing.assert_array_equal(found.result(timeout=120), filters.gaussian(x, 3, axes=(0, 1)))


def status(field):
    """Return a number of bytes that Linux counts of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much is resident")
def test_memory_of_a_worker_stays_bounded():
    """Its graph is larger than what it may hold."""
    distributed = pytest.importorskip("distributed")
    limit, shape = 300 << 20, (1280, 256, 256)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
            memory_limit=limit,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        x = da.ones(shape, chunks=(32, 128, 128), dtype=np.float32)
        y = filters.gaussian(x, 2, axes=(0, 1, 2), boundary="nearest")
        assert x.nbytes > limit
        assert abs(y - x).max().compute() < 1e-6
        (most,) = client.run(status, "VmHWM").values()
    assert limit / 5 < most < limit


# ---- what is refused --------------------------------------------------------------------------


def test_chunks_of_unknown_size_are_refused():
    x = da.arange(20, chunks=5)
    x = x[x > 3].astype(float)
    for call in (lambda: filters.gaussian(x, 1), lambda: ndimage.laplace(x)):
        with pytest.raises(ValueError, match="compute_chunk_sizes"):
            call()


def test_objects_are_refused():
    x = da.from_array(np.array([1, 2, None], object), chunks=2)
    with pytest.raises(TypeError, match="object"):
        filters.gaussian(x, 1)


def test_an_array_for_the_result_is_refused():
    x = da.zeros((20, 30), chunks=7)
    calls = [
        lambda out: pyconv.correlate(x, np.ones((3, 3)), "same", out=out),
        lambda out: filters.gaussian(x, 1, out=out),
        lambda out: ndimage.gaussian_filter(x, 1, output=out),
        lambda out: pyconv.coverage(x, np.ones((3, 3)), "same", out=out),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="store"):
            call(np.zeros((20, 30)))


def test_a_kernel_in_chunks_is_refused():
    x, w = da.zeros((20, 30), chunks=7), da.ones((3, 3), chunks=3)
    for call in (pyconv.correlate, ndimage.correlate, signal.convolve):
        with pytest.raises(TypeError, match="compute"):
            call(x, w)


def test_recursive_lines_are_refused():
    x = da.zeros((200, 300), chunks=50)
    w = pyconv.kernels.gaussian(9.0, ndim=2)
    with pytest.raises(ValueError, match="whole lines"):
        pyconv.correlate(x, w, method="recursive", rtol=1e-2)


def test_what_may_overflow_is_refused_beforehand():
    x = da.zeros((20, 30), chunks=7, dtype=np.uint8)
    w = np.ones((3, 3), np.uint8)
    with pytest.raises(OverflowError):
        pyconv.correlate(x, w, dtype="uint8")
    assert pyconv.correlate(x, w, dtype="uint8", overflow="saturate").dtype == np.uint8
    with pytest.raises(OverflowError):
        filters.gaussian(x.astype(np.int32) + 300, 1, dtype="uint8").compute()


def test_masks_that_do_not_fit_are_refused():
    x = da.zeros((20, 30), chunks=7)
    for mask in (np.zeros((3, 30), bool), da.zeros((3, 30), chunks=3, dtype=bool)):
        with pytest.raises(ValueError, match="broadcast"):
            filters.gaussian(x, 1, mask=mask)
    for mask in (np.zeros((20, 30)), da.zeros((20, 30), chunks=7)):
        with pytest.raises(TypeError, match="bool"):
            filters.gaussian(x, 1, mask=mask)


def test_functions_of_whole_arrays_have_no_pieces():
    with pytest.raises((TypeError, ValueError)):
        piece_plan(np.add, (3, 4), "float32", 1)
