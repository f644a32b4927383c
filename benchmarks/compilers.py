"""Two builds of the same loops, by different compilers, side by side: results first, then time.

Each build lies in a folder of its own, with its `pyconv` compiled in place or installed. A process
of each runs the same calls, sampled in turn, so that whatever disturbs the machine disturbs both.
"""

import math
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

import pyconv
from benchmarks import threads, timing
from benchmarks.cases import Case
from benchmarks.instructions import Filter, Forward, WeightGradient
from benchmarks.layer_cases import Layer
from benchmarks.table import Table

#: A build is as fast as the other if it takes so much more time at most.
GRANTED = 1.10
#: Roundings that a compiler may place elsewhere, as a part of the largest result.
ROUNDINGS = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-13}
ROOT = Path(__file__).resolve().parents[1]

Call = Callable[[], Any]


def _noise(*shape: int, dtype: str = "float32") -> np.ndarray:
    rng = np.random.default_rng(2024)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return rng.standard_normal(shape).astype(dtype)


def _with_gaps(*shape: int) -> np.ndarray:
    x = _noise(*shape)
    x[np.random.default_rng(7).random(shape) < 0.05] = np.nan
    return x


def _filters() -> dict[str, Call]:
    """Return calls of correlations, by every algorithm and dtype of sums."""
    wide = {"x_dtype": "float64", "w_dtype": "float64"}
    image = (255, 509)
    found: dict[str, Filter] = {
        "direct 3×3": Filter(Case(image, (3, 3)), "direct"),
        "direct 9×9": Filter(Case(image, (9, 9)), "direct"),
        "direct 9×9 float64": Filter(Case(image, (9, 9), **wide), "direct"),
        "direct 5×5 uint8": Filter(Case(image, (5, 5), x_dtype="uint8"), "direct"),
        "direct 31 taps": Filter(Case((100_003,), (31,), boundary="constant"), "direct"),
        "direct 3×3×3": Filter(Case((32, 45, 61), (3, 3, 3)), "direct"),
        "fft 31×31": Filter(Case(image, (31, 31), boundary="constant"), "fft"),
        "fft 31×31 float64": Filter(Case(image, (31, 31), boundary="constant", **wide), "fft"),
        "fft 1001 taps": Filter(Case((100_003,), (1001,), boundary="constant"), "fft"),
        "separable 15×15": Filter(Case(image, (15, 15), kernel="gaussian"), "separable"),
        "separable 5×5": Filter(Case(image, (5, 5), kernel="gaussian"), "separable"),
        "separable 15×15 float64": Filter(
            Case(image, (15, 15), kernel="gaussian", **wide), "separable"
        ),
        "box 15×15": Filter(Case(image, (15, 15), kernel="box"), "box"),
        "recursive 41×41": Filter(Case(image, (41, 41), kernel="gaussian", rtol=1e-3), "recursive"),
    }
    return {f"filters: {name}": each.bind()[0] for name, each in found.items()}


def _integers() -> dict[str, Call]:
    """Return calls whose results are integers: sums, means, what SciPy cuts off."""
    image, signed = _noise(255, 509, dtype="uint8"), _noise(255, 509, dtype="int16")
    weights = np.arange(1, 26).reshape(5, 5)
    template = _noise(15, 15, dtype="uint8")
    return {
        "integers: int64 sums of int16 5×5": partial(
            pyconv.correlate, signed, weights, method="direct", workers=1
        ),
        "integers: int16 sums of uint8 3×3": partial(
            pyconv.correlate, image, np.array([[1, 2, 1]] * 3), method="direct", workers=1
        ),
        "integers: box 9×9 of uint8": partial(pyconv.filters.box, image, 9, workers=1),
        "integers: Gaussian of uint8": partial(pyconv.filters.gaussian, image, 2.0, workers=1),
        "integers: ndimage.correlate of uint8": partial(
            pyconv.ndimage.correlate, image, weights / 325.0
        ),
        "integers: ndimage.gaussian of uint8": partial(pyconv.ndimage.gaussian_filter, image, 2.0),
        "integers: template 15×15": partial(pyconv.match_template, image, template, workers=1),
    }


def _samples() -> dict[str, Call]:
    """Return calls of missing samples, strides and gaps between taps."""
    gaps, x = _with_gaps(255, 509), _noise(255, 509)
    w = _noise(5, 5)
    return {
        "samples: missing, direct 5×5": partial(
            pyconv.correlate, gaps, abs(w), nan_policy="omit", method="direct", workers=1
        ),
        "samples: missing, fft 5×5": partial(
            pyconv.correlate, gaps, abs(w), nan_policy="omit", method="fft", workers=1
        ),
        "samples: stride 2": partial(pyconv.correlate, x, w, stride=2, method="direct", workers=1),
        "samples: dilation 2": partial(
            pyconv.correlate, x, w, dilation=2, method="direct", workers=1
        ),
    }


def _layers() -> dict[str, Call]:
    """Return layers by every algorithm, and gradients."""
    found: dict[str, Forward | WeightGradient] = {
        "blocked 3×3": Forward(Layer(64, 64, 28, 3), "blocked"),
        "blocked 3×3 float64": Forward(Layer(32, 32, 28, 3, dtype="float64"), "blocked"),
        "blocked 3×3 /2": Forward(Layer(64, 64, 28, 3, stride=2), "blocked"),
        "blocked 1×1": Forward(Layer(128, 128, 28, 1), "blocked"),
        "blocked 1×1 @7": Forward(Layer(256, 256, 7, 1), "blocked"),
        "blocked 7×7 of 3 channels": Forward(Layer(3, 32, 56, 7, stride=2), "blocked"),
        "winograd4 3×3": Forward(Layer(64, 64, 28, 3), "winograd4"),
        "winograd4 3×3 @7": Forward(Layer(128, 128, 7, 3), "winograd4"),
        "winograd2 3×3": Forward(Layer(64, 64, 28, 3), "winograd2"),
        "depthwise 3×3": Forward(Layer(64, 64, 28, 3, groups=64), "depthwise"),
        "depthwise 3×3 /2": Forward(Layer(64, 64, 28, 3, stride=2, groups=64), "depthwise"),
        "depthwise 5×5": Forward(Layer(64, 64, 28, 5, groups=64), "depthwise"),
        "depthwise_lanes 3×3": Forward(Layer(144, 144, 7, 3, groups=144), "depthwise_lanes"),
        "gradient for weights 3×3": WeightGradient(Layer(64, 64, 28, 3)),
        "gradient for weights 1×1": WeightGradient(Layer(128, 128, 14, 1)),
    }
    return {f"layers: {name}": each.bind()[0] for name, each in found.items()}


def _pools() -> dict[str, Call]:
    """Return pools, their gradients and activations."""
    from pyconv.nn import functional, grad

    x = _noise(1, 64, 56, 56)
    y, where = functional.max_pool2d(x, 3, 2, 1, return_indices=True)
    return {
        "pools: largest 3×3 /2": partial(functional.max_pool2d, x, 3, 2, 1, workers=1),
        "pools: largest 2×2": partial(functional.max_pool2d, x, 2, workers=1),
        "pools: mean 3×3": partial(functional.avg_pool2d, x, 3, 1, 1, workers=1),
        "pools: gradient of largest": partial(grad.max_pool2d_input, x.shape, where, y, workers=1),
        "pools: ReLU": partial(functional.relu, x, workers=1),
    }


KINDS: dict[str, Callable[[], dict[str, Call]]] = {
    "filters": _filters,
    "integers": _integers,
    "samples": _samples,
    "layers": _layers,
    "pools": _pools,
}


# ---- the process of a build -----------------------------------------------------------------


def serve() -> None:
    """Answer what the parent asks: names of calls, a result, the least seconds of some samples."""
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints is no answer
    calls: dict[str, Call] = {}
    while True:
        try:
            question, *given = pickle.load(asked)
        except EOFError:
            return
        answer: Any = None
        if question == "kinds":
            for kind in given[0]:
                calls |= KINDS[kind]()
            answer = list(calls), Path(pyconv.__file__).parent
        elif question == "result":
            answer = np.asarray(calls[given[0]]())
        elif question == "seconds":
            call, number = calls[given[0]], given[1]
            call()  # the other process has left its own data in the cache
            start = timing.clock()
            for _ in range(number):
                call()
            answer = (timing.clock() - start) / number
        pickle.dump(answer, answers)
        answers.flush()


class Build:
    """One build, and the process that runs it."""

    def __init__(self, folder: Path, isa: str) -> None:
        if not (folder / "pyconv").is_dir():
            raise SystemExit(f"compilers: {folder} holds no pyconv")
        # The calls are those of this file in both processes, whatever the folder has beside them.
        program = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); import benchmarks;"
            f" sys.path[0] = {str(folder.resolve())!r};"
            " from benchmarks.compilers import serve; serve()"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | threads.environment(1) | {"PYCONV_ISA": isa},
            cwd=folder,
        )
        self.folder = folder.resolve()

    def ask(self, *question: object) -> Any:
        """Return the answer to one question."""
        to = cast(IO[bytes], self.process.stdin)
        answers = cast(IO[bytes], self.process.stdout)
        pickle.dump(question, to)
        to.flush()
        try:
            return pickle.load(answers)
        except EOFError:
            raise SystemExit(f"compilers: the process of {self.folder} has ended") from None

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


# ---- the comparison -------------------------------------------------------------------------


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return 0 for the same bits, else max|a − b| / max|a|; infinite if no rounding explains it."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return math.inf
    if a.tobytes() == b.tobytes():
        return 0.0
    if a.dtype.kind != "f" or not np.array_equal(np.isnan(a), np.isnan(b)):
        return math.inf
    apart = float(np.nanmax(np.abs(a - b)) / np.nanmax(np.abs(a)))
    return apart if apart <= ROUNDINGS[a.dtype] else math.inf


def compare(first: Build, second: Build, name: str, effort: timing.Effort) -> tuple[float, float]:
    """Return the least seconds of a call in each build, sampled in turn."""
    pair = first, second
    once = min(build.ask("seconds", name, 1) for build in pair)
    number = math.ceil(timing.SAMPLE_SECONDS / max(once, 1e-7))
    least, spent = [math.inf, math.inf], 0.0
    for turn in range(effort.most):
        if turn >= effort.least and spent > 2 * effort.seconds:
            break
        for k in (0, 1) if turn % 2 else (1, 0):
            seconds = pair[k].ask("seconds", name, number)
            least[k] = min(least[k], seconds)
            spent += seconds * number
    return least[0], least[1]


def report(given: Any, isa: str) -> tuple[list[str], list[str]]:
    """Print the table of one variant; return the calls that are slower, and those that differ."""
    builds = [Build(folder, isa) for folder in (given.first, given.second)]
    effort = timing.QUICK if given.quick else timing.FULL
    slower, wrong, ratios = [], [], []
    try:
        names, where = builds[0].ask("kinds", given.only or list(KINDS))
        others, where2 = builds[1].ask("kinds", given.only or list(KINDS))
        print(f"\n## {isa}\n\n{where} and {where2}\n")
        table = Table("call", "first, ms", "second, ms", "second ÷ first", "results")
        for name in names:
            if name not in others or (given.match and not re.search(given.match, name)):
                continue
            apart = difference(*(build.ask("result", name) for build in builds))
            if math.isinf(apart):
                wrong.append(name)
            times = compare(*builds, name, effort)
            ratio = times[1] / times[0]
            if ratio > GRANTED:  # once more, and longer: noise passes
                again = compare(*builds, name, timing.FULL)
                times = min(times[0], again[0]), min(times[1], again[1])
                ratio = times[1] / times[0]
            ratios.append(ratio)
            if ratio > GRANTED:
                slower.append(name)
            said = "same bits" if apart == 0 else "DIFFER" if name in wrong else f"{apart:.0e}"
            table.row(name, *(f"{1e3 * t:.3f}" for t in times), f"{ratio:.2f}", said)
        mean = math.exp(sum(map(math.log, ratios)) / max(len(ratios), 1))
        print(f"\n- geometric mean {mean:.2f}")
        print(f"- slower by more than a tenth: {', '.join(slower) or 'none'}")
        print(f"- other results: {', '.join(wrong) or 'none'}")
    finally:
        for build in builds:
            build.close()
    return slower, wrong


def add_parser(commands: Any) -> None:
    """Add the command ``compilers``."""
    parser = commands.add_parser(
        "compilers",
        help="two builds of the loops, by different compilers, side by side",
        description="Compare the results of the loops of two builds and time them in turn, on one "
        "thread. The exit status is 1 if results differ by more than roundings.",
    )
    parser.add_argument("first", type=Path, help="the folder that holds one pyconv, compiled")
    parser.add_argument("second", type=Path, help="the folder of the other")
    parser.add_argument("--isa", action="append", help="a variant (default: the widest here)")
    parser.add_argument("--only", metavar="KIND", action="append", choices=list(KINDS),
                        help=f"one kind, may be given again: {', '.join(KINDS)}")  # fmt: skip
    parser.add_argument("--match", metavar="PATTERN", help="only calls with this in their name")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--check", action="store_true",
                        help=f"status 1, too, if the second build takes more than {GRANTED:g} "
                        "times as long anywhere")  # fmt: skip
    parser.set_defaults(run=run)


def run(given: Any) -> int:
    """Compare; return the exit status."""
    from pyconv._native import loader

    found = [report(given, isa) for isa in given.isa or loader.runnable()[-1:]]
    slower = any(each[0] for each in found)
    return int(any(each[1] for each in found) or (given.check and slower))
