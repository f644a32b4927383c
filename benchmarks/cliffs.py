"""Look for cliffs: a call is timed beside its neighbour, which differs from it by one step.

The step is a size (time grows by no more than the number of results), the width of a kernel, the
values of the samples, their layout in memory, or their dtype. A row is a fault where its time is
more than FACTOR times that of its neighbour, and FLOOR beyond it. A suspect is timed again, in turn
with its neighbour, before it is called a fault.
"""

import argparse
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import pyconv
from benchmarks.cliff_calls import CALLS, GROUPS, Bind, Call, Shape
from benchmarks.speed import machine
from benchmarks.table import Table
from benchmarks.timing import Effort, clock, interleaved_minima

#: By how much a step may change the time; three is what no change of registers or caches explains.
FACTOR = 3.0
#: Seconds that a step may take more, whatever the factor: Python's own part of a call.
FLOOR = 15e-6
#: An outlier among so few samples is told from a cliff by a second look, at length.
FIRST_LOOK = Effort(seconds=0.002, least=3, most=8)
QUICK_LOOK = Effort(seconds=0.001, least=2, most=6)
SECOND_LOOK = Effort(seconds=0.15, least=4)
QUICK_SECOND_LOOK = Effort(seconds=0.02, least=4)
#: A sample repeats its call for about as long.
SAMPLE = 3e-4
#: Seconds of one call after which the rest of a ladder is left out.
PATIENCE = 2.0

#: Lengths of an axis: one, odd ones, primes, powers of two and their neighbours.
SIZES: dict[int, tuple[int, ...]] = {
    1: (1, 2, 3, 5, 8, 9, 16, 17, 31, 33, 64, 65, 101, 127, 128, 129, 191, 255, 257, 383, 509, 512,
        521, 769, 1021, 1025, 1543, 2047, 2049, 3079, 4096, 4099, 6151, 8191, 8209, 12_289, 16_384,
        16_411, 24_593, 32_768, 32_771, 49_157, 65_537, 98_317, 131_072, 131_101),
    2: (1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 23, 31, 32, 33, 47, 61, 64, 67, 97, 127, 128, 129,
        191, 255, 256, 257, 383, 509, 512, 521),
    3: (1, 2, 3, 5, 7, 8, 9, 11, 15, 16, 17, 23, 31, 32, 33, 47, 61, 64, 65),
}  # fmt: skip
#: Thin shapes, and the cube of as many samples.
THIN: dict[int, tuple[Shape, ...]] = {
    1: (),
    2: ((64, 64), (1, 4096), (4096, 1), (2, 2048), (2048, 2), (3, 1365), (1365, 3), (8, 512),
        (512, 8)),
    3: ((16, 16, 16), (1, 64, 64), (64, 1, 64), (64, 64, 1), (1, 1, 4096), (4096, 1, 1),
        (1, 4096, 1), (3, 3, 455), (455, 3, 3), (3, 37, 37), (37, 37, 3)),
}  # fmt: skip
#: Widths of kernels grow by steps that make no more than twice the products in two dimensions.
WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 21, 25, 29, 31, 33, 41, 49, 57, 63, 65, 81,
          97, 113, 127, 129, 161, 193, 225, 255, 257, 321, 385, 449, 511, 513, 641, 769, 1023, 1025,
          1281, 1537, 2047, 2049, 2561, 3073, 4095, 4097, 5121, 6145, 8191, 8193, 10_241, 12_289,
          16_383, 16_385, 20_481, 24_577, 32_767, 40_961, 49_153, 65_535, 81_921)  # fmt: skip
#: The length of an axis under kernels of all widths, by dimensions: they become wider than it.
UNDER_WIDTHS: dict[int, Shape] = {1: (2003,), 2: (90, 93), 3: (22, 23, 24)}
#: Few samples and how many times a kernel on them is given twice as many taps, by dimensions.
FEW: dict[int, tuple[Shape, int]] = {1: ((101,), 9), 2: ((20, 21), 15), 3: ((9, 10, 11), 13)}
#: Lengths of axes and of kernels that change places.
EXCHANGED: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((50_000, 3), (50_000, 33), (20_001, 301), (5000, 4999)),
    2: ((300, 5), (300, 1), (200, 33), (100, 99)),
    3: ((40, 3), (30, 9)),
}


# ---- samples ----------------------------------------------------------------------------------


def noise(shape: Shape, dtype: str = "float32") -> np.ndarray:
    """Return random samples of any dtype."""
    rng = np.random.default_rng(7)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.random(shape) < 0.5
    if kind.kind in "iu":
        return rng.integers(0, 100, shape).astype(kind)
    x = rng.random(shape)
    return (x + 1j * rng.random(shape)).astype(kind) if kind.kind == "c" else x.astype(kind)


def _set(value: float, part: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """Return what sets a part of the samples, or the middle one."""

    def spoil(x: np.ndarray) -> np.ndarray:
        if part:
            x[np.random.default_rng(9).random(x.shape) < part] = value
        else:
            x.reshape(-1)[x.size // 2 + x.shape[-1] // 2] = value
        return x

    return spoil


def _block(x: np.ndarray) -> np.ndarray:
    """Return samples of which a block of about 5 % is missing, as at the edge of a detector."""
    x[..., : max(1, x.shape[-1] // 20)] = np.nan
    return x


def _everywhere(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.full_like(x, value)


def _denormal(x: np.ndarray) -> np.ndarray:
    return x * np.finfo(x.dtype).smallest_normal / x.dtype.type(2)


#: What the samples hold, out of noise.
VALUES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "noise": lambda x: x,
    "one NaN": _set(np.nan),
    "1 % NaN": _set(np.nan, 0.01),
    "a block of NaN": _block,
    "all NaN": _everywhere(np.nan),
    "one inf": _set(np.inf),
    "1 % inf": _set(np.inf, 0.01),
    "denormal": _denormal,
    "half denormal": lambda x: np.where(x < 0.5, x, _denormal(x)),
    "one of 1e20": _set(1e20),
    "1 % of 1e20": _set(1e20, 0.01),
    "all of 1e30": lambda x: x * x.dtype.type(1e30),
    "zeros": _everywhere(0),
    "constant": _everywhere(0.3),
}


def _apart(x: np.ndarray, shift: int) -> np.ndarray:
    """Return a copy that begins ``shift`` bytes after an aligned address."""
    room = np.empty(x.nbytes + 64 + shift, np.uint8)
    start = -room.ctypes.data % 64 + shift
    y = room[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def _within(x: np.ndarray, index: tuple[Any, ...], shape: Sequence[int]) -> np.ndarray:
    """Return a view of a larger array that holds ``x`` at ``index``."""
    large = np.zeros(tuple(shape), x.dtype)
    large[index] = x
    return large[index]


def _read_only(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


#: How samples lie in memory, out of a contiguous array in native byte order.
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "contiguous": lambda x: x,
    "Fortran": np.asfortranarray,
    "a channel of pixels": lambda x: _within(x, (..., 1), (*x.shape, 3)),
    "last axis first": lambda x: np.moveaxis(np.moveaxis(x, -1, 0).copy(), 0, -1),
    "rows of a wider image": lambda x: _within(
        x, (..., slice(3, 3 + x.shape[-1])), (*x.shape[:-1], x.shape[-1] + 9)
    ),
    "reversed": lambda x: x[(slice(None, None, -1),) * x.ndim].copy()[
        (slice(None, None, -1),) * x.ndim
    ],
    "reversed rows": lambda x: x[::-1].copy()[::-1],
    "every second": lambda x: _within(
        x, (slice(None, None, 2),) * x.ndim, [2 * n for n in x.shape]
    ),
    "every second row": lambda x: _within(
        x, (slice(None, None, 2),), (2 * x.shape[0], *x.shape[1:])
    ),
    "unaligned": lambda x: _apart(x, 1),
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "byte-swapped Fortran": lambda x: np.asfortranarray(x).astype(x.dtype.newbyteorder()),
    "read-only": _read_only,
    "one row, broadcast": lambda x: np.broadcast_to(x[:1].copy(), x.shape),
    "one value, broadcast": lambda x: np.broadcast_to(x.reshape(-1)[:1].copy(), x.shape),
}


# ---- ladders ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A step of a ladder: how to bind it, and the work that its time is in proportion to."""

    label: str
    bind: Callable[[], Callable[[], object]]
    work: float = 1.0


@dataclass(frozen=True, slots=True)
class Ladder:
    """Cases of one call, and which are neighbours: the first of a pair is judged by the second."""

    call: str
    axis: str
    cases: tuple[Case, ...]
    pairs: tuple[tuple[int, int], ...]


def _chain(n: int) -> tuple[tuple[int, int], ...]:
    """Return neighbours in a row, each judged by both: a step down is a cliff too.

    The first, a single sample or tap, is no measure of the second: it may be a mere product.
    """
    return tuple(p for i in range(1, n) for p in ((i, i - 1), (i - 1, i)) if p != (1, 0))


def _star(n: int) -> tuple[tuple[int, int], ...]:
    """Return neighbours of the first."""
    return tuple((i, 0) for i in range(1, n))


def sizes(call: Call, quick: bool) -> Ladder:
    """Return cubes of all sizes."""
    shapes = [(n,) * call.ndim for n in SIZES[call.ndim]]
    shapes = [s for s in shapes if math.prod(s) * math.prod(call.lead) <= 2e6]
    if quick:
        shapes = [s for s in shapes if math.prod(s) <= 20_000]
    cases = tuple(
        Case(_shown(s), _binding(call, s, call.width), call.work(s, call.width)) for s in shapes
    )
    return Ladder(call.label, "sizes", cases, _chain(len(cases)))


def thin(call: Call, quick: bool) -> Ladder:
    """Return shapes of about as many samples, of which most are on the border."""
    shapes = THIN[call.ndim][: 4 if quick else None]
    cases = tuple(
        Case(_shown(s), _binding(call, s, call.width), call.work(s, call.width)) for s in shapes
    )
    return Ladder(call.label, "thin", cases, _star(len(cases)))


def widths(call: Call, quick: bool) -> Ladder:
    """Return kernels from one tap to wider than the samples."""
    shape = call.base or UNDER_WIDTHS[call.ndim]
    chosen = [k for k in WIDTHS if k <= call.widest * max(shape)] if call.width else []
    if quick:
        chosen = [k for k in chosen if k <= 1.3 * max(shape)]
    cases = tuple(Case(f"width {k}", _binding(call, shape, k)) for k in chosen)
    return Ladder(call.label, "widths", cases, _chain(len(cases)))


def wide(call: Call, quick: bool) -> Ladder:
    """Return kernels of twice as many taps each time, far beyond the samples."""
    shape, most = FEW[call.ndim]
    if not call.width or call.base:
        return Ladder(call.label, "wide", (), ())
    steps = most // 2 if quick else most
    cases = tuple(
        Case(f"width {k} on {_shown(shape)}", _binding(call, shape, k), call.work(shape, k))
        for k in (round(max(shape) * 2 ** (i / call.ndim)) for i in range(steps))
    )
    return Ladder(call.label, "wide", cases, tuple((i, i - 1) for i in range(1, len(cases))))


def exchanged(call: Call, quick: bool) -> Ladder:
    """Return samples under a kernel, and the kernel under the samples: the same sum."""
    del quick
    if call.exchanged is None:
        return Ladder(call.label, "exchanged", (), ())
    cases = []
    for n, width in EXCHANGED[call.ndim]:
        for name, bind in (("kernel", call.bind), ("exchanged", call.exchanged)):
            shape = (n,) * call.ndim
            label = f"{_shown(shape)}, width {width}, {name}"
            cases.append(Case(label, partial(_bound, bind, shape, width)))
    pairs = tuple(p for i in range(0, len(cases), 2) for p in ((i, i + 1), (i + 1, i)))
    return Ladder(call.label, "exchanged", tuple(cases), pairs)


def _shown(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _bound(bind: Bind, shape: Shape, width: int) -> Callable[[], object]:
    return bind(noise(shape), width)


def values(call: Call, quick: bool) -> Ladder:
    """Return samples of all values."""
    dtypes = ("float32",) if quick else ("float32", "float64")
    cases = []
    for dtype in dtypes:
        for name, change in VALUES.items():
            made = _binding(call, call.shape, call.width, dtype, change)
            cases.append(Case(f"{dtype}, {name}", made))
    n = len(VALUES)
    pairs = tuple((i, i // n * n) for i in range(len(cases)) if i % n)
    return Ladder(call.label, "values", tuple(cases), pairs)


def layouts(call: Call, quick: bool) -> Ladder:
    """Return samples of all layouts."""
    dtypes = [d for d in ("float32", "uint8", "float64") if d in call.dtypes][: 1 if quick else 3]
    cases = []
    for dtype in dtypes:
        for name, change in LAYOUTS.items():
            made = _binding(call, call.shape, call.width, dtype, change)
            cases.append(Case(f"{dtype}, {name}", made))
    n = len(LAYOUTS)
    pairs = tuple((i, i // n * n) for i in range(len(cases)) if i % n)
    return Ladder(call.label, "layouts", tuple(cases), pairs)


def dtypes(call: Call, quick: bool) -> Ladder:
    """Return samples of all dtypes; a complex sample is two, the work of a type its bytes."""
    del quick
    names = ("float64", *(d for d in call.dtypes if d != "float64"))
    cases = tuple(
        Case(d, _binding(call, call.shape, call.width, d), 2.0 if d == "complex64" else 1.0)
        for d in names
    )
    return Ladder(call.label, "dtypes", cases, _star(len(cases)))


AXES: dict[str, Callable[[Call, bool], Ladder]] = {
    f.__name__: f for f in (sizes, thin, widths, wide, exchanged, values, layouts, dtypes)
}


def _binding(
    call: Call,
    shape: Shape,
    width: int,
    dtype: str = "float32",
    change: Callable[[np.ndarray], np.ndarray] = lambda x: x,
) -> Callable[[], Callable[[], object]]:
    return lambda: call.bind(change(noise((*call.lead, *shape), dtype)), width)


# ---- measuring --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """A case that takes too long beside its neighbour, or that fails."""

    call: str
    axis: str
    case: str
    neighbour: str
    #: Seconds of both, and the most that the neighbour allows; infinite where the case fails.
    seconds: float
    beside: float
    allowed: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """The time ÷ that of the neighbour, scaled by the work."""
        return self.seconds * FACTOR / (self.allowed - FLOOR) if self.allowed > FLOOR else math.inf


@dataclass(slots=True)
class Climbed:
    """What a ladder has shown."""

    ladder: Ladder
    #: Of each case; not a number where the call refuses it or it was left out.
    seconds: list[float]
    faults: list[Fault] = field(default_factory=list)

    @property
    def worst(self) -> tuple[float, str]:
        """The greatest ratio of neighbours of which the first takes longer than the floor."""
        cases, times = self.ladder.cases, self.seconds
        return max(
            (
                ((times[i] - FLOOR) / (times[j] * scale(cases[i], cases[j])), cases[i].label)
                for i, j in self.ladder.pairs
                if math.isfinite(times[i]) and times[j] > 0
            ),
            default=(0.0, ""),
        )


def scale(case: Case, neighbour: Case) -> float:
    """Return how many times as much work a case has; less work may take as long."""
    return max(1.0, case.work / neighbour.work)


def allowed(case: Case, neighbour: Case, seconds: float) -> float:
    """Return the most seconds that a case may take whose neighbour takes ``seconds``."""
    return FACTOR * scale(case, neighbour) * seconds + FLOOR


def suspects(ladder: Ladder, seconds: Sequence[float]) -> list[tuple[int, int]]:
    """Return the pairs that break the rule, of each case the one that does most."""
    found: dict[int, tuple[float, int]] = {}
    for i, j in ladder.pairs:
        if not (math.isfinite(seconds[i]) and math.isfinite(seconds[j])):
            continue
        ratio = seconds[i] / allowed(ladder.cases[i], ladder.cases[j], seconds[j])
        if ratio > 1 and ratio > found.get(i, (0.0, 0))[0]:
            found[i] = ratio, j
    return [(i, j) for i, (_, j) in found.items()]


def once(call: Callable[[], object], effort: Effort) -> float:
    """Return the least seconds of a call; of one that takes long, of two."""
    start = clock()
    call()
    first = clock() - start
    if first > PATIENCE:
        return first
    spent, best, number = 0.0, math.inf, 1
    for turn in range(effort.most):
        if turn >= effort.least and spent > effort.seconds:
            break
        start = clock()
        for _ in range(number):
            call()
        taken = clock() - start
        spent, best = spent + taken, min(best, taken / number)
        if turn == 0:
            number = max(1, math.ceil(SAMPLE / max(taken, 1e-7)))
        if best > PATIENCE / 10:
            break
    return best


def climb(ladder: Ladder, effort: Effort, again: Effort) -> Climbed:
    """Time every case, then those again that look like a fault."""
    climbed = Climbed(ladder, [])
    patient = True
    for case in ladder.cases:
        seconds = math.nan
        if patient:
            try:
                seconds = once(case.bind(), effort)
            except MemoryError as error:
                climbed.faults.append(_failed(ladder, case, error))
            except (ValueError, TypeError, OverflowError, RuntimeError):
                pass  # refused: there is nothing to time
        patient = patient and not seconds > PATIENCE
        climbed.seconds.append(seconds)
    for i, j in suspects(ladder, climbed.seconds):
        case, neighbour = ladder.cases[i], ladder.cases[j]
        if climbed.seconds[i] > PATIENCE:
            least = {"case": climbed.seconds[i], "neighbour": climbed.seconds[j]}
        else:
            calls = {"case": case.bind(), "neighbour": neighbour.bind()}
            least = interleaved_minima(calls, again)
        most = allowed(case, neighbour, least["neighbour"])
        climbed.seconds[i] = min(climbed.seconds[i], least["case"])
        if least["case"] > most:
            climbed.faults.append(
                Fault(ladder.call, ladder.axis, case.label, neighbour.label, least["case"],
                      least["neighbour"], most)
            )  # fmt: skip
    return climbed


def _failed(ladder: Ladder, case: Case, error: Exception) -> Fault:
    return Fault(ladder.call, ladder.axis, case.label, "", math.inf, math.nan, 0.0, repr(error))


# ---- the report -------------------------------------------------------------------------------


def ladders(groups: Sequence[str], axes: Sequence[str], quick: bool) -> Iterator[Ladder]:
    """Yield every ladder of some groups of calls that has neighbours."""
    for call in CALLS:
        if call.group in groups:
            for axis in axes:
                ladder = AXES[axis](call, quick)
                if ladder.pairs:
                    yield ladder


def report(groups: Sequence[str], axes: Sequence[str], quick: bool) -> dict[str, Any]:
    """Print a row for each ladder, and one for each fault below it; return them as plain data."""
    header = machine(())
    print("## Cliffs\n")
    print(
        f"A fault takes more than {FACTOR:g} times as long as its neighbour, scaled by the number "
        f"of results, and {FLOOR * 1e6:g} µs beyond that. Minima of repeats on one thread; faults "
        "were timed again.\n"
    )
    for name, value in header.items():
        print(f"- {name}: {value}")
    print()
    looks = (QUICK_LOOK, QUICK_SECOND_LOOK) if quick else (FIRST_LOOK, SECOND_LOOK)
    table = Table("call", "step", "cases", "worst", "where")
    rows, faults = [], []
    with pyconv.set_workers(1), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for ladder in ladders(groups, axes, quick):
            climbed = climb(ladder, *looks)
            show(table, climbed)
            faults += climbed.faults
            times = dict(
                zip((c.label for c in ladder.cases), map(_or_none, climbed.seconds), strict=True)
            )
            rows.append({"call": ladder.call, "step": ladder.axis, "seconds": times})
    cases = sum(len(row["seconds"]) for row in rows)
    print(f"\n{len(faults)} faults in {cases} cases of {len({r['call'] for r in rows})} calls")
    return {
        "machine": header,
        "rows": rows,
        "faults": [
            {
                "call": f.call,
                "step": f.axis,
                "case": f.case,
                "neighbour": f.neighbour,
                "seconds": _or_none(f.seconds),
                "beside": _or_none(f.beside),
                "note": f.note,
            }
            for f in faults
        ],
    }


def _or_none(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def show(table: Table, climbed: Climbed) -> None:
    """Print the row of a ladder, and its faults."""
    ladder = climbed.ladder
    timed = sum(map(math.isfinite, climbed.seconds))
    ratio, where = climbed.worst
    table.row(ladder.call, ladder.axis, str(timed), f"{max(ratio, 0):.2f}", where)
    for fault in climbed.faults:
        if fault.note:
            table.row("**FAULT**", "", fault.case, fault.note, "")
        else:
            beside = f"{fault.beside * 1e6:.4g} for {fault.neighbour}"
            table.row("**FAULT**", "", fault.case, f"{fault.ratio:.1f}",
                      f"{fault.seconds * 1e6:.4g} µs, {beside}")  # fmt: skip


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "cliffs",
        help="sizes, widths, values, layouts and dtypes, each beside its neighbour",
        description="Time every family of functions over sizes, widths of kernels, values, "
        "layouts and dtypes; print where a step makes a call more than "
        f"{FACTOR:g} times as slow.",
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer repeats")
    parser.add_argument("--only", metavar="GROUP", action="append", choices=GROUPS,
                        help=f"one group, may be given again: {', '.join(GROUPS)}")  # fmt: skip
    parser.add_argument("--step", metavar="STEP", action="append", choices=list(AXES),
                        help=f"one kind, may be given again: {', '.join(AXES)}")  # fmt: skip
    parser.add_argument("--check", action="store_true", help="exit status 1 if there are faults")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    measured = report(given.only or GROUPS, given.step or tuple(AXES), given.quick)
    if given.json is not None:
        given.json.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n")
    return int(given.check and bool(measured["faults"]))
