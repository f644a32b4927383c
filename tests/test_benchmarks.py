"""The tools that follow performance: tables, counts, noise, comparisons; no timing is judged."""
# ruff: noqa: E402 - what is imported is found beside the tests

import json
import math
import sys
from functools import partial

import numpy as np
import pytest
import source_tree

import pyconv
from pyconv._engine.algorithms import (
    ALGORITHMS,
    LAYER_ALGORITHMS,
    RATE_ALGORITHMS,
    WEIGHT_GRADIENT_ALGORITHMS,
)
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.dtypes import DTYPES
from pyconv._native import loader

ROOT = source_tree.required("benchmarks")
sys.path.append(str(ROOT))  # last: the package that is tested may be another one

from benchmarks import __main__ as command
from benchmarks import (
    callgrind,
    cliffs,
    compilers,
    dashboard,
    house,
    imaging,
    instructions,
    noise,
    processor,
    recorded,
    replay,
    tables,
    test_peers,
    tracked,
    variants,
)
from benchmarks.cases import CASES, Case, error, tolerance
from benchmarks.cliff_calls import CALLS, GROUPS
from benchmarks.peers import PEER_EPSILONS, PEERS, installed
from benchmarks.report import pages, summary
from benchmarks.report.command import compare, joined
from benchmarks.speed import WrongResultError
from benchmarks.suite import correlation
from benchmarks.timing import Effort, Minima, interleaved_halves

# ---- the command line -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "speed",
        "dropins",
        "fir",
        "astropy",
        "imaging",
        "scaling",
        "layers",
        "training",
        "filters",
        "regret",
        "busy",
        "cliffs",
        "compilers",
        "lenet",
        "dashboard",
        "house",
        "instructions",
        "peers",
        "pipelines",
        "replay",
        "streams",
    ],
)
def test_help_is_printed(name, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        command.main([name, "--help"])
    assert f"benchmarks {name}" in capsys.readouterr().out


def test_results_of_two_compilers_differ_by_roundings_alone():
    """The same bits, a rounding, or anything else: another integer, NaN, dtype or shape."""
    x = np.array([1.0, 2.0, np.nan, -4.0])
    assert compilers.difference(x, x.copy()) == 0
    assert 0 < compilers.difference(x, x * (1 + 1e-15)) < 1e-14
    others = x * (1 + 1e-9), np.nan_to_num(x), x[:3], x.astype(np.float32)
    assert all(compilers.difference(x, other) == np.inf for other in others)
    whole = np.array([1, 2])
    assert compilers.difference(whole, np.array([1, 3])) == np.inf


def test_lines_are_counted_by_their_kind():
    """Docstrings, signatures, bodies; comments and blank lines are none of them."""
    source = (
        '"""One.\n\nTwo.\n"""\n# why\nimport os\n\n\n'
        'def f(\n    a,\n):\n    """Three."""\n    # why\n    return a\n\n\n'
        "def g(): return 1\n"
    )
    assert house.count(source) == house.Lines(docstrings=5, signatures=4, bodies=2, total=17)


# ---- tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (tables.ALGORITHM_NAMES, [a.name for a in ALGORITHMS]),
        (tables.LAYER_ALGORITHM_NAMES, [a.name for a in LAYER_ALGORITHMS]),
        (tables.WEIGHT_GRADIENT_NAMES, [a.name for a in WEIGHT_GRADIENT_ALGORITHMS]),
        (tables.BOUNDARY_NAMES, list(BOUNDARIES)),
        (tables.DTYPE_NAMES, list(map(str, DTYPES))),
    ],
)
def test_asv_iterates_the_tables(names, table):
    """What is read from the source is what the library holds, in the same order."""
    assert list(names) == table


def test_every_compiled_algorithm_is_counted():
    """An algorithm that is added to a table is counted; BLAS chooses its loops by the CPU."""
    for kind, algorithms in (
        (instructions.Filter, ALGORITHMS),
        (instructions.Resampled, (RATE_ALGORITHMS[0],)),  # the others pose problems of Filter
        (instructions.Forward, LAYER_ALGORITHMS),
    ):
        counted = {c.method for c in instructions.CALLS.values() if isinstance(c, kind)}
        assert {a.name for a in algorithms} - {"im2col", "reference"} <= counted


def test_every_algorithm_has_a_case_that_it_solves():
    """One that only some weights are fit for has such weights in both profiles of the suite."""
    for labels in (correlation._QUICK_LABELS["2-D"], [c.label for c in CASES["2-D"]]):
        for name in set(tables.ALGORITHM_NAMES) - {"reference"}:
            assert any(solves(name, correlation._BY_LABEL[label]) for label in labels), name


def solves(method, case):
    """Return whether an algorithm takes a case, without computing it."""
    x, w = case.data()
    try:
        pyconv.plan(x, w, **case.options, method=method)
    except ValueError:
        return False
    return True


# ---- counting ---------------------------------------------------------------------------------

DUMP = """# callgrind format
creator: callgrind-3.19.0
part: {part}
desc: I1 cache:
desc: Trigger: {trigger}
events: Ir
fn=(1) f
16 {total}
totals: {total}
"""


def test_dumps_are_parsed_without_what_an_empty_call_takes():
    """Only dumps that were asked for by name count."""
    dumps = [
        ("Client Request: (empty)", 300),
        ("Client Request: 2-D 3×3 direct", 1200),
        ("Program termination", 9),
    ]
    texts = (DUMP.format(part=i, trigger=t, total=n) for i, (t, n) in enumerate(dumps))
    assert callgrind.parse(texts) == {"2-D 3×3 direct": 900 / callgrind.REPEATS}


def test_regressions_are_growth_beyond_the_tolerance():
    """Light calls, which are mostly Python's, are granted more; new ones nothing."""
    before = {"heavy": 1_000_000.0, "slower": 1_000_000.0, "light": 10_000.0, "gone": 5.0}
    after = {"heavy": 1_015_000.0, "slower": 1_025_000.0, "light": 10_400.0, "new": 7.0}
    assert instructions.regressions(before, after) == ["slower"]
    assert instructions.regressions(after, before) == []


def test_stored_counts_are_of_calls_that_exist():
    """A call that is renamed is counted again."""
    stored = json.loads(instructions.BASELINE.read_text())
    assert stored["counts"].keys() == instructions.CALLS.keys()
    assert stored["environment"].keys() == instructions.environment().keys()
    assert stored["environment"]["compiler"] != "unknown"
    if sys.platform == "linux":  # the compiler's words are read out of the loops
        assert instructions.environment()["compiler"] != "unknown"


# ---- checked before it is timed ---------------------------------------------------------------


def checked(found):
    return tracked.Checked(lambda: None, 1, 1, found, 1.0, 0.5)


def test_the_suite_has_no_figure_of_a_wrong_result():
    """It ends; what a commit lacks is left out."""

    def bind(name):
        if name == "absent":
            raise ValueError(name)
        return checked(math.nan if name == "wrong" else 1.0)

    known = tracked.figures([("right",), ("absent",)], bind, rates=False)
    assert known.keys() == {("right",)}
    assert known[("right",)].error == 2.0
    with pytest.raises(AssertionError, match="wrong"):
        tracked.figures([("wrong",)], bind, rates=False)
    with pytest.raises(NotImplementedError):
        tracked.Suite().require(known, "absent")


@pytest.mark.parametrize("dtype", tables.DTYPE_NAMES)
def test_every_dtype_is_bound_and_right(dtype):
    """The data of the suite are exact in every dtype."""
    found = correlation._bind_small("2-D", "mirror", dtype, "auto")
    assert found.error <= found.granted


@pytest.mark.filterwarnings("default")  # the peers' own
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(40,), (20, 23), (9, 10, 11)])
def test_peers_solve_the_same_problem(shape, boundary):
    """Every one that is installed agrees with the definition."""
    case = Case(shape, (5, 3, 3)[: len(shape)], boundary=boundary)
    x, w = case.data()
    exact = case.exact(x, w)
    granted = max(tolerance(case), PEER_EPSILONS * float(np.finfo(np.float32).eps))
    for peer in installed(PEERS):
        if peer.name != "numba":  # takes seconds to compile
            call = peer.bind(case, x, w, None)
            assert call is None or error(call(), exact, x, w) <= granted, peer.name


@pytest.mark.parametrize("case", [Case((20, 23), (5, 3)), Case((20, 23), (3, 3), x_dtype="uint8")])
def test_our_contenders_are_those_that_the_weights_allow(case):
    """Weights of no low rank are not given to an algorithm that would refuse them."""
    ours = {n: bind for n, bind in test_peers._contenders(case) if n.startswith("pyconv ")}
    assert {"pyconv direct", "pyconv reference"} <= set(ours)
    assert set(ours) == {f"pyconv {n}" for n in tables.ALGORITHM_NAMES if solves(n, case)}


# ---- noise ------------------------------------------------------------------------------------

QUIET = {"drift": 0.01, "slowdown": 0.1, "waited": 0.02, "spare": 1}


def test_a_quiet_row_is_trusted():
    """No reason is an empty string."""
    assert noise.reason({"pyconv": Minima(1.0, 1.1)}, **QUIET) == ""


@pytest.mark.parametrize(
    ("minima", "disturbed", "word"),
    [
        (Minima(1.0, 1.3), {}, "halves of pyconv"),
        (Minima(1.0, math.inf), {}, "halves"),
        (Minima(1.0, 1.0), {"drift": 0.3}, "drifted"),
        (Minima(1.0, 1.0), {"slowdown": 0.5}, "slower than at its best"),
        (Minima(1.0, 1.0), {"waited": 0.5}, "waiting"),
        (Minima(1.0, 1.0), {"spare": -2}, "2 more threads"),
    ],
)
def test_a_disturbed_row_says_why(minima, disturbed, word):
    """Each of the signs is enough."""
    assert word in noise.reason({"pyconv": minima}, **QUIET | disturbed)


def test_turns_are_taken_in_turn_and_fall_into_halves():
    """Every contender has both halves, however long it takes."""
    halves = interleaved_halves({"a": lambda: None, "b": lambda: None}, Effort(0.0, 4))
    for minima in halves.values():
        assert math.isfinite(minima.even)
        assert math.isfinite(minima.odd)
        assert minima.least == min(minima.even, minima.odd)


# ---- cliffs -----------------------------------------------------------------------------------


def ladder(seconds, works=None):
    """Return a ladder of calls that take no time, and a table of what a clock would say."""
    works = works or [1.0] * len(seconds)
    cases = tuple(cliffs.Case(f"case {i}", lambda: lambda: None, w) for i, w in enumerate(works))
    return cliffs.Ladder("group: call", "sizes", cases, cliffs._chain(len(cases)))


@pytest.mark.parametrize(
    ("seconds", "works", "found"),
    [
        ([9e-3, 1e-3, 2.9e-3], None, [(0, 1)]),
        ([1e-3, 1e-3, 3.1e-3], None, [(2, 1)]),
        ([1e-3, 1e-3, 9e-3], [1, 1, 4], []),
        ([1e-3, 1e-3, 13e-3], [1, 1, 4], [(2, 1)]),
        ([1e-3, 9e-3, 1e-3], [1, 2, 4], [(1, 2)]),  # more work in less time: a cliff upwards
        ([1e-6, 1e-6, 15e-6], None, []),  # within the floor
        ([1e-3, 1e-3, math.nan, 9e-3], None, []),  # what was refused is nobody's neighbour
        ([1e-6, 9e-3, 9e-3], None, []),  # a single sample is no measure
    ],
)
def test_a_case_is_judged_by_its_neighbours(seconds, works, found):
    """More than three times the time for the work, in either direction."""
    assert cliffs.suspects(ladder(seconds, works), seconds) == found


@pytest.mark.parametrize(("again", "faults"), [(9e-3, 1), (2e-3, 0)])
def test_a_suspect_is_timed_again(again, faults, monkeypatch):
    """Only what is slow the second time too is a fault."""
    times = iter([1e-3, 1e-3, 9e-3])
    monkeypatch.setattr(cliffs, "once", lambda call, effort: next(times))
    monkeypatch.setattr(
        cliffs, "interleaved_minima", lambda calls, effort: {"case": again, "neighbour": 1e-3}
    )
    climbed = cliffs.climb(ladder([0] * 3), cliffs.QUICK_LOOK, cliffs.QUICK_LOOK)
    assert [f.case for f in climbed.faults] == ["case 2"] * faults
    for fault in climbed.faults:
        assert fault.ratio == pytest.approx(9)


def test_a_case_that_lacks_memory_is_a_fault_and_one_that_is_refused_is_not():
    """Neither has a time."""

    def bind(error):
        def call():
            raise error

        return lambda: call

    cases = (cliffs.Case("large", bind(MemoryError())), cliffs.Case("bad", bind(ValueError())))
    climbed = cliffs.climb(
        cliffs.Ladder("a: b", "widths", cases, ()), cliffs.QUICK_LOOK, cliffs.QUICK_LOOK
    )
    assert [f.case for f in climbed.faults] == ["large"]
    assert all(map(math.isnan, climbed.seconds))


@pytest.mark.parametrize("name", cliffs.LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_layouts_hold_the_same_samples(name, dtype):
    """But those that repeat one; each is what its name says."""
    x = cliffs.noise((6, 9), dtype)
    y = cliffs.LAYOUTS[name](x.copy())
    assert y.shape == x.shape
    if "broadcast" not in name:
        np.testing.assert_array_equal(y, x)
    if dtype == "float32":
        plain = y.flags.c_contiguous and y.flags.aligned and y.dtype.isnative
        assert plain == (name in ("contiguous", "read-only"))


@pytest.mark.parametrize("name", cliffs.VALUES)
def test_values_keep_the_shape_and_dtype(name):
    """All but the first differ from noise."""
    for dtype in ("float32", "float64"):
        x = cliffs.noise((40, 30), dtype)
        y = cliffs.VALUES[name](x.copy())
        assert (y.shape, y.dtype) == (x.shape, x.dtype)
        assert np.array_equal(x, y) == (name == "noise")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.label)
def test_every_call_runs(call):
    """On small arrays of its first dtype; those of the table have one name each."""
    assert [c.label for c in CALLS].count(call.label) == 1
    assert call.group in GROUPS
    x = cliffs.noise((*call.lead, *(9, 10, 11)[: call.ndim]))
    width = call.width if "recursive" in call.name else min(call.width, 3)
    for bind in filter(None, (call.bind, call.exchanged)):
        bind(x, width)()


def test_the_exchanged_call_is_the_same_sum():
    """Its result is that of the other order; that of a correlation is turned round."""
    for call in CALLS:
        if call.exchanged is not None:
            x = cliffs.noise((7, 6, 5)[: call.ndim])
            y = call.exchanged(x, 3)()
            y = np.flip(y) if "correlate" in call.name else y
            np.testing.assert_allclose(y, call.bind(x, 3)(), atol=1e-5)


@pytest.mark.parametrize(("check", "status"), [([], 0), (["--check"], 1)])
def test_the_command_says_what_it_found(check, status, monkeypatch, tmp_path, capsys):
    """A fault is a row, a number in the summary, and the status where that is asked for."""
    found = cliffs.Climbed(ladder([0] * 3), [1e-3, 1e-3, 9e-3])
    found.faults.append(cliffs.Fault("group: call", "sizes", "2", "1", 9e-3, 1e-3, 3e-3 + 15e-6))
    monkeypatch.setattr(cliffs, "climb", lambda ladder, *looks: found)
    monkeypatch.setattr(cliffs, "ladders", lambda *_: [found.ladder])
    file = tmp_path / "cliffs.json"
    assert command.main(["cliffs", "--quick", "--json", str(file), *check]) == status
    printed = capsys.readouterr().out
    assert "**FAULT**" in printed
    assert "1 faults in 3 cases of 1 calls" in printed
    assert json.loads(file.read_text())["faults"][0]["case"] == "2"


# ---- reports ----------------------------------------------------------------------------------


def report(ours, noise="", threads=1, torch=3e-3):
    """Return a report of one row, plain data."""
    seconds = {"pyconv": ours, "torch": torch, "OpenCV": 2e-3}
    row = {
        "case": "512x512 k=7",
        "algorithm": "direct",
        "products": 10**7,
        "bytes": 10**6,
        "gflops": 20.0,
        "seconds": seconds,
        "halves": {name: [s, s * 1.1] for name, s in seconds.items()},
        "noise": noise,
    }
    group = {"name": "2-D", "title": "2-D <images>", "ours": "pyconv", "rows": [row]}
    limits = {"flops": 1e11, "bandwidth": 1e10}
    run = {"threads": threads, "limits": limits, "classes": [group]}
    return {"machine": {"CPU": "one"}, "command": "python -m benchmarks peers", "runs": [run]}


def test_means_take_trusted_rows_only():
    """The best peer comes first."""
    (run,) = report(1e-3)["runs"]
    means = summary.by_peer(run["classes"][0])
    assert list(means) == ["the best", "torch", "OpenCV"]
    assert means["the best"].value == pytest.approx(2.0)
    (run,) = report(1e-3, noise="load")["runs"]
    assert summary.by_peer(run["classes"][0]) == {}


def test_means_lie_among_their_ratios(rng):
    """That of a single row too, whose logarithm is rounded: charts draw what is beside it."""
    for ratios in (*rng.uniform(1, 9, (200, 1)).tolist(), [2.0, 8.0]):
        found = summary.mean(ratios)
        assert found.least <= found.value <= found.greatest
    assert found.value == pytest.approx(4)


def test_ratios_have_the_spread_of_their_halves():
    """From the least of theirs over the greatest of ours to the reverse."""
    (run,) = report(1e-3)["runs"]
    found = summary.ratio(run["classes"][0]["rows"][0], "torch", "pyconv")
    assert found == pytest.approx((3.0, 3 / 1.1, 3.3))


@pytest.mark.parametrize(("now", "status"), [(1e-3, 0), (1.05e-3, 0), (1.3e-3, 1)])
def test_reports_are_compared_by_ratio(now, status, capsys):
    """A row that lost more than a tenth against the best peer has regressed."""
    assert compare(report(1e-3), report(now)) == status
    assert ("REGRESSED" in capsys.readouterr().out) == bool(status)


def test_a_noisy_row_is_not_compared():
    """Nor one of another number of threads."""
    assert not list(summary.changes(report(1e-3), report(9.0, noise="load")))
    assert not list(summary.changes(report(1e-3), report(9.0, threads=2)))


def test_reports_of_single_classes_are_put_together():
    """Runs of the same number of threads are one."""
    whole = joined([report(1e-3), report(1e-3), report(1e-3, threads=2)])
    assert [(r["threads"], len(r["classes"])) for r in whole["runs"]] == [(1, 2), (2, 1)]


@pytest.mark.filterwarnings("default")  # matplotlib's own
def test_pages_say_instead_of_a_number_that_it_was_noisy(tmp_path):
    """Both pages hold every row, escaped, and their charts exist."""
    pytest.importorskip("matplotlib")
    for each in (report(1e-3), report(1e-3, noise="two halves differ")):
        markdown, html = (file.read_text() for file in pages.write(each, tmp_path))
        noisy = each["runs"][0]["classes"][0]["rows"][0]["noise"]
        assert ("too noisy to trust: two halves differ" in markdown) == bool(noisy)
        assert ("| 3.00 (2.73 to 3.30) |" in markdown) != bool(noisy)
        assert "| of limit | OpenCV | torch |" in markdown  # one column a library
        assert "2-D &lt;images&gt;" in html
        assert ("<svg" in html) != bool(noisy)
        for line in markdown.splitlines():
            if line.startswith("!["):
                assert (tmp_path / line.rpartition("(")[2].rstrip(")")).exists()


def test_history_is_spread_evenly_with_both_ends():
    """However many commits there are."""
    history = list("abcdefghijk")
    assert dashboard.spread(history, 3) == ["a", "f", "k"]
    assert dashboard.spread(history, 99) == history
    assert dashboard.spread(history, 1) == ["a"]


# ---- recorded calls ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "u1", "<f4", ">f8", "c16"])
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_recorded_calls_are_made_again(dtype, order):
    """Samples keep shape, dtype and order, kernels their values; defaults are left out."""
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 9, (4, 12)).astype(dtype)
    x = {"C": whole, "F": np.asfortranarray(whole), "strided": whole[:, ::2]}[order]
    weights = rng.random((2, 3)) * (1 + 1j if np.dtype(dtype).kind == "c" else 1)
    given = {"mode": "wrap", "cval": 0.0, "origin": (0, -1), "output": np.float32}
    told = recorded.described(pyconv.ndimage.correlate, (x, weights), given)
    made = recorded.arguments(json.loads(json.dumps(told)), rng)
    assert list(made) == ["input", "weights", "output", "mode", "origin"]
    y = made["input"]
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert (y.flags.c_contiguous, y.flags.f_contiguous) == (
        x.flags.c_contiguous,
        x.flags.f_contiguous,
    )
    np.testing.assert_array_equal(made["weights"], weights)
    assert (made["output"], made["mode"], made["origin"]) == (np.float32, "wrap", [0, -1])


def test_calls_that_have_no_words_are_not_recorded():
    """Objects of other packages, arrays of objects, and calls that are refused."""
    correlate = pyconv.ndimage.correlate
    assert recorded.described(correlate, (np.ones(3), object()), {}) is None
    assert recorded.described(correlate, (np.array([None]), np.ones(1)), {}) is None
    assert recorded.described(correlate, (), {}) is None


def test_recorded_calls_run_and_agree():
    """Those that are stored: of few samples, each its own, the same result as SciPy's."""
    told = json.loads(replay.CALLS.read_text())
    assert told == recorded.kept(told)
    assert len({json.dumps([t["function"], t["arguments"]]) for t in told}) == len(told) > 100
    for call in replay.recorded(replay.CALLS)[::20]:
        np.testing.assert_allclose(call.ours(), call.scipys(), rtol=1e-4, atol=1e-5)


def test_replayed_calls_that_share_are_told_apart(monkeypatch):
    """By what the pool is asked for, whatever this machine has."""
    monkeypatch.setattr(replay.threads, "resolve", lambda workers, useful: useful)
    small, large = np.ones((8, 8)), np.ones((2000, 2000))
    for x, right in ((small, False), (large, True)):
        call = replay.Call("", 1, lambda x=x: pyconv.ndimage.sobel(x), lambda: None)
        assert replay.shares(call) is right
    means = replay.measured([replay.Call("a", 1, lambda: None, lambda: None)], 1)
    assert list(means["a"]) == list(replay.CONTENDERS)


# ---- variants ---------------------------------------------------------------------------------


def test_variants_are_compared_with_the_widest(monkeypatch, capsys):
    """A row for each call, a column for each variant that runs here; the loops in use stay."""
    before = loader.native
    monkeypatch.setattr(variants, "CASES", (Case((24, 20), (3, 3)),))
    monkeypatch.setattr(variants, "LAYER", ((1, 2, 8, 8), (3, 2, 3, 3)))
    monkeypatch.setattr(variants, "QUICK", Effort(0.0, 2, 2))
    assert command.main(["variants", "--quick"]) == 0
    _, head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.split(" | ")[1:] == [*loader.runnable()[:0:-1], f"{loader.runnable()[0]} |"]
    assert len(rows) == 2
    assert all(row.split(" | ")[1].startswith("1.00") for row in rows)
    assert loader.native is before


def test_variants_must_agree(monkeypatch):
    """A variant that gives another result ends the command."""
    if len(loader.runnable()) < 2:
        pytest.skip("there is one variant")
    given = iter(range(9))
    monkeypatch.setattr(variants, "calls", lambda: [("call", lambda: partial(float, next(given)))])
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        command.main(["variants", "--quick"])


# ---- imaging libraries, transforms, the processor ---------------------------------------------


def test_a_peer_that_differs_is_left_out_and_named():
    """Ours may not differ."""

    def check(name, y):
        imaging.compare(name, y, np.zeros(3), 1.0)

    calls = {imaging.OURS: lambda: np.ones(3), "far": lambda: np.full(3, 1.5)}
    calls["near"] = lambda: np.full(3, 0.5)
    calls["other"] = lambda: np.zeros(4)
    row = imaging.agreeing("row", 1, calls, check, 1)
    assert list(row.contenders) == [imaging.OURS, "near"]
    assert row.label == "row (left out: far differs by 1.5, not 1; other has shape (4,))"
    calls[imaging.OURS] = lambda: np.full(3, np.nan)
    with pytest.raises(WrongResultError, match="differs by nan"):
        imaging.agreeing("row", 1, calls, check, 1)


@pytest.mark.parametrize("taps", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("n", [9, 16, 17, 100])
def test_overlapping_blocks_are_the_convolution(n, taps):
    rng = np.random.default_rng(n)
    x, w = rng.integers(-9, 9, n).astype(float), rng.integers(-9, 9, taps).astype(float)
    y = imaging.overlap_save(x, w, 16, np.fft.rfft, np.fft.irfft)
    np.testing.assert_allclose(y, np.convolve(x, w, "same"), atol=1e-9)


IMAGING_JOBS = [
    *(("float32", 2, job) for job in imaging.FLAT),
    *(("uint8", 2, job) for job in imaging.NARROW_FLAT),
    *(("float32", 3, job) for job in imaging.DEEP),
    *(("uint8", 3, job) for job in imaging.NARROW_DEEP),
]


@pytest.mark.parametrize(("dtype", "ndim", "job"), IMAGING_JOBS)
def test_imaging_libraries_that_are_installed_do_the_same_job(dtype, ndim, job):
    """Ours and those of each library, beside `scipy.ndimage` in double precision."""
    x = np.random.default_rng(7).random((90, 110) if ndim == 2 else (24, 25, 26))
    x = (x * 255.99).astype(dtype) if dtype == "uint8" else x.astype(dtype)
    calls = {imaging.OURS: imaging._ours(job, x)}
    calls |= {p.name: p.bind(job, x) for p in installed(imaging.IMAGING_PEERS)}
    for name, call in calls.items():
        if call is not None:
            imaging._checker(job, x)(name, call())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transforms_that_are_installed_do_the_same_job(dtype):
    rng = np.random.default_rng(8)
    x, w = (rng.standard_normal(n).astype(dtype) for n in (3000, 101))
    expected = np.convolve(x.astype("float64"), w.astype("float64"), "same")
    for peer in installed(imaging.TRANSFORM_PEERS):
        imaging.compare(peer.name, peer.bind(x, w)(), expected, 1e3 * np.finfo(dtype).eps)


def test_the_processor_is_named_by_its_numbers_and_caches(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "cpu_name", lambda: "a CPU")
    (tmp_path / "info").write_text(
        "model\t\t: 17\ncpu family\t: 25\nmodel name\t: a CPU\nstepping\t: 1\n"
    )
    for index, (level, kind, size) in enumerate(
        [("1", "Data", "32K"), ("1", "Instruction", "64K"), ("2", "Unified", "1024K")]
    ):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "info")
    monkeypatch.setattr(processor, "CACHES", tmp_path)
    assert processor.described() == "a CPU, family 25 model 17 stepping 1, L1 32K, L2 1024K"
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(processor, "CACHES", tmp_path / "none")
    assert processor.described() == "a CPU"
