"""python -m benchmarks scaling: calls on 8, 16 and 64 cores, simulated from figures of one core.

Calls are cut for as many threads as they would use there (`cuts.py`), and each share is timed by
itself on this core. `simulated` then gives the shares to threads as `pool.c` does: the caller wakes
the threads that sleep, one after another; whoever comes first claims the next share. The model

    work        every share takes what it took here, its bytes included; and at least its bytes ÷
                rate of one core, if that is given
    bytes       a region takes at least its bytes ÷ rate of the socket
    waking      seconds of the caller for each thread, and seconds until the thread runs
    imbalance   a region ends with its last share

also counts what the caller does alone (serial), what a cut sums or reads twice (added work), and
cores that the work is not worth waking (little work). It has neither clock rates that fall while
all cores work, nor caches that cores share, nor several sockets.
"""

import argparse
import heapq
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pyconv
from benchmarks import cuts, processor
from benchmarks.cases import Case
from benchmarks.cuts import Cut
from benchmarks.layer_cases import Layer
from benchmarks.table import Table
from pyconv import filters
from pyconv._engine.machine import MACHINE
from pyconv.nn import functional, grad
from pyconv.signal import lfilter, resample_poly

COUNTS = (8, 16, 64)
#: GB/s of a socket by its cores: channels · 8 bytes · transfers a second of DDR5 (JEDEC JESD79-5),
#: of which plain loads and stores reach about `REACHED`. Two channels of 5600 MT/s (desktops), as
#: many (16 cores of one), twelve of 4800 MT/s (servers).
CHANNELS = {8: (2, 5.6), 16: (2, 5.6), 64: (12, 4.8)}
REACHED = 0.8
#: MB of the last caches of all cores together; arrays that fit there make no traffic.
CACHE_MB = 32.0
#: Microseconds of the caller for a thread that it wakes, and until that thread runs: those of
#: ``MIN_PATIENCE`` in ``_native/pool.c``, measured on Zen 4 in a KVM guest.
WAKE_US, START_US = 5.0, 20.0
#: Until a thread that looks for work sees it: a pause and a `sched_yield`.
NOTICE = 1e-6
#: A thread that is idle for longer sleeps; the second holds while calls follow each other:
#: ``MIN_PATIENCE`` and ``MAX_PATIENCE``.
PATIENCE = 20e-6, 2e-3
#: What is lost on the way from ideal to simulated times, in the order in which it is counted.
LOSSES = "little work", "serial", "added work", "imbalance", "waking", "bytes"
OF_CUTS = LOSSES[1:4]
#: A row with less than this share of the ideal is named by what it loses; the rest is work.
GOOD = 0.9
#: Cuts that reach less of the ideal are flagged.
FLAGGED = 0.7


@dataclass(frozen=True, slots=True)
class Cores:
    """A machine of so many cores; by default one whose memory and threads cost nothing."""

    count: int
    #: Bytes a second of one core and of all.
    of_core: float = math.inf
    of_socket: float = math.inf
    #: Bytes of arrays that stay in the caches.
    cached: float = 0.0
    #: Seconds of the caller for each thread that sleeps, until it runs, and until one that does not
    #: sleep sees its work.
    wake: float = 0.0
    start: float = 0.0
    notice: float = 0.0
    patience: tuple[float, float] = (math.inf, math.inf)

    def idle(self) -> "Cores":
        """Return these cores, whose threads cost nothing."""
        return replace(self, wake=0.0, start=0.0, notice=0.0)

    def free(self) -> "Cores":
        """Return these cores, whose memory costs nothing."""
        return replace(self, of_core=math.inf, of_socket=math.inf)


def simulated(cut: Cut, cores: Cores, size: float = 0.0, *, asleep: bool = False) -> float:
    """Return the seconds of a call that moves ``size`` bytes, whose threads may be asleep first."""
    moved = size if size > cores.cached else 0.0
    each = moved / cut.parallel if cut.parallel else 0.0  # bytes a second of one thread's work
    short, long = cores.patience
    total, idle, patient = cut.after, math.inf if asleep else 0.0, long
    for region in cut.regions:
        idle += region.before
        sleeping = idle > patient
        if sleeping:
            patient = long if idle < long else short
        shares = [max(s, s * each / cores.of_core) for s in region.shares]
        took = last_of(shares, cores, asleep=sleeping)
        total += region.before + max(took, sum(region.shares) * each / cores.of_socket)
        idle = 0.0
    return total


def last_of(shares: list[float], cores: Cores, *, asleep: bool) -> float:
    """Return when the last share of a region is done: threads claim shares as in `pool.c`."""
    threads = min(len(shares), cores.count)
    if threads == 1:
        return sum(shares)
    woken = (threads - 1) * cores.wake if asleep else 0.0
    # When each thread is free; 0 is the caller, whose first share is its own.
    free = [(t * cores.wake + cores.start if asleep else cores.notice, t) for t in range(threads)]
    free[0] = woken, 0
    heapq.heapify(free)
    left = set(range(1, len(shares)))
    end, own = 0.0, True
    while free:
        at, t = heapq.heappop(free)
        if t == 0 and own:
            share, own = 0, False
        elif left:
            share = t if t in left else max(left) if t == 0 else min(left)
            left.discard(share)
        else:
            continue
        end = max(end, at + shares[share])
        heapq.heappush(free, (at + shares[share], t))
    return end


@dataclass(frozen=True, slots=True)
class Prediction:
    """One call on so many cores, beside the ideal."""

    cores: int
    threads: int
    one: float
    seconds: float
    #: With threads that are awake.
    awake: float
    #: Seconds that are lost, by `LOSSES`.
    losses: dict[str, float]
    #: Ideal time of as many threads as the work is worth ÷ that of the cuts alone.
    by_cuts: float

    @property
    def speed_up(self) -> float:
        """How many times faster than one core."""
        return self.one / self.seconds

    @property
    def efficiency(self) -> float:
        """The share of the ideal."""
        return self.speed_up / self.cores

    @property
    def binds(self) -> str:
        """What is lost most, or work where little is lost."""
        if self.efficiency >= GOOD:
            return "work"
        return max(self.losses, key=self.losses.__getitem__)

    @property
    def flag(self) -> str:
        """What the cuts lose most, where they are at fault."""
        if self.by_cuts >= FLAGGED or self.binds == "bytes":
            return ""
        return max(OF_CUTS, key=self.losses.__getitem__)


def predicted(one: float, cut: Cut, cores: Cores, size: float = 0.0) -> Prediction:
    """Return what becomes of a call of ``one`` second of one core."""
    worth = min(cores.count, max(1, int(one / MACHINE.seconds_per_thread)))
    by_cuts = simulated(cut, cores.idle().free())
    seconds = simulated(cut, cores, size, asleep=True)
    steps = (
        one / cores.count,
        one / worth,
        cut.serial + (one - cut.serial) / worth,
        cut.serial + cut.parallel / worth,
        by_cuts,
        simulated(cut, cores.free(), asleep=True),
        seconds,
    )
    losses = {name: b - a for name, (a, b) in zip(LOSSES, pairwise(steps), strict=True)}
    awake = simulated(cut, cores, size)
    return Prediction(cores.count, cut.threads, one, seconds, awake, losses, one / worth / by_cuts)


# ---- the calls --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """A call by its name; ``bind`` makes it, which takes a while where arrays are large."""

    label: str
    bind: Callable[[], "Bound"]


class Bound(NamedTuple):
    """A call that says nothing of its threads, and the bytes of its arrays."""

    run: Callable[[], object]
    size: int
    algorithm: str = ""


def _correlation(case: Case) -> Call:
    def bind() -> Bound:
        x, w = case.data()
        plan = pyconv.plan(x, w, **case.options)
        out = np.zeros(case.y_shape, plan(x).dtype)
        return Bound(lambda: plan(x, out=out), case.size, plan.algorithm or "")

    return Call(case.label, bind)


def _filter(label: str, shape: tuple[int, ...], dtype: str, run: Callable[..., object]) -> Call:
    def bind() -> Bound:
        x = (np.random.default_rng(1).random(shape, np.float32) * 255).astype(dtype)
        out = np.zeros_like(x)
        return Bound(lambda: run(x, out), 2 * x.nbytes)

    return Call(f"{label} {'x'.join(map(str, shape))} {dtype}", bind)


def _layer(layer: Layer) -> Call:
    def bind() -> Bound:
        x, w, b = layer.data()
        options = layer.stride, layer.padding, 1, layer.groups
        plan = functional.plan_conv(layer.x_shape, w, b, *options)
        out = np.zeros(layer.y_shape, layer.dtype)
        return Bound(lambda: plan(x, out=out), layer.bytes, plan.algorithm)

    return Call(f"layer {layer.label}", bind)


def _gradients(layer: Layer) -> Iterator[Call]:
    def bind(name: str) -> Bound:
        x, w, _ = layer.data()
        dy = np.random.default_rng(5).random(layer.y_shape, np.float32)
        options = layer.stride, layer.padding
        if name == "dx":
            return Bound(lambda: grad.conv2d_input(x.shape, w, dy, *options), layer.bytes)
        return Bound(lambda: grad.conv2d_weight(x, w.shape, dy, *options), layer.bytes)

    for name in ("dx", "dw"):
        yield Call(f"{name} of layer {layer.label}", lambda name=name: bind(name))


def _lines(label: str, run: Callable[[np.ndarray], object]) -> Call:
    def bind() -> Bound:
        x = np.random.default_rng(2).random((64, 100_000), np.float32)
        return Bound(lambda: run(x), 2 * x.nbytes)

    return Call(f"{label} 64x100000 float32", bind)


def _pool(label: str, batch: int, run: Callable[[np.ndarray], object]) -> Call:
    def bind() -> Bound:
        x = np.random.default_rng(2).random((batch, 64, 112, 112), np.float32)
        return Bound(lambda: run(x), x.nbytes * 5 // 4)

    return Call(f"{label} {batch}x64x112x112", bind)


_FIR = np.hanning(101).astype(np.float32)
CALLS: tuple[Call, ...] = (
    *(_correlation(Case((n, n), (k, k))) for n in (256, 512, 1024, 2048, 4096) for k in (3, 11)),
    _correlation(Case((2048, 2048), (5, 5), x_dtype="uint8", w_dtype="int8")),
    _correlation(Case((2048, 2048), (63, 63))),
    _correlation(Case((512, 512), (63, 63))),
    *(_correlation(Case((n,), (k,), boundary="constant"))
      for n, k in ((10**6, 17), (10**6, 127), (10**7, 17), (10**7, 127), (10**6, 4095))),
    *(_correlation(Case((n,) * 3, (k,) * 3)) for n, k in ((64, 3), (128, 3), (128, 7), (256, 3))),
    *(_correlation(Case((n, s, s), (3, 3))) for n, s in ((256, 32), (4096, 28), (64, 128))),
    *(_filter(f"Gaussian σ={s}", shape, dtype,
              lambda x, y, s=s: filters.gaussian(x, s, dtype=y.dtype, out=y))
      for s, shape, dtype in ((1, (512, 512), "float32"), (2, (2048, 2048), "float32"),
                              (10, (2048, 2048), "float32"), (2, (2048, 2048), "uint8"))),
    _filter("Gaussian σ=2 of 3 axes", (128,) * 3, "float32",
            lambda x, y: filters.gaussian(x, 2, axes=(0, 1, 2), out=y)),
    _filter("Gaussian σ=20 rtol=1e-3", (2048, 2048), "float32",
            lambda x, y: filters.gaussian(x, 20, rtol=1e-3, out=y)),
    _filter("mean 31", (2048, 2048), "float32", lambda x, y: filters.box(x, 31, out=y)),
    _filter("mean 31", (2048, 2048), "uint8",
            lambda x, y: filters.box(x, 31, dtype=y.dtype, out=y)),
    _filter("Sobel", (2048, 2048), "float32", lambda x, y: filters.sobel(x, out=y)),
    *map(_layer, (
        Layer(64, 64, 56, 3), Layer(256, 256, 14, 3), Layer(512, 512, 7, 3),
        Layer(64, 64, 56, 3, batch=32), Layer(256, 64, 56, 1), Layer(512, 2048, 7, 1),
        Layer(3, 64, 224, 7, stride=2), Layer(128, 128, 56, 3, stride=2),
        Layer(32, 32, 112, 3, groups=32), Layer(512, 512, 14, 3, groups=512),
        Layer(96, 96, 56, 7, groups=96), Layer(1, 6, 28, 5, batch=64),
        Layer(64, 64, 4000, 3, ndim=1, batch=8), Layer(64, 64, 16, 3, ndim=3),
    )),
    *_gradients(Layer(64, 64, 56, 3)),
    *_gradients(Layer(256, 256, 14, 3, batch=8)),
    _pool("max_pool2d 3/2", 8, lambda x: functional.max_pool2d(x, 3, 2)),
    _pool("avg_pool2d 2", 8, lambda x: functional.avg_pool2d(x, 2)),
    _lines("lfilter k=101", lambda x: lfilter(_FIR, np.ones(1, np.float32), x)),
    _lines("resample_poly 3/2", lambda x: resample_poly(x, 3, 2, axis=-1)),
)  # fmt: skip


# ---- the command ------------------------------------------------------------------------------


def add_parser(commands: Any) -> None:
    """Add the command ``scaling``."""
    parser = commands.add_parser(
        "scaling",
        help="calls on 8, 16 and 64 cores, simulated from figures of one core",
        description="Cut calls for more cores than there are, time their shares on this core, and "
        "simulate the threads: work, bytes, waking, imbalance.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument(
        "--only", metavar="WORD", action="append",
        help="calls whose name has this word; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--cores", metavar="N", action="append", type=int,
        help="cores, may be given again (default: 8, 16 and 64; 64 at most)",
    )  # fmt: skip
    parser.add_argument(
        "--core-gbs", metavar="GB/S", type=float,
        help="of one core, where it is less than this one's (default: shares take what they took)",
    )  # fmt: skip
    parser.add_argument(
        "--socket-gbs", metavar="GB/S", type=float,
        help="of all cores (default: four fifths of what 2 channels of DDR5-5600 transfer, for up "
        "to 16 cores, or 12 channels of DDR5-4800)",
    )  # fmt: skip
    for name, unit, default, about in (
        ("--cache", "MB", CACHE_MB, "arrays up to so much make no traffic"),
        ("--wake-us", "US", WAKE_US, "of the caller, for each thread that sleeps"),
        ("--start-us", "US", START_US, "until a thread that was woken runs"),
    ):
        words = f"{about} (default: %(default)s)"
        parser.add_argument(name, metavar=unit, type=float, default=default, help=words)
    parser.add_argument(
        "--measure", action="store_true",
        help="instead: the threads that there are, simulated and measured",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    parser.set_defaults(run=run)


def socket_rate(count: int) -> float:
    """Return the default bytes a second of a socket of so many cores."""
    channels, transfers = CHANNELS[min(CHANNELS, key=lambda n: (n < count, abs(n - count)))]
    return REACHED * channels * 8 * transfers * 1e9


def cores_of(count: int, given: argparse.Namespace, of_core: float) -> Cores:
    """Return the cores that the options describe."""
    of_socket = socket_rate(count) if given.socket_gbs is None else 1e9 * given.socket_gbs
    return Cores(count, of_core, of_socket, 1e6 * given.cache, 1e-6 * given.wake_us,
                 1e-6 * given.start_us, NOTICE, PATIENCE)  # fmt: skip


def run(given: argparse.Namespace) -> int:
    """Print the table; return the exit status."""
    if not cuts.can_divert():
        print("the loops run on the compiler's threads, whose shares cannot be seen")
        return 2
    counts = tuple(given.cores or COUNTS)
    if not all(1 <= n <= 64 for n in counts):
        print("--cores: 1 to 64 are allowed")
        return 2
    taken = [c for c in CALLS if not given.only or any(word in c.label for word in given.only)]
    of_core = 1e9 * given.core_gbs if given.core_gbs else math.inf
    repeats = 3 if given.quick else 10
    print(f"{processor.described()}; {os.cpu_count()} CPUs")
    core = f"{given.core_gbs:g} GB/s at most" if given.core_gbs else "as its share took here"
    print(f"\n- bytes of one core: {core}")
    if given.measure:
        return _measure(taken, [cores_of(n, given, of_core) for n in _here()], repeats)
    machines = [cores_of(n, given, of_core) for n in counts]
    for cores in machines:
        print(f"- {cores.count} cores: {1e-9 * cores.of_socket:.1f} GB/s of all")
    print(
        f"- threads asleep at first: {given.wake_us:g} µs of the caller each, "
        f"{given.start_us:g} µs until one runs\n- arrays up to {given.cache:g} MB make no traffic\n"
    )
    table = Table("call", "1 core ms", "cores", "threads", "ms", "times", "awake", "of ideal",
                  "by cuts", "binds", "")  # fmt: skip
    figures = []
    for call in taken:
        bound = call.bind()
        one, found = timed(bound, counts, repeats)
        how = f" ({bound.algorithm})" if bound.algorithm else ""
        for cores in machines:
            p = predicted(one, found[cores.count], cores, bound.size)
            table.row(
                call.label + how, f"{1e3 * one:.3g}", str(p.cores), str(p.threads),
                f"{1e3 * p.seconds:.3g}", f"{p.speed_up:.1f}", f"{p.one / p.awake:.1f}",
                f"{p.efficiency:.0%}", f"{p.by_cuts:.0%}", p.binds,
                f"CUTS: {p.flag}" if p.flag else "",
            )  # fmt: skip
            figures.append({
                "call": call.label, "algorithm": bound.algorithm, "cores": p.cores,
                "threads": p.threads, "one": one, "seconds": p.seconds, "awake": p.awake,
                "losses": p.losses, "by_cuts": p.by_cuts, "binds": p.binds, "flag": p.flag,
            })  # fmt: skip
    bad = sum(bool(f["flag"]) for f in figures)
    print(f"\n{bad} of {len(figures)} rows lose more than {1 - FLAGGED:.0%} to their cuts")
    if given.json is not None:
        report = {"CPU": processor.described(), "rows": figures}
        text = json.dumps(report, indent=1, ensure_ascii=False)
        given.json.write_text(text + "\n")
    return 0


def timed(bound: Bound, counts: tuple[int, ...], repeats: int) -> tuple[float, dict[int, Cut]]:
    """Return the seconds of one core, and the cut for each number of threads."""
    found: dict[int, list[Cut]] = {n: [] for n in (1, *counts)}
    for n in found:
        cuts.cut(bound.run, n)  # plans, tables and pages
    for _ in range(repeats):
        for n, each in found.items():
            each.append(cuts.cut(bound.run, n))
    best = {n: cuts.least(each) for n, each in found.items()}
    return best[1].serial, {n: best[n] for n in counts}


def _here() -> tuple[int, ...]:
    """Return the numbers of threads that can be measured here."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return tuple(n for n in (2, 4, *COUNTS) if n <= cpus)


def _measure(calls: list[Call], machines: list[Cores], repeats: int) -> int:
    """Print what is simulated beside what is measured, in wall time, calls following each other."""
    print(
        "\nCPUs that are two threads of one core share its units: what they give is less than two."
    )
    print("Threads are awake, as in calls that follow each other.\n")
    table = Table("call", "1 core ms", "threads", "simulated", "measured", "measured ÷ simulated")
    for call in calls:
        counts = tuple(cores.count for cores in machines)
        bound = call.bind()
        one, found = timed(bound, counts, repeats)
        alone = min(_wall(bound.run, 1) for _ in range(repeats))
        for cores in machines:
            times = one / simulated(found[cores.count], cores, bound.size)
            measured = alone / min(_wall(bound.run, cores.count) for _ in range(2 * repeats))
            table.row(call.label, f"{1e3 * one:.3g}", str(cores.count), f"{times:.2f}",
                      f"{measured:.2f}", f"{measured / times:.2f}")  # fmt: skip
    return 0


def _wall(run: Callable[[], object], threads: int) -> float:
    with pyconv.set_workers(threads):
        run()
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
