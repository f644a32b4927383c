"""python -m benchmarks variants: each ISA variant of the loops beside the widest one."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import pyconv
from benchmarks.cases import Case
from benchmarks.table import Table
from benchmarks.timing import FULL, QUICK, interleaved_minima
from pyconv._engine import planner
from pyconv._engine.machine import cpu_name
from pyconv._native import loader
from pyconv.nn import functional

#: Correlations in 2-D, of which loops of each kind of sums run.
CASES = (
    Case((512, 512), (3, 3)),
    Case((512, 512), (9, 9)),
    Case((512, 512), (9, 9), x_dtype="float64", w_dtype="float64"),
    Case((512, 512), (5, 5), x_dtype="uint8", w_dtype="int8"),
)
#: Samples and weights of a layer.
LAYER = (1, 64, 56, 56), (64, 64, 3, 3)


def add_parser(commands: Any) -> None:
    """Add the command ``variants``."""
    parser = commands.add_parser(
        "variants",
        help="the loops of each instruction set beside the widest",
        description="Time calls with the loops of each variant that this CPU can run, in turn, on "
        "one thread. A figure is the time divided by that of the widest variant.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.set_defaults(run=run)


def calls() -> Iterator[tuple[str, Callable[[], Callable[[], Any]]]]:
    """Yield names, and functions that bind a call to the loops in use."""

    def correlation(case: Case) -> Callable[[], Any]:
        x, w = case.data()
        return partial(pyconv.plan(x, w, **case.options), x)

    def layer() -> Callable[[], Any]:
        rng = np.random.default_rng(2024)
        x, w = (rng.random(shape, "float32") for shape in LAYER)
        return partial(functional.plan_conv(x.shape, w, padding=1), x)

    for case in CASES:
        yield case.label, partial(correlation, case)
    yield "layer 64x56x56 k=3", layer


def run(given: Any) -> int:
    """Print the table; return the exit status."""
    names = loader.runnable()
    print(f"{cpu_name()}; one thread; times over those of {names[-1]}")
    table = Table("call", *reversed(names))
    before = loader.native
    try:
        for label, bind in calls():
            bound, results = {}, []
            for name in names:
                loader.native = loader.load(name)
                planner.clear_cache()  # plans are bound to the loops that they were made with
                bound[name] = bind()
                results.append(bound[name]())
            for result in results:
                np.testing.assert_allclose(result, results[-1], rtol=1e-3, atol=1e-3)
            times = interleaved_minima(bound, QUICK if given.quick else FULL)
            cells = [f"{times[name] / times[names[-1]]:.2f}" for name in reversed(names)]
            table.row(label, *cells)
    finally:
        loader.native = before
        planner.clear_cache()
    return 0
