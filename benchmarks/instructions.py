"""Instructions of a handful of core calls: a guard against regressions that any machine can run.

Counts do not depend on load, frequency or neighbours. They do depend on the compiler, on NumPy and
Python (for the few microseconds around the loops), so that a commit is best compared with the one
before it, built by the same compiler: write the counts of one with ``--json``, compare the other's
with ``--compare``. instructions.json holds the counts of one compiler, for a first look.
"""

import json
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal

import pyconv
from benchmarks.callgrind import ISA, MissingToolError, count, run_counted
from benchmarks.cases import Case, error, tolerance
from benchmarks.layer_cases import Layer
from benchmarks.table import Table
from pyconv import _native

BASELINE = Path(__file__).with_suffix(".json")
#: Counts of one build differ by less than 0.1 %; 2 % of a loop is one instruction in fifty.
TOLERANCE = 0.02
#: Calls of some microseconds are mostly Python's and NumPy's, whose patch releases differ.
LIGHT_TOLERANCE = 0.05
LIGHT = 100_000
#: What a layer's error is granted, in rounding units of the largest sum of magnitudes.
LAYER_EPSILONS = 64
#: What that of a filter between two rates is granted, in units of max|x| · Σ|w|.
FILTER_EPSILONS = 8

#: A call that is ready to be counted, its result, and the error that it has and is granted.
Bound = tuple[Callable[[], object], float, float]


@dataclass(frozen=True, slots=True)
class Filter:
    """`correlate` of a case by one algorithm."""

    case: Case
    method: str

    def bind(self) -> Bound:
        """Return the call that fills a given result."""
        x, w = self.case.data()
        y = np.full(self.case.y_shape, np.nan, self.case.result_dtype)
        call = self.case.bind(x, w, y, self.method)
        found = error(call(), self.case.exact_by_ndimage(x, w), x, w)
        return call, found, tolerance(self.case)


@dataclass(frozen=True, slots=True)
class Resampled:
    """`convolve` of lines with a stride that is a fraction, by one algorithm."""

    shape: tuple[int, ...]
    taps: int
    up: int
    down: int
    method: str

    def bind(self) -> Bound:
        """Return the call that fills a given result."""
        rng = np.random.default_rng(7)
        x = rng.standard_normal(self.shape).astype(np.float32)
        w = rng.standard_normal(self.taps).astype(np.float32)
        wide = [a.astype(np.float64) for a in (w, x)]
        exact = scipy.signal.upfirdn(*wide, self.up, self.down)
        call = partial(
            pyconv.convolve, x, w, "full", stride=Fraction(self.down, self.up),
            out=np.full(exact.shape, np.nan, np.float32), method=self.method, workers=1,
        )  # fmt: skip
        scale = np.abs(x).max() * np.abs(w).sum() * np.finfo(np.float32).eps
        return call, float(np.abs(call() - exact).max() / scale), FILTER_EPSILONS


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan of a case, whose arithmetic takes almost nothing."""

    case: Case

    def bind(self) -> Bound:
        """Return the call that fills a given result."""
        x, w = self.case.data()
        y = np.full(self.case.y_shape, np.nan, self.case.result_dtype)
        plan = pyconv.plan(x, w, **self.case.options)
        call = partial(plan, x, y)
        return call, error(call(), self.case.exact_by_ndimage(x, w), x, w), tolerance(self.case)


@dataclass(frozen=True, slots=True)
class Forward:
    """A layer by one algorithm, weights packed."""

    layer: Layer
    method: str

    def bind(self) -> Bound:
        """Return the call that fills a given result."""
        from pyconv.nn import functional

        layer = self.layer
        x, w, b = layer.data()
        options = layer.stride, layer.padding, 1, layer.groups
        plan = functional.plan_conv(layer.x_shape, w, b, *options, method=self.method)
        y = np.full(layer.y_shape, np.nan, layer.dtype)
        call = partial(plan, x, out=y, workers=1)
        scale = layer.exact(*map(np.abs, (x, w, b))).max() * np.finfo(layer.dtype).eps
        return call, float(np.abs(call() - layer.exact(x, w, b)).max() / scale), LAYER_EPSILONS


@dataclass(frozen=True, slots=True)
class WeightGradient:
    """The gradient of a layer for its weights."""

    layer: Layer

    def bind(self) -> Bound:
        """Return the call."""
        from pyconv.nn import grad

        layer = self.layer
        x, _, _ = layer.data()
        dy = np.random.default_rng(7).standard_normal(layer.y_shape).astype(layer.dtype)
        options = layer.stride, layer.padding, 1, layer.groups
        call = partial(grad.conv2d_weight, x, layer.w_shape, dy, *options, workers=1)
        exact = layer.exact_weight_gradient
        scale = exact(*map(np.abs, (x, dy))).max() * np.finfo(layer.dtype).eps
        return call, float(np.abs(call() - exact(x, dy)).max() / scale), LAYER_EPSILONS


#: Small, because valgrind runs fifty times slower; odd sizes, because the ends of rows are work.
CALLS: dict[str, Filter | Resampled | Planned | Forward | WeightGradient] = {
    "2-D 3×3 direct": Filter(Case((129, 203), (3, 3)), "direct"),
    "2-D 9×9 direct": Filter(Case((129, 203), (9, 9)), "direct"),
    "2-D 9×9 direct float64": Filter(
        Case((129, 203), (9, 9), x_dtype="float64", w_dtype="float64"), "direct"
    ),
    "2-D 5×5 direct uint8": Filter(Case((129, 203), (5, 5), x_dtype="uint8"), "direct"),
    "1-D 31 direct": Filter(Case((20_011,), (31,), boundary="constant"), "direct"),
    "3-D 3×3×3 direct": Filter(Case((25, 31, 45), (3, 3, 3)), "direct"),
    "2-D 31×31 fft": Filter(Case((129, 203), (31, 31), boundary="constant"), "fft"),
    "2-D 15×15 separable": Filter(Case((129, 203), (15, 15), kernel="gaussian"), "separable"),
    "2-D 15×15 box": Filter(Case((129, 203), (15, 15), kernel="box"), "box"),
    "2-D 25×25 recursive": Filter(
        Case((129, 203), (25, 25), kernel="gaussian", rtol=1e-3), "recursive"
    ),
    "1-D 61 polyphase 2/3": Resampled((7, 3001), 61, 3, 2, "polyphase"),
    "layer 3×3 blocked": Forward(Layer(32, 32, 28, 3), "blocked"),
    "layer 3×3 winograd4": Forward(Layer(32, 32, 28, 3), "winograd4"),
    "layer 3×3 winograd2": Forward(Layer(32, 32, 28, 3), "winograd2"),
    "layer 3×3 depthwise": Forward(Layer(32, 32, 28, 3, groups=32), "depthwise"),
    "layer 3×3 depthwise_lanes": Forward(Layer(36, 36, 7, 3, groups=36), "depthwise_lanes"),
    "layer 1×1 blocked": Forward(Layer(64, 64, 14, 1), "blocked"),
    "gradient for weights 3×3": WeightGradient(Layer(32, 32, 14, 3)),
    "overhead of a call": Filter(Case((32, 32), (3, 3)), "auto"),
    "overhead of a plan": Planned(Case((32, 32), (3, 3))),
}


def bound_calls() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the calls whose results are right; those that this version lacks are left out."""
    for name, counted in CALLS.items():
        try:
            call, found, granted = counted.bind()
        except (ImportError, AttributeError, TypeError, ValueError) as why:
            print(f"left out: {name}: {why}", file=sys.stderr)
            continue
        if not found <= granted:
            raise AssertionError(f"{name}: error {found:.3g}, granted {granted:.3g}")
        yield name, call


def environment() -> dict[str, str]:
    """Return what the counts depend on."""
    return {
        "compiler": compiler_of(Path(_native.__file__).parent),
        "ISA": ISA,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "machine": platform.machine(),
    }


def compiler_of(folder: Path) -> str:
    """Return what the compiler wrote of itself into the compiled loops of ``folder``."""
    for file in (folder / ISA).glob("*.so"):
        comment = re.search(rb"GCC: \([^)]*\) [\d.]+|clang version [\d.]+", file.read_bytes())
        if comment is not None:
            return comment[0].decode()
    return "unknown"


def changes(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return after ÷ before − 1 of the calls that both have."""
    return {name: after[name] / before[name] - 1 for name in after if name in before}


def regressions(before: dict[str, float], after: dict[str, float]) -> list[str]:
    """Return the calls that take more instructions than noise or a patch release explains."""
    return [
        name
        for name, change in changes(before, after).items()
        if change > (LIGHT_TOLERANCE if before[name] < LIGHT else TOLERANCE)
    ]


def report(before: dict[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
    """Count and print; return the counts as plain data, and the calls that have grown."""
    counts = run_counted(["-m", "benchmarks.instructions"])
    here = environment()
    print("## Instructions of core calls\n")
    print(", ".join(f"{name} {value}" for name, value in here.items()) + "\n")
    old = before["counts"] if before else {}
    change = changes(old, counts)
    table = Table("call", "instructions", "before", "change")
    for name in [*counts, *(n for n in old if n not in counts)]:
        figures = [f"{of[name]:,.0f}" if name in of else "–" for of in (counts, old)]
        table.row(name, *figures, f"{change[name]:+.2%}" if name in change else "–")
    grown = regressions(old, counts)
    if before:
        print()
        for key, value in before["environment"].items():
            if here[key] != value:
                print(f"- the counts before are of another {key}: {value}, not {here[key]}")
        print(f"- more instructions than before: {', '.join(grown) or 'none'}")
    return {"environment": here, "counts": {k: round(v) for k, v in counts.items()}}, grown


def add_parser(commands: Any) -> None:
    """Add the command ``instructions``."""
    parser = commands.add_parser(
        "instructions",
        help="instructions of core calls, counted by valgrind: a guard that load cannot disturb",
        description=f"Count the instructions of core calls ({ISA} loops, one thread) under "
        f"valgrind, beside those of {BASELINE.name} or another file.",
    )
    parser.add_argument("--check", action="store_true",
                        help=f"end with status 1 if a call takes {TOLERANCE:.0%}% more "
                        f"({LIGHT_TOLERANCE:.0%}% if it takes under {LIGHT:,})")  # fmt: skip
    parser.add_argument("--compare", metavar="FILE", type=Path, default=BASELINE,
                        help="the counts to compare with, as --json wrote them")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the counts here")
    parser.add_argument("--update", action="store_const", const=BASELINE, dest="json",
                        help=f"write the counts to {BASELINE.name}")  # fmt: skip
    parser.set_defaults(run=run)


def run(given: Any) -> int:
    """Count, print and compare; return the exit status."""
    before = json.loads(given.compare.read_text()) if given.compare.exists() else None
    try:
        counted, grown = report(before)
    except MissingToolError as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 2
    if given.json is not None:
        given.json.write_text(json.dumps(counted, indent=1, ensure_ascii=False) + "\n")
    return 1 if given.check and grown else 0


if __name__ == "__main__":  # the process under valgrind
    count(dict(bound_calls()), sys.argv[-1])
