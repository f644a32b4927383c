"""The work that calls do, counted and not timed: where a value or a size changes, no cliff.

Work is what the algorithms that ran predict for it, in seconds of one thread, and the products of
boxes of outputs that a transform leaves to the plain sum. It is the same on a loaded machine.
"""

import itertools
import math

import numpy as np
import pytest
from arrays import noise
from conftest import one_in

import pyconv
from pyconv import filters, kernels, signal
from pyconv._engine import planner, planning
from pyconv._engine.algorithms import loop_adapters, quiet
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.machine import MACHINE


@pytest.fixture
def work(monkeypatch):
    """Return a function that counts the work of a call."""
    total = 0.0
    plain = planning.BoundProblem.__init__
    boxes = loop_adapters.Patches.run

    def counted(plan, problem, algorithm):
        plain(plan, problem, algorithm)
        run = plan.run

        def run_counted(*arguments):
            nonlocal total
            if 0 not in problem.y_shape:
                total += algorithm.cost(problem, MACHINE)
            run(*arguments)

        plan.run = run_counted

    def counted_boxes(patches, listed, x, w, *arguments):
        nonlocal total
        ends = np.asarray(listed).reshape(len(listed), -1)[:, -6:].reshape(-1, 3, 2)
        products = np.prod(ends[..., 1] - ends[..., 0], axis=1).sum() * w.size
        total += products * w.itemsize / MACHINE.direct_bytes_per_second
        boxes(patches, listed, x, w, *arguments)

    levels = quiet.QuietOutputs._sum

    def counted_level(outputs, level, *arguments):
        nonlocal total
        if level.workspace is not None:
            total += outputs._price(level.problem)[0]
        total += quiet.LEVEL_SECONDS
        levels(outputs, level, *arguments)

    monkeypatch.setattr(quiet.QuietOutputs, "_sum", counted_level)
    monkeypatch.setattr(planning.BoundProblem, "__init__", counted)
    monkeypatch.setattr(loop_adapters.Patches, "run", counted_boxes)

    def of(call, *arguments, **options):
        nonlocal total
        planner.clear_cache()
        total = 0.0
        call(*arguments, **options)
        assert total > 0
        return total

    yield of
    planner.clear_cache()


_rng = np.random.default_rng(0)
IMAGE, LINE, VOLUME = (_rng.random(shape) for shape in ((400, 400), 1 << 17, (48, 48, 48)))
KERNEL, CUBE = _rng.random((61, 61)), _rng.random((9, 9, 9))
#: Calls on arrays that hold one or a few samples that are not finite, or very large.
CALLS = {
    "gaussian": (IMAGE, lambda x: filters.gaussian(x, 30)),
    "gaussian of a line": (LINE, lambda x: filters.gaussian(x, 30)),
    "gaussian of a volume": (VOLUME, lambda x: filters.gaussian(x, 3, axes=(0, 1, 2))),
    "box": (IMAGE, lambda x: filters.box(x, 31)),
    "disk": (IMAGE, lambda x: filters.disk(x, 20)),
    "dog": (IMAGE, lambda x: filters.dog(x, 10)),
    "log": (IMAGE, lambda x: filters.log(x, 10)),
    "unsharp": (IMAGE, lambda x: filters.unsharp(x, 10)),
    "sobel": (IMAGE, filters.sobel),
    "gabor": (IMAGE, lambda x: filters.gabor(x, 30)),
    "correlate": (IMAGE, lambda x: pyconv.correlate(x, KERNEL)),
    "correlate of a line": (LINE, lambda x: pyconv.correlate(x, KERNEL.ravel()[:1001], "same")),
    "correlate of a volume": (
        VOLUME,
        lambda x: pyconv.correlate(x, CUBE),
    ),
    "strided": (IMAGE, lambda x: pyconv.correlate(x, KERNEL, stride=2)),
    "separable": (IMAGE, lambda x: pyconv.convolve(x, kernels.gaussian(9), "same", "mirror")),
    "granted": (IMAGE, lambda x: filters.gaussian(x, 20, rtol=1e-3)),
    "fftconvolve": (IMAGE, lambda x: signal.fftconvolve(x, KERNEL)),
    "oaconvolve": (LINE, lambda x: signal.oaconvolve(x, KERNEL.ravel()[:501])),
    "template": (
        IMAGE,
        lambda x: pyconv.match_template(x, IMAGE[:31, :31], nan_policy="propagate"),
    ),
}
SPIKES = [(name, value) for name in CALLS for value in (np.nan, np.inf, 1e20)]


@pytest.mark.parametrize(("name", "value"), SPIKES)
def test_one_sample_costs_no_more_than_its_windows(work, name, value):
    """That is not finite, or as large as a usual fill value: the rest is done as without it."""
    x, call = CALLS[name]
    x = x.copy()
    clean = work(call, x)
    x.flat[x.size // 2 + x.shape[-1] // 3] = value
    with np.errstate(all="ignore"):
        assert work(call, x) <= (2 if abs(value) != 1e20 else 5) * clean


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "complex64"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_kernels_wider_than_the_array(work, boundary, dtype):
    """Their factors are work, not their product, which takes up to half a minute."""
    for shape in ((20, 20), (500, 350), (40,), (9, 10, 11)):
        x, axes = np.ones(shape, dtype), tuple(range(len(shape)))
        options = {"axes": axes, "boundary": boundary}
        for run, width in itertools.product(
            (filters.gaussian, filters.log, filters.dog, filters.unsharp), (100, 300, 1000)
        ):
            assert work(run, x, width, **options) < 0.2, (run.__name__, width)
        assert work(filters.box, x, 2001, **options) < 0.2


EXCHANGED = {
    "convolve2d": lambda a, b, mode: signal.convolve2d(a, b, mode),
    "correlate2d": lambda a, b, mode: signal.correlate2d(a, b, mode),
    "signal.convolve": lambda a, b, mode: signal.convolve(a, b, mode, "direct"),
    "signal.correlate": lambda a, b, mode: signal.correlate(a, b, mode, "direct"),
    "convolve": lambda a, b, mode: pyconv.convolve(a, b, mode),
    "correlate": lambda a, b, mode: pyconv.correlate(a, b, mode),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "complex128"])
@pytest.mark.parametrize("name", EXCHANGED)
def test_the_longer_array_may_come_second(work, rng, name, dtype):
    """The work of a full sum does not depend on which of the two is called the kernel."""
    call = EXCHANGED[name]
    for few, many in (((5, 5), (300, 300)), ((3, 7), (200, 90)), ((3,), (50_000,))):
        if "2d" in name and len(few) == 1:
            continue
        a, b = noise(rng, few, dtype), noise(rng, many, dtype)
        assert work(call, a, b, "full") <= 2 * work(call, b, a, "full")


def test_kernels_longer_than_the_items_of_a_batch(work):
    """Items are exchanged or kernels cut, by calls and by plans: no work is done on zeros."""
    for shape, taps in (((20,), (400,)), ((6, 7), (60, 70))):
        x, w = _rng.random((50, *shape)), _rng.random(taps)
        for mode in ("full", "same"):
            alone = work(pyconv.correlate, x[0], w, mode)
            assert alone < 0.5 * work(pyconv.correlate, x[0], w, mode, "nearest", method="direct")
            for call in (
                lambda x, w, mode: pyconv.correlate(x, w, mode),
                lambda x, w, mode: pyconv.correlate(x, w, mode, mask=np.zeros(x.shape, bool)),
                lambda x, w, mode: pyconv.plan(x, w, mode)(x),
            ):
                assert work(call, x, w, mode) < 1.5 * len(x) * alone


@pytest.mark.parametrize("name", ["fftconvolve", "oaconvolve"])
def test_batches_of_a_kernel_that_same_does_not_return(work, name):
    """Along an axis of one sample the kernel has batches, of which ``same`` returns the middle."""
    for ndim, width in ((2, 17), (3, 9)):
        w = np.ones((width,) * ndim)
        for axis in range(ndim):
            thin = np.ones([1 if a == axis else 64 for a in range(ndim)])
            once = work(getattr(signal, name), thin, w.take([0], axis), "same")
            assert work(getattr(signal, name), thin, w, "same") == once


def _uneven(name, shape, dtype):
    """Return data whose magnitudes differ from place to place."""
    rng = np.random.default_rng(1)
    at = [np.arange(n) / n for n in shape]
    grid = np.meshgrid(*at, indexing="ij", sparse=True)
    pulse = np.exp(-sum(((g - 0.5) / 0.12) ** 2 for g in grid))
    level = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        level = level + 1j * rng.standard_normal(shape)
    x = {
        "pulse": lambda: pulse,
        "decay": lambda: np.exp(-30 * sum(grid)),
        "block": lambda: np.where(
            np.maximum.reduce(np.broadcast_arrays(*grid)) < 0.4, -9999, level
        ),
        "quake": lambda: level * (1 + 1e4 * pulse**9),
        "star": lambda: level + 1e8 * (sum((g - 0.4) ** 2 for g in grid) < 1e-5),
        "window": lambda: level * math.prod(np.sin(np.pi * g) ** 4 for g in grid),
    }
    return x[name]().astype(dtype), level.astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "shape", "name"),
    one_in(
        2, ["float32", "float64", "complex128"], [(100_000,), (384, 384)],
        ["pulse", "decay", "block", "quake", "star", "window"],
    ),
)  # fmt: skip
def test_two_long_arrays_of_any_magnitudes(work, name, shape, dtype):
    """Quiet results are sums of few samples, or of samples as quiet: no plain sum of all."""
    x, level = _uneven(name, shape, dtype)
    options = {"mode": "full", "method": "fft"}
    uneven = work(pyconv.convolve, x, x, **options)
    even = work(pyconv.convolve, level, level, **options)
    assert uneven <= 12 * even
