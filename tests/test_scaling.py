"""Calls on more cores than there are: the model by cases worked by hand, and the cuts of the loops.

Clocks count results here: no time is judged.
"""
# ruff: noqa: E402 - what is imported is found beside the tests

import math
import sys
from functools import partial

import numpy as np
import pytest
import source_tree

import pyconv
from pyconv import filters
from pyconv._engine.algorithms import (
    ALGORITHMS,
    LAYER_ALGORITHMS,
    ROUNDING_ALGORITHMS,
    WEIGHT_GRADIENT_ALGORITHMS,
)
from pyconv._engine.layer_planning import WeightGradientPlan
from pyconv._engine.layer_problem import Options, make_layer_problem
from pyconv._engine.machine import cpu_name
from pyconv.nn import functional

ROOT = source_tree.required("benchmarks")
sys.path.append(str(ROOT))  # last: the package that is tested may be another one

from benchmarks import __main__ as command
from benchmarks import cuts, scaling
from benchmarks.cuts import Cut, Region
from benchmarks.scaling import Cores, last_of, predicted, simulated

THREADS = (8, 16, 64)
#: The largest share of a region is at most so many times the mean of as many shares as the work is
#: worth threads, where there is enough of it.
MOST = 1.3

needs_pool = pytest.mark.skipif(
    not cuts.can_divert(), reason="the loops run on the compiler's threads"
)

# ---- the model --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "cores", "asleep", "end"),
    [
        ([4, 1, 1, 1], Cores(4), False, 4),
        ([2, 2, 2, 2], Cores(4), True, 2),  # to wake threads costs nothing
        # The caller has run both shares before the other thread has begun.
        ([3, 3], Cores(2, wake=1, start=10), True, 7),
        # It wakes two, and begins at 2; they begin at 3 and 4.
        ([5, 5, 5], Cores(3, wake=1, start=2), True, 9),
        # They are awake, and see their work at 0.5.
        ([5, 5, 5], Cores(3, wake=1, start=2, notice=0.5), False, 5.5),
        # The caller runs 0 and, from 1 on, the last; the thread 1 and, from 5 on, what is left.
        ([1, 5, 5, 5], Cores(2), False, 10),
        ([1, 5, 1, 8], Cores(2), False, 9),
        # The last that is left at 2, when the caller is done, is 2: thread 2 comes at 21.
        ([1, 9, 4], Cores(3, wake=0.5, start=20), True, 2 + 4 + 9),
        ([7], Cores(8, wake=1, start=1), True, 7),
    ],
)
def test_shares_are_claimed_by_who_comes_first(shares, cores, asleep, end):
    assert last_of(shares, cores, asleep=asleep) == end


def test_a_call_is_its_regions_and_what_the_caller_does_alone():
    cut = Cut((Region(1, (2, 3)), Region(0.25, (4, 1))), 0.5)
    assert simulated(cut, Cores(2)) == 1 + 3 + 0.25 + 4 + 0.5
    assert (cut.serial, cut.parallel, cut.threads, cut.longest) == (1.75, 10, 2, 7)
    assert cut.evenness(2) == 10 / 14


@pytest.mark.parametrize(
    ("cores", "seconds"),
    [
        (Cores(2), 1 + 2 + 0.5),
        (Cores(2, of_socket=10), 1 + 6 + 0.5),  # 60 bytes at 10 a second
        (Cores(2, of_core=10), 1 + 3 + 0.5),  # 30 bytes of each core
        (Cores(2, of_core=10, of_socket=10, cached=60), 1 + 2 + 0.5),  # all of them in a cache
    ],
)
def test_bytes_are_a_roof_of_each_core_and_of_all(cores, seconds):
    assert simulated(Cut((Region(1, (2, 2)),), 0.5), cores, 60) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("gaps", "asleep", "woken"),
    [
        ((1, 1, 1), True, 1),
        ((1, 3, 3), True, 2),  # at first they look for 2 seconds, woken again for 9
        ((1, 10, 3), True, 3),  # whoever slept longer than that looks for 2 only
        ((1, 3, 3), False, 0),
        ((10, 1, 1), False, 1),
    ],
)
def test_threads_that_are_idle_sleep(gaps, asleep, woken):
    """What is waking costs 1 of the caller and 1 until the thread runs; shares take 1."""
    cut = Cut(tuple(Region(gap, (1, 1)) for gap in gaps), 0)
    cores = Cores(2, wake=0.5, start=0.25, patience=(2, 9))
    # Waking: the caller begins at 0.5, and the thread at 0.75.
    assert simulated(cut, cores, asleep=asleep) == sum(gaps) + 3 + 0.75 * woken


def test_losses_add_up_and_the_largest_binds():
    assert scaling.OF_CUTS == ("serial", "added work", "imbalance")
    second = scaling.MACHINE.seconds_per_thread
    cores = Cores(8, of_core=1e9, of_socket=2e9, wake=second / 9, start=second / 5,
                  patience=(1, 1))  # fmt: skip
    cut = Cut((Region(second, tuple(second * s for s in (4, 1, 1, 1))),), second / 2)
    p = predicted(8 * second, cut, cores, 10)
    assert math.fsum(p.losses.values()) == pytest.approx(p.seconds - p.one / 8)
    assert tuple(p.losses) == scaling.LOSSES
    assert p.binds == "imbalance"
    assert p.flag == "imbalance"  # 8 threads are worth it, and the largest share is 4 of 7
    even = predicted(8 * second, Cut((Region(0, (second,) * 8),), 0), Cores(8))
    assert (even.binds, even.speed_up, even.efficiency, even.flag) == ("work", 8, 1, "")
    less = predicted(2 * second, Cut((Region(0, (second,) * 2),), 0), Cores(8))
    assert (less.binds, less.by_cuts, less.flag) == ("little work", 1, "")


def test_the_least_of_several_calls_is_taken_part_by_part():
    one, two = Cut((Region(1, (2, 5)),), 3), Cut((Region(4, (3, 1)),), 2)
    other = Cut((Region(0, (0, 0, 0)),), 0)
    assert cuts.least([one, two, other]) == Cut((Region(1, (2, 1)),), 2)


# ---- the cuts ---------------------------------------------------------------------------------


def _positive(shape, dtype="float32"):
    a = np.random.default_rng(len(shape)).random(shape) + 0.5
    return (a * 50 if np.dtype(dtype).kind in "iu" else a).astype(dtype)


def _correlated(shape, window, method, of="float32", kind="plain", **options):
    x, w = _positive(shape, of), _positive(window)
    if kind == "whole":
        w = np.ones(window, "int8")
    elif kind == "equal":
        w = np.full(window, 0.125, "float32")
    elif kind == "bell":
        w = np.multiply.outer(*(np.hanning(k + 2)[1:-1] for k in window)).astype("float32")
    return partial(pyconv.correlate, x, w, "same", "mirror", method=method, **options)


def _filtered(function, shape, dtype, *arguments, **options):
    return partial(function, _positive(shape, dtype), *arguments, dtype=dtype, **options)


def _layer(method, x_shape, w_shape, groups=1):
    conv = getattr(functional, f"conv{len(x_shape) - 2}d")
    x, w = _positive(x_shape), _positive(w_shape)
    return partial(conv, x, w, padding=w_shape[-1] // 2, groups=groups, method=method)


def _gradient(x_shape, w_shape):
    options = Options(1, w_shape[-1] // 2, 1, 1)
    plan = WeightGradientPlan(make_layer_problem(x_shape, w_shape, np.dtype("f4"), options), "auto")
    x, dy = _positive(x_shape), _positive((x_shape[0], w_shape[0], *x_shape[2:]))

    def call(out=None):
        out = np.empty(w_shape, "float32") if out is None else out
        plan.run(x, dy, out, None)
        return out

    return call


#: Calls whose work is worth more than 32 threads, by the algorithm that runs; made when needed.
CALLS = {
    "direct": lambda: _correlated((2000, 3000), (9, 9), "direct"),
    "direct of lines": lambda: _correlated((6 * 10**6,), (17,), "direct"),
    "direct of volumes": lambda: _correlated((128, 200, 256), (3, 3, 3), "direct"),
    "direct of bytes": lambda: _correlated((2048, 2048), (9, 9), "direct", "uint8", "whole"),
    "direct of a batch": lambda: _correlated((4096, 40, 40), (7, 7), "direct"),
    "fft": lambda: _correlated((3000, 2000), (25, 25), "fft"),
    "fft of lines": lambda: _correlated((5 * 10**6,), (127,), "fft"),
    "separable": lambda: _correlated((2048, 2048), (33, 33), "separable", kind="bell"),
    "box": lambda: _correlated((3000, 3000), (15, 15), "box", kind="equal"),
    "recursive": lambda: _filtered(filters.gaussian, (2000, 2500), "float32", 20, rtol=1e-3),
    "im2col": lambda: _correlated((2048, 2048), (5, 5), "im2col"),
    "rounded_mean": lambda: _filtered(filters.box, (3000, 3000), "uint8", 31),
    "fixed_point": lambda: _filtered(filters.gaussian, (3000, 3000), "uint8", 3),
    "rounded_sum": lambda: _correlated(
        (2048, 2048), (5, 5), "rounded_sum", "uint8",
        rounding="half_even", overflow="saturate", dtype="uint8",
    ),
    "passes": lambda: _filtered(filters.gaussian, (2500, 2500), "float32", 3),
    "passes of volumes": lambda: _filtered(
        filters.gaussian, (160, 160, 160), "float32", 3, axes=(0, 1, 2)
    ),
    "blocked": lambda: _layer("blocked", (8, 64, 56, 56), (64, 64, 5, 5)),
    "depthwise": lambda: _layer("depthwise", (8, 64, 112, 112), (64, 1, 5, 5), 64),
    "depthwise_lanes": lambda: _layer("depthwise_lanes", (32, 128, 28, 28), (128, 1, 7, 7), 128),
    "winograd4": lambda: _layer("winograd4", (16, 64, 56, 56), (64, 64, 3, 3)),
    "winograd2": lambda: _layer("winograd2", (16, 64, 56, 56), (64, 64, 3, 3)),
    "gradient": lambda: _gradient((8, 256, 14, 14), (256, 256, 3, 3)),
}  # fmt: skip

#: What no cut may change, as it decides in which order a line is summed (pieces of `recursive`), or
#: what is slower than its share is uneven (chunks of fewer tiles).
LESS_EVEN = {"recursive": 1.5, "winograd2": 1.5, "winograd4": 1.5}


def test_every_algorithm_that_shares_has_a_call():
    tables = ALGORITHMS, ROUNDING_ALGORITHMS, LAYER_ALGORITHMS, WEIGHT_GRADIENT_ALGORITHMS
    names = {algorithm.name for table in tables for algorithm in table}
    # Layers by `im2col` are products of BLAS, and `reference` is NumPy's.
    assert names - {"reference"} <= {name.split()[0] for name in CALLS}


@needs_pool
@pytest.mark.parametrize("name", CALLS)
def test_shares_are_even_and_write_every_result_once(name):
    """The largest share of 8, 16 and 64 threads, in results; and the bits of one thread."""
    call = CALLS[name]()
    with pyconv.set_workers(1):
        expected = call()
    y = np.empty_like(expected)
    for threads in THREADS:
        y[...] = 0
        found = cuts.cut(partial(call, out=y), threads, cuts.written(y))
        np.testing.assert_array_equal(y, expected)
        assert found.parallel == np.count_nonzero(expected) == y.size
        assert found.serial == 0
        assert min(threads, 32) <= found.threads <= threads
        uneven = 1 / found.evenness(found.threads)
        assert uneven <= LESS_EVEN.get(name, MOST), (threads, found.threads)


@needs_pool
def test_a_diverted_call_ends_with_the_pool_in_its_place():
    x, w = np.ones((2000, 2000), np.float32), np.ones((5, 5), np.float32)
    w[2, 2] = 2
    with pytest.raises(ValueError, match="w is empty"):
        cuts.cut(lambda: pyconv.correlate(x, np.ones((0, 0))), 2)
    found = cuts.cut(lambda: pyconv.correlate(x, w, workers=2), 1)
    assert [len(region.shares) for region in found.regions] == [2]
    seen = []
    with pyconv.set_workers(2):
        call = partial(pyconv.correlate, x, w, workers=2)
        found = cuts.cut(lambda: seen.append(call()), 2)
    np.testing.assert_array_equal(seen[0], call())
    assert found.threads == 2


# ---- the command ------------------------------------------------------------------------------


@needs_pool
@pytest.mark.parametrize("how", [[], ["--measure"]])
def test_the_command_prints_a_row_for_each_call_and_number(how, capsys, tmp_path):
    file = tmp_path / "scaling.json"
    arguments = ["--quick", "--only", "256x256 k=3", "--core-gbs", "10", "--json", str(file)]
    assert command.main(["scaling", *arguments, *how]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(cpu_name())
    rows = [line for line in out if line.startswith("| 256x256 k=3")]
    if not how:
        assert [row.split(" | ")[2] for row in rows] == [str(n) for n in THREADS]
        assert file.exists()


@pytest.mark.parametrize("cores", ["0", "65"])
def test_cores_beyond_a_region_are_refused(cores, capsys):
    assert command.main(["scaling", "--cores", cores]) == 2
    assert "1 to 64" in capsys.readouterr().out


def test_every_call_has_a_name_of_its_own():
    labels = [call.label for call in scaling.CALLS]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("cores", "gigabytes"), [(2, 71.68), (8, 71.68), (16, 71.68), (24, 368.64), (64, 368.64)]
)
def test_sockets_have_the_memory_of_their_size(cores, gigabytes):
    assert scaling.socket_rate(cores) == pytest.approx(1e9 * gigabytes)
