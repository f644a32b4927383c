"""pytest-benchmark: every case by each of our algorithms and by each peer, grouped by case.

    python -m pytest -n 0 benchmarks/test_peers.py --benchmark-enable

Results are checked against the oracle before they are timed.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

import pyconv
from benchmarks.cases import CASES, Case, error, tolerance
from benchmarks.peers import PEER_EPSILONS, PEERS, Bind, installed

#: More than this, and `reference` would take the rest of the day.
REFERENCE_PRODUCTS = 2e7


def _ours(
    case: Case, x: np.ndarray, w: np.ndarray, out: np.ndarray | None, method: str
) -> Callable[[], np.ndarray]:
    return case.bind(x, w, out, method)


def _contenders(case: Case) -> Iterator[tuple[str, Bind]]:
    x, w = case.data()
    for candidate in pyconv.explain(x, w, **case.options).candidates:
        name = candidate.algorithm
        slow = name == "reference" and case.products > REFERENCE_PRODUCTS
        if not slow and candidate.rejected is None:
            yield f"pyconv {name}", partial(_ours, method=name)
    for peer in installed(PEERS):
        if peer.bind(case, x, w, None) is not None:
            yield peer.name, peer.bind


@cache
def _exact(case: Case) -> np.ndarray:
    return case.exact(*case.data())


def pytest_generate_tests(metafunc: Any) -> None:
    """Pair each case with every contender that can solve it."""
    if "case" in metafunc.fixturenames:
        pairs = [
            (f"{dimension} {case.label}", case, name, bind)
            for dimension, cases in CASES.items()
            for case in cases
            for name, bind in _contenders(case)
        ]
        ids = [f"{group}, {name}" for group, _, name, _ in pairs]
        metafunc.parametrize(("group", "case", "name", "bind"), pairs, ids=ids)


def test_correlate(benchmark: Any, group: str, case: Case, name: str, bind: Bind) -> None:
    """Check one contender on one case, then time it on one thread."""
    x, w = case.data()
    call = bind(case, x, w, np.full(case.y_shape, np.nan, case.result_dtype))
    assert call is not None
    bound = tolerance(case)
    if not name.startswith("pyconv"):
        bound = max(bound, PEER_EPSILONS * float(np.finfo(case.result_dtype).eps))
    assert error(call(), _exact(case), x, w) <= bound
    benchmark.group = group
    benchmark(call)
