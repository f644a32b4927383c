"""Run SciPy's own tests of the linear filters with pyconv's functions in SciPy's place.

    python -m tests.scipy_suites                 both runs below, and what they say together
    python -m tests.scipy_suites --run           SciPy's tests with our functions
    python -m tests.scipy_suites --run --perturb the same with every result × 1.01 + 1 to 3

The second run shows which of the tests can fail at all: one that passes whatever the functions
return says nothing. Tests that never call one of ours are not counted in either.
"""

import argparse
import functools
import importlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import pyconv.ndimage
import pyconv.signal

#: SciPy's modules and ours.
MODULES = (("scipy.ndimage", pyconv.ndimage), ("scipy.signal", pyconv.signal))
#: SciPy's files of tests.
SUITES = (
    "scipy.ndimage.tests.test_filters",
    "scipy.signal.tests.test_signaltools",
    "scipy.signal.tests.test_upfirdn",
    "scipy.signal.tests.test_savitzky_golay",
    "scipy.signal.tests.test_bsplines",
)

#: Tests, by class and name, that ask for what is wrong: see docs/dropins.rst.
DIFFERENCES = {
    ("TestFFTConvolve", "test_fft_nan"): (
        "asks for the warning that one NaN spoils every output; here it spoils those that read it"
    ),
}


class Ours:
    """The plugin: our functions under SciPy's names, and who has called them."""

    def __init__(self, perturbed):
        self.perturbed = perturbed
        self.calls = Counter()
        self.seen = Counter()
        self.outcomes = {}
        for scipys, ours in MODULES:
            self._replace(importlib.import_module(scipys), ours)

    def _replace(self, scipys, ours):
        for name in [name for name in ours.__all__ if hasattr(scipys, name)]:
            original, function = getattr(scipys, name), self._counted(getattr(ours, name))
            setattr(scipys, name, function)
            # What SciPy's tests look up to learn which arrays other than NumPy's a function takes.
            table = getattr(
                importlib.import_module("scipy._lib._array_api"), "xp_capabilities_table", {}
            )
            if original in table:
                table[function] = table[original]

    def _counted(self, function):
        @functools.wraps(function)
        def call(*args, **keywords):
            self.calls[f"{function.__module__.rsplit('.', 1)[0]}.{function.__name__}"] += 1
            result = function(*args, **keywords)
            return perturb(result, self.calls.total()) if self.perturbed else result

        return call

    def pytest_collection_modifyitems(self, items):
        """Skip what asks for another answer than ours, by name and with the reason."""
        for item in items:
            reason = DIFFERENCES.get((getattr(item.cls, "__name__", ""), item.originalname))
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        """Note which tests call our functions."""
        before = self.calls.total()
        result = yield
        if self.calls.total() > before:
            self.seen[item.nodeid] += 1
        return result

    def pytest_runtest_logreport(self, report):
        """Keep the worst outcome of each test."""
        if report.when == "call" or report.failed or report.skipped:
            worst = self.outcomes.get(report.nodeid)
            if worst != "failed":
                self.outcomes[report.nodeid] = report.outcome


def perturb(result, number):
    """Return another answer: × 1.01 + 1 in its own dtype, and the other of two words.

    Neighbouring calls err by other amounts, for tests that compare two of our functions.
    """
    if isinstance(result, tuple):
        return tuple(perturb(r, number) for r in result)
    if isinstance(result, str):
        return {"fft": "direct", "direct": "fft"}[result]
    if isinstance(result, dict):
        return {}
    changed = np.asarray(result) * 1.01 + 1 + number % 3
    if isinstance(result, np.ndarray):
        with np.errstate(all="ignore"):
            result[...] = changed.astype(result.dtype)
        return result
    return changed.astype(np.asarray(result).dtype)[()]


def run(perturbed, report):
    """Run the suites in this process; write what happened to ``report``."""
    plugin = Ours(perturbed)
    files = [importlib.util.find_spec(suite).origin for suite in SUITES]
    quiet = ["-q", "--no-header", "-p", "no:cacheprovider", "-W", "ignore"]
    options = [*quiet, "-rs", "--tb=no" if perturbed else "--tb=short"]
    # An empty file of options: ours, and those of the directory above SciPy, are for other tests.
    empty = Path(tempfile.mkdtemp(), "pytest.ini")
    empty.write_text("[pytest]\n")
    status = pytest.main([*options, "-c", str(empty), "-m", "not slow", *files], plugins=[plugin])
    found = {"calls": plugin.calls, "seen": sorted(plugin.seen), "outcomes": plugin.outcomes}
    Path(report).write_text(json.dumps(found))
    return int(status)


def both():
    """Run the suites as they are and perturbed, each in a process of its own; compare."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for more in ([], ["--perturb"]):
            report = Path(folder, "report.json")
            command = [sys.executable, "-m", "tests.scipy_suites", "--run", *more]
            print("$", "python", *command[1:], flush=True)
            status = subprocess.run([*command, "--report", str(report)], check=False).returncode
            results.append((status, json.loads(report.read_text())))
    (status, plain), (_, changed) = results
    for name, calls in sorted(plain["calls"].items()):
        print(f"{calls:7} calls of {name}")
    never = {
        f"{ours.__name__}.{name}"
        for scipys, ours in MODULES
        for name in ours.__all__
        if hasattr(importlib.import_module(scipys), name)
    } - plain["calls"].keys()
    seen = set(plain["seen"])
    passed = {t for t in seen if plain["outcomes"].get(t) == "passed"}
    able = {t for t in passed if changed["outcomes"].get(t) == "failed"}
    print(f"{len(seen)} of {len(plain['outcomes'])} tests call our functions; {len(passed)} pass,")
    print(f"of which {len(able)} fail where every result is perturbed")
    if never:
        print("never called:", ", ".join(sorted(never)))
    return status or bool(never)


def main():
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser("python -m tests.scipy_suites", description=__doc__)
    parser.add_argument("--run", action="store_true", help="one run, in this process")
    parser.add_argument("--perturb", action="store_true", help="with results that are wrong")
    parser.add_argument("--report", default="/dev/null", help="file for what happened, as JSON")
    given = parser.parse_args()
    return run(given.perturb, given.report) if given.run else both()


if __name__ == "__main__":
    sys.exit(main())
