"""The command that runs other packages' tests: replacing, counting, perturbing, comparing."""
# ruff: noqa: E402 - what is imported needs the source tree

import json
import subprocess

import numpy as np
import pytest
import source_tree

source_tree.required("benchmarks")

from scipy import ndimage

from pyconv import patching
from pyconv._patching import ledger
from tests import downstream
from tests.downstream_suites import DIFFERENCES, SUITES, Suite

SUITE = Suite("numpy", "numpy", "wheel", "", ("test_theirs.py",))


@pytest.fixture
def image():
    """An array; SciPy's functions are back afterwards."""
    yield np.arange(20.0).reshape(4, 5) ** 2
    patching.unpatch_scipy()
    for tally in ledger._tallies:
        ledger.drop(tally)


@pytest.mark.parametrize("run", downstream.RUNS)
def test_calls_of_ours_are_counted(run, image):
    """Small ones, too, and those that ours do not take apart; SciPy's are not."""
    plugin = downstream.Replacement(run)
    result = ndimage.sobel(image)
    masked = ndimage.sobel(np.ma.array(image))
    ours = run != "scipy"
    assert plugin.calls == ({"scipy.ndimage.sobel": 1} if ours else {})
    reason = ["scipy.ndimage.sobel", "input is numpy.MaskedArray", 1]
    assert plugin.found()["by others"] == ([reason] if ours else [])
    assert (np.abs(result - masked).max() > 1e-3) is np.bool(run == "perturbed")


def test_perturbed_results_are_off_by_a_part_in_a_thousand(image):
    """In the run that is to fail."""
    downstream.Replacement("perturbed")
    off = ndimage.gaussian_filter(np.full((7, 10), 80.0), 1) / 80 - 1
    assert 0 < np.abs(off).max() <= 1.0001e-3


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "u1", "i2", "i8", "?"])
def test_results_of_every_dtype_are_perturbed_in_place(dtype):
    """The dtype and the array stay; some elements change, none by much."""
    x = np.full((5, 8), 100).astype(dtype)
    before = x.copy()
    assert downstream.perturb(x, 1) is x
    assert x.dtype == dtype
    assert (x != before).any()
    assert np.abs(x.astype("c16") - before.astype("c16")).max() <= 1


def test_what_holds_no_numbers_is_not_perturbed():
    """Words, dictionaries, None; a tuple is perturbed by its parts."""
    for value in ("fft", {"a": 1}, None):
        assert downstream.perturb(value, 3) == value
    assert downstream.perturb((1.0, "a"), 1) != (1.0, "a")


def found(scipy, ours, perturbed):
    """Return what three runs have found, from the outcomes of tests."""
    runs = {"scipy": scipy, "ours": ours, "perturbed": perturbed}
    return {
        run: {
            "outcomes": dict(outcomes),
            "calls": {"scipy.ndimage.sobel": 5},
            "by others": [],
            "callers": list(outcomes),
            "messages": {},
        }
        for run, outcomes in runs.items()
    }


def test_only_what_passes_with_scipy_and_not_with_ours_differs():
    """A failure of both is none of ours; a test that is gone is."""
    before = {"a": "passed", "b": "failed", "c": "passed", "d": "passed", "e": "skipped"}
    after = {"a": "passed", "b": "failed", "c": "failed", "e": "failed"}
    each = found(before, after, {"a": "failed", "c": "failed"})
    assert downstream.differences(each) == ["c", "d"]
    assert downstream.reached(each) == ["a"]


@pytest.mark.parametrize(("reason", "faults"), [("", ["m.py::TestX::test_y[1]"]), ("known", [])])
def test_a_difference_that_is_listed_is_allowed(reason, faults, monkeypatch, capsys):
    """By the package and the name of the test, without its parameters; the reason is printed."""
    if reason:
        monkeypatch.setitem(DIFFERENCES, ("numpy", "test_y"), reason)
    name = "m.py::TestX::test_y[1]"
    each = found({name: "passed"}, {name: "failed"}, {})
    assert downstream.summarise(SUITE, each) == faults
    assert (reason or "DIFFERS") in capsys.readouterr().out


def test_a_call_that_ours_refuse_is_a_fault(capsys):
    """SciPy answers it, and no test shows it."""
    each = found({"t": "passed"}, {"t": "passed"}, {})
    each["ours"]["by others"] = [
        ["scipy.ndimage.sobel", "input is list", 3],
        ["scipy.ndimage.sobel", "pyconv raises ValueError: no", 1],
    ]
    assert downstream.summarise(SUITE, each) == [
        "scipy.ndimage.sobel: pyconv raises ValueError: no"
    ]
    assert "REFUSED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ours", "perturbed", "right"),
    [("passed", "failed", True), ("failed", "failed", False), ("passed", "passed", False)],
)
def test_a_suite_that_differs_or_cannot_fail_is_no_success(
    ours, perturbed, right, monkeypatch, tmp_path
):
    """A perturbed run in which nothing fails does not reach our functions."""
    each = found({"t": "passed"}, {"t": ours, "u": "passed"}, {"t": perturbed})
    monkeypatch.setattr(downstream, "once", lambda suite, run, *_: each[run])
    assert downstream.compare(SUITE, tmp_path, {"numpy": tmp_path}) is right


def test_tests_of_another_package_run_and_are_told_apart(tmp_path):
    """In processes of their own: one that calls ours, one that does not, one that always fails."""
    (tmp_path / "test_theirs.py").write_text(
        "import numpy as np\n"
        "from scipy.ndimage import sobel\n"
        "X = np.arange(20.0).reshape(4, 5) ** 2\n"
        "def test_calls(): assert abs(sobel(X)[1, 2] - 112) < 1e-6\n"
        "def test_calls_not(): pass\n"
        "def test_fails(): assert False\n"
    )
    suite = Suite("numpy", "numpy", "checkout", "", ("test_theirs.py",))
    calls = {}
    for run in downstream.RUNS:
        calls[run] = downstream.once(suite, run, tmp_path, tmp_path, suite.modules)
    names = [f"test_theirs.py::test_{n}" for n in ("calls", "calls_not", "fails")]
    outcomes = dict(zip(names, ("passed", "passed", "failed"), strict=True))
    assert calls["ours"]["outcomes"] == outcomes
    assert calls["ours"]["callers"] == names[:1]
    x = {"array": [4, 5], "dtype": "<f8"}
    assert calls["ours"]["recorded"] == [
        {"function": "scipy.ndimage.sobel", "arguments": {"input": x}, "count": 1}
    ]
    assert calls["ours"]["calls"] == {"scipy.ndimage.sobel": 1}
    assert calls["scipy"]["calls"] == {}
    assert downstream.differences(calls) == []
    assert downstream.reached(calls) == names[:1]


def test_a_package_without_tests_asks_for_a_checkout(tmp_path):
    """The message says how its tests are named."""
    suite = Suite("numpy", "numpy", "checkout", "numpy/tests", ())
    with pytest.raises(FileNotFoundError, match="--tests numpy=FOLDER"):
        downstream.located(suite, tmp_path, {})
    assert downstream.located(suite, tmp_path, {"numpy": tmp_path}) == tmp_path


@pytest.mark.parametrize(("only", "status"), [([], 0), (["--only", "numpy"], 1)])
def test_a_package_without_tests_is_left_out_unless_it_is_asked_for(
    only, status, monkeypatch, capsys, tmp_path
):
    """Either way the command says so."""
    suite = Suite("numpy", "numpy", "checkout", "numpy/tests", ())
    monkeypatch.setattr(downstream, "SUITES", (suite,))
    assert downstream.main(["--folder", str(tmp_path), *only]) == status
    assert "left out: numpy publishes no tests" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["trackpy", "trackpy=/nowhere", "numpy=/"])
def test_folders_that_are_none_are_refused(value, capsys):
    """So are packages that no suite is of."""
    with pytest.raises(SystemExit, match="2"):
        downstream.main(["--tests", value])
    assert "PACKAGE=FOLDER" in capsys.readouterr().err


def test_packages_that_are_not_installed_are_no_success(monkeypatch, capsys, tmp_path):
    """The message says how they are."""
    monkeypatch.setattr(downstream.importlib.util, "find_spec", lambda name: None)
    assert downstream.main(["--folder", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    for suite in SUITES:
        assert f"{suite.distribution} is not installed" in printed


def test_a_run_that_ends_early_says_where_its_log_is(monkeypatch, tmp_path):
    """Instead of a report that is not there."""
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: None)
    with pytest.raises(RuntimeError, match="numpy-ours.log"):
        downstream.once(SUITE, "ours", tmp_path, tmp_path, [])


def test_reports_are_plain_data(image):
    """They pass through JSON."""
    plugin = downstream.Replacement("ours")
    assert json.loads(json.dumps(plugin.found()))["outcomes"] == {}
