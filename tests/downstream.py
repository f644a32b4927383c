"""Run other packages' tests with pyconv's functions in place of SciPy's, by `pyconv.patch_scipy`.

astropy's tests of its convolutions run as well with ours in place of these, by `patch_astropy`
(``--only astropy-itself``).

    python -m tests.downstream                        every package
    python -m tests.downstream --only scikit-image    one, may be given again
    python -m tests.downstream --tests trackpy=FOLDER where a checkout has the tests of a package
    python -m tests.downstream --survey               which modules have tests that call ours
    python -m tests.downstream --record FILE          also write down the calls, for a benchmark

They run three times: with SciPy's functions, with ours, and with ours off by a part in a thousand.
A test that passes with SciPy's and not with ours is a fault. The tests that fail in the third run
are those that look at what we return. `unearth` fetches the source archives of packages whose
wheels have no tests.
"""

import argparse
import functools
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recorded import described, kept
from pyconv import patching
from pyconv._patching import ledger
from tests.downstream_suites import DIFFERENCES, SUITES, Suite

ROOT = Path(__file__).parents[1]
#: What runs: whose functions, and whether results are perturbed.
RUNS = ("scipy", "ours", "perturbed")
#: Whose functions are replaced.
LIBRARIES = {each.package: each for each in (patching.SCIPY, patching.ASTROPY)}
#: By which part of it a result is perturbed.
PART = 1e-3


# ---- in the process of the tests --------------------------------------------------------------


class Replacement:
    """The pytest plugin: functions are patched, and tests are noted that call ours.

    Small calls, which a patch leaves to the others, are ours here: tests have few others.

    Parameters
    ----------
    run : str
        One of `RUNS`.
    patched : str
        Whose functions.
    """

    def __init__(self, run: str, patched: str = "scipy") -> None:
        self.perturbed = run == "perturbed"
        #: How often each call was made, by its description.
        self.recorded: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.callers: set[str] = set()
        self.outcomes: dict[str, str] = {}
        self.messages: dict[str, str] = {}
        self.tally = ledger.Tally()
        if run != "scipy":
            ledger.keep(self.tally)
            library = LIBRARIES[patched]
            functions = {
                name: self._counted(name, patching.drop_in(name)) for name in library.functions
            }
            self.patch = patching.Patch(functions, takes_small=True, library=library)

    def _counted(self, name: str, function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            result = function(*args, **keywords)
            self.calls[name] += 1
            if name in patching.SCIPY.functions:
                self._note(name, function, args, keywords)
            return perturb(result, self.calls.total()) if self.perturbed else result

        return call

    def _note(self, name: str, function: Any, args: Any, keywords: Any) -> None:
        told = described(function, args, keywords)
        if told is not None:
            self.recorded[json.dumps({"function": name, "arguments": told})] += 1

    def pytest_runtest_setup(self) -> None:
        """Note how many calls there were before the test and its fixtures."""
        self.before = self.calls.total()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep the worst outcome of each test, and whether it called."""
        if report.when == "call" or report.failed or report.skipped:
            if self.outcomes.get(report.nodeid) != "failed":
                self.outcomes[report.nodeid] = report.outcome
            if report.failed:
                lines = str(report.longreprtext).strip().splitlines()
                errors = [line for line in lines if line.startswith("E ")]
                self.messages[report.nodeid] = (errors or lines or [""])[0].lstrip("E ").strip()
        if report.when == "teardown" and self.calls.total() > self.before:
            self.callers.add(report.nodeid)

    def found(self) -> dict[str, Any]:
        """Return what happened, as plain data."""
        return {
            "calls": self.calls,
            "by others": [
                [name, reason, calls]
                for (name, reason), (calls, _) in sorted(self.tally.entries.items())
                if reason
            ],
            "callers": sorted(self.callers),
            "outcomes": self.outcomes,
            "messages": self.messages,
            "recorded": [
                json.loads(call) | {"count": count} for call, count in self.recorded.items()
            ],
        }


def perturb(result: Any, number: int) -> Any:
    """Return a result of which each element is off by up to a part in a thousand.

    Elements err by other amounts than their neighbours, and calls than others. Integers, which are
    exact, are off by one where that is less. Words and dictionaries are as they were.
    """
    if isinstance(result, tuple):
        return tuple(perturb(each, number) for each in result)
    if isinstance(result, (str, dict)) or result is None:
        return result
    array = np.asarray(result)
    steps = (np.arange(array.size).reshape(array.shape) + number) % 7 - 3
    with np.errstate(all="ignore"):
        if array.dtype.kind in "iu":
            off = np.rint(array * (PART / 3) * steps)
            changed = (array + np.where(off == 0, np.sign(steps), off)).astype(array.dtype)
        elif array.dtype.kind == "b":
            changed = array ^ (steps == 3)
        else:
            changed = (array * (1 + PART / 3 * steps)).astype(array.dtype)
    if isinstance(result, np.ndarray):
        result[...] = changed
        return result
    return changed[()]


def run_tests(
    run: str,
    patched: str,
    top: str,
    targets: Sequence[str],
    options: Sequence[str],
    report: Path,
) -> int:
    """Run tests in this process under one of `RUNS`; write what happened to ``report``."""
    import pytest

    plugin = Replacement(run, patched)
    empty = report.with_suffix(".ini")
    empty.write_text("[pytest]\n")
    quiet = ["-q", "--no-header", "--tb=short", "--no-summary", "-p", "no:cacheprovider"]
    quiet += ["--continue-on-collection-errors"]
    # An empty file of options: those of packages, such as to stop early, are for other purposes.
    # Names of tests are relative to the root.
    where = ["-c", str(empty), f"--rootdir={top}"]
    status = pytest.main([*quiet, "-W", "ignore", *where, *options, *targets], plugins=[plugin])
    report.write_text(json.dumps(plugin.found()))
    return int(status)


# ---- the command ------------------------------------------------------------------------------


def located(suite: Suite, folder: Path, checkouts: dict[str, Path]) -> Path:
    """Return the folder of a suite's tests; a source archive is fetched into ``folder`` once."""
    if suite.distribution in checkouts:
        return checkouts[suite.distribution]
    if suite.source == "wheel":
        origin = importlib.util.find_spec(suite.package).origin
        return Path(origin).parent / suite.folder
    if suite.source == "checkout":
        raise FileNotFoundError(
            f"{suite.distribution} publishes no tests: --tests {suite.distribution}=FOLDER names "
            f"the {suite.folder} of a checkout of version "
            f"{importlib.metadata.version(suite.distribution)}"
        )
    version = importlib.metadata.version(suite.distribution)
    unpacked = folder / f"{suite.distribution}-{version}"
    if not unpacked.exists():
        fetch = [sys.executable, "-m", "unearth", "--no-binary", "--download", str(folder)]
        requirement = f"{suite.distribution}=={version}"
        answer = subprocess.run([*fetch, requirement], check=True, capture_output=True, text=True)
        with tarfile.open(json.loads(answer.stdout)["local_path"]) as archive:
            archive.extractall(unpacked, filter="data")
    (top,) = unpacked.iterdir()
    return top / suite.folder


def once(suite: Suite, run: str, top: Path, folder: Path, targets: Sequence[str]) -> dict[str, Any]:
    """Run ``targets`` below ``top`` in a process of their own; return what happened."""
    report = folder / f"{suite.name}-{run}.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.downstream", "--run", run, "--report", str(report)]
    command += ["--patched", suite.patched]
    command += [f"--top={top}", *(f"--option={each}" for each in suite.options)]
    print(f"$ {suite.name}: {run}", flush=True)
    with report.with_suffix(".log").open("w") as log:
        subprocess.run(
            [*command, *(str(top / target) for target in targets)],
            check=False,
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    if not report.exists():
        raise RuntimeError(f"pytest did not end: {report.with_suffix('.log')}")
    return json.loads(report.read_text())


def differences(found: dict[str, dict[str, Any]]) -> list[str]:
    """Return the tests that pass with SciPy's functions, and fail, or vanish, with ours."""
    ours = found["ours"]["outcomes"]
    return sorted(
        test
        for test, outcome in found["scipy"]["outcomes"].items()
        if outcome == "passed" and ours.get(test, "absent") != "passed"
    )


def reached(found: dict[str, dict[str, Any]]) -> list[str]:
    """Return the tests that pass with ours and fail where results are perturbed."""
    perturbed = found["perturbed"]["outcomes"]
    return sorted(
        test
        for test, outcome in found["ours"]["outcomes"].items()
        if outcome == "passed" and perturbed.get(test) == "failed"
    )


def allowed(suite: Suite, test: str) -> str:
    """Return why a test may differ, or an empty string."""
    name = test.rpartition("::")[2].partition("[")[0]
    return DIFFERENCES.get((suite.name, name), "")


def summarise(suite: Suite, found: dict[str, dict[str, Any]]) -> list[str]:
    """Print what the runs of a suite show; return the faults: what differs and may not.

    So does a call that ours refuse, and SciPy answers.
    """
    ours = found["ours"]
    outcomes = Counter(ours["outcomes"].values())
    theirs = Counter(found["scipy"]["outcomes"].values())
    callers = set(ours["callers"])
    calls = sum(ours["calls"].values())
    print(f"\n{suite.name} {importlib.metadata.version(suite.distribution)}")
    for name, count in sorted(ours["calls"].items()):
        print(f"{count:7} calls of {name}")
    for name, reason, count in ours["by others"]:
        print(f"{count:7} calls of {name} passed on: {reason}")
    print(
        f"{len(ours['outcomes'])} tests, {len(callers)} of which call ours, {calls} calls; "
        f"{outcomes['failed']} fail, {theirs['failed']} without"
    )
    print(f"{len(reached(found))} fail where results are off by a part in a thousand")
    faults = []
    for test in differences(found):
        reason = allowed(suite, test)
        print(f"{'may differ' if reason else 'DIFFERS'}: {test}")
        print(f"    {reason or ours['messages'].get(test, 'did not run')}")
        if not reason:
            faults.append(test)
    refused = [f"{name}: {why}" for name, why, _ in ours["by others"] if why.startswith("pyconv ")]
    for each in refused:
        print(f"REFUSED: {each}")
    return faults + refused


def compare(
    suite: Suite, folder: Path, checkouts: dict[str, Path], calls: list[Any] | None = None
) -> bool:
    """Run a suite three times; return whether it shows what it should, and add to ``calls``."""
    top = located(suite, folder, checkouts)
    there = {each: (top / each.partition("::")[0]).exists() for each in suite.modules}
    targets = [each for each in suite.modules if there[each]]
    found = {run: once(suite, run, top, folder, targets) for run in RUNS}
    faults = summarise(suite, found)
    if calls is not None:
        calls += found["ours"]["recorded"]
    if len(targets) < len(there):
        print("not in this version:", ", ".join(each for each in there if not there[each]))
    if not reached(found):
        print("no test fails with results that are wrong: the run does not reach our functions")
    return not faults and bool(reached(found))


def survey(suite: Suite, folder: Path, checkouts: dict[str, Path]) -> None:
    """Print the modules of a suite with tests that call our functions."""
    top = located(suite, folder, checkouts)
    files = {str(f.relative_to(top)) for each in suite.candidates for f in top.glob(each)}
    found = once(suite, "ours", top, folder, sorted(files))
    modules = Counter(test.partition("::")[0] for test in found["callers"])
    for module, tests in sorted(modules.items()):
        print(f"{tests:6} {module}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 1 if a package's tests differ."""
    parser = argparse.ArgumentParser(
        "python -m tests.downstream",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [suite.name for suite in SUITES]
    parser.add_argument("--only", action="append", choices=names, help="one package")
    parser.add_argument("--tests", action="append", default=[], metavar="PACKAGE=FOLDER",
                        help="where the tests of a package are")  # fmt: skip
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "downstream",
                        help="for source archives, reports and logs")  # fmt: skip
    parser.add_argument("--survey", action="store_true", help="print modules that call ours")
    parser.add_argument("--record", type=Path, metavar="FILE", help="where to write the calls")
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--patched", choices=LIBRARIES, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--top", help=argparse.SUPPRESS)
    parser.add_argument("--option", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.run:
        return run_tests(
            given.run, given.patched, given.top, given.targets, given.option, given.report
        )
    checkouts = {}
    for each in given.tests:
        name, equals, folder = each.partition("=")
        if name not in names or not equals or not Path(folder).is_dir():
            parser.error(f"--tests {each}: PACKAGE=FOLDER, a folder that exists, of {names}")
        checkouts[name] = Path(folder).resolve()
    given.folder.mkdir(parents=True, exist_ok=True)
    folder = given.folder.resolve()
    right, calls = True, []
    for suite in SUITES:
        if suite.name not in (given.only or names):
            continue
        if importlib.util.find_spec(suite.package) is None:
            print(f"{suite.distribution} is not installed: pip install -e '.[downstream]'")
            right = False
            continue
        try:
            if given.survey:
                survey(suite, folder, checkouts)
            else:
                right &= compare(suite, folder, checkouts, calls)
        except FileNotFoundError as error:
            print(f"left out: {error}")
            right &= not given.only
    if given.record:
        lines = ",\n".join(json.dumps(call) for call in kept(calls))
        given.record.write_text(f"[{lines}]\n")
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
