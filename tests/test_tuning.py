"""tune: what it finds is taken from then on; its file survives whatever happens to files."""

import json
import os
import stat
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from arrays import noise

import pyconv
from pyconv._engine import files, machine, machine_rates, planner, planning, wisdom
from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._engine.machine import MACHINE
from pyconv._native import cpu

SHAPE, W = (40, 41), np.ones((5, 5), "float32")


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """Begin without wisdom, and leave none."""
    monkeypatch.delenv(wisdom.VARIABLE, raising=False)
    planner.WISDOM.forget()
    planner.clear_cache()
    yield
    planner.WISDOM.forget()
    planner.clear_cache()


@pytest.fixture
def use_file(monkeypatch):
    """Return a function that starts again with a file of wisdom."""

    def use(path):
        monkeypatch.setenv(wisdom.VARIABLE, str(path))
        planner.WISDOM.forget()
        planner.clear_cache()

    return use


def found(monkeypatch, name):
    """Make tune find one algorithm fastest."""
    monkeypatch.setattr(planner, "least_seconds", lambda *_: {name: 1.0})


def test_near_algorithms_are_timed():
    """The fastest comes first and is what later calls run."""
    times = pyconv.tune(shape=SHAPE, w=W)
    assert list(times.values()) == sorted(times.values())
    assert "direct" in times
    assert "reference" not in times
    assert pyconv.plan(shape=SHAPE, w=W).algorithm == next(iter(times))


@pytest.mark.parametrize(
    "name", [a.name for a in ALGORITHMS if not isinstance(a, WeightDependentAlgorithm)]
)
def test_what_was_found_is_taken(monkeypatch, rng, name):
    """By calls, plans and explanations of that problem, and no other."""
    usual = pyconv.plan(shape=SHAPE, w=W).algorithm
    found(monkeypatch, name)
    pyconv.tune(shape=SHAPE, w=W, mode="same")
    x = noise(rng, SHAPE, "float32")
    assert pyconv.plan(shape=SHAPE, w=W, mode="same").algorithm == name
    assert pyconv.explain(x, W, "same").algorithm == name
    assert planning.plan_for(x, W, mode="same").algorithm.name == name
    for other in ({}, {"mode": "full"}, {"mode": "same", "flip": True}):
        assert pyconv.plan(shape=SHAPE, w=W, **other).algorithm == usual
    assert pyconv.plan(shape=SHAPE, w=W, mode="same", method="direct").algorithm == "direct"


def test_what_cannot_run_is_not_taken():
    """A name that a later version does not know, or that the problem rejects."""
    problem = planning.plan_for(np.ones(SHAPE, "uint8"), W.astype("uint8")).problem
    for name in ("fft", "unheard of"):
        planner.WISDOM.remember(planning.PLANNER.description(problem), name)
        planner.clear_cache()
        assert pyconv.plan(shape=SHAPE, w=W.astype("uint8")).algorithm == "direct"


def test_file(monkeypatch, tmp_path, use_file):
    """It is written where it is asked for, and read where the variable says."""
    path = tmp_path / "wisdom.json"
    found(monkeypatch, "im2col")
    pyconv.tune(shape=SHAPE, w=W, path=path)
    pyconv.tune(shape=SHAPE, w=W, path=path, mode="same")
    assert [p.name for p in tmp_path.iterdir()] == ["wisdom.json"]
    planner.WISDOM.forget()
    planner.clear_cache()
    assert pyconv.plan(shape=SHAPE, w=W).algorithm == "direct"
    use_file(path)
    assert pyconv.plan(shape=SHAPE, w=W).algorithm == "im2col"
    assert pyconv.plan(shape=SHAPE, w=W, mode="same").algorithm == "im2col"
    assert pyconv.plan(shape=SHAPE, w=W, mode="full").algorithm == "direct"


def test_nothing_is_written_unasked(monkeypatch, tmp_path):
    """Neither here nor at home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    pyconv.tune(shape=SHAPE, w=W)
    assert not list(tmp_path.iterdir())


def test_every_truncation(monkeypatch, tmp_path, use_file):
    """A file that ends anywhere is ignored with a warning, and begun again by the next finding."""
    path = tmp_path / "wisdom.json"
    found(monkeypatch, "im2col")
    pyconv.tune(shape=SHAPE, w=W, path=path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:length])
        use_file(path)
        with pytest.warns(UserWarning, match="damaged"):
            assert pyconv.plan(shape=SHAPE, w=W).algorithm == "direct"
    with pytest.warns(UserWarning, match="damaged"):
        pyconv.tune(shape=SHAPE, w=W, path=path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "text",
    ["[]", "3", "null", '{"format": "another", "entries": {}}', "\0", '{"format": 1}', "[" * 10**5],
)
def test_other_files(tmp_path, use_file, text):
    """Whatever it is, calls work."""
    path = tmp_path / "wisdom.json"
    path.write_text(text)
    use_file(path)
    with pytest.warns(UserWarning, match="damaged"):
        assert pyconv.plan(shape=SHAPE, w=W).algorithm == "direct"
    path.write_bytes(b"\xff\xfe")
    use_file(path)
    with pytest.warns(UserWarning, match="damaged"):
        pyconv.plan(shape=SHAPE, w=W)
    path.write_text(json.dumps({"format": wisdom._FORMAT, "entries": {"a": 3}}))
    use_file(path)
    with pytest.warns(UserWarning, match="damaged"):
        pyconv.plan(shape=SHAPE, w=W)


RATES = [
    "1" + "0" * 400, "5e-324", "1e308", "NaN", "Infinity", "-1", "0", "true", '"1e9"', "[1]",
    "null", "{}", "1e-7", "1e30",
]  # fmt: skip


@pytest.mark.parametrize("rate", RATES, ids=[rate[:9] for rate in RATES])
@pytest.mark.parametrize("name", asdict(MACHINE))
def test_rates_that_no_machine_has(tmp_path, use_file, name, rate):
    """They are ignored, all that came with them too: calls work and choose as without."""
    if rate == "1e-7" and "seconds" in name:
        rate = "1e-30"
    x, w = np.ones((300, 300), "float32"), np.ones((31, 31), "float32")
    usual = str(pyconv.explain(x, w))
    rates = f'{{"copy_bytes_per_second": 1e8, "{name}": {rate}}}'
    text = {"format": wisdom._FORMAT, "entries": {planner.machine_key(): rates}}
    path = tmp_path / "wisdom.json"
    path.write_text(json.dumps(text))
    use_file(path)
    assert str(pyconv.explain(x, w)) == usual
    pyconv.correlate(x, w)


def test_numbers_that_python_would_not_read(tmp_path, use_file):
    """Too many digits, too many brackets."""
    path = tmp_path / "wisdom.json"
    for entry in ("9" * 10**5, "[" * 10**5, '{"a": ' * 10**5):
        for text in (
            json.dumps({"format": wisdom._FORMAT, "entries": {planner.machine_key(): entry}}),
            f'{{"format": "{wisdom._FORMAT}", "entries": {entry}}}',
        ):
            path.write_text(text)
            use_file(path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert pyconv.plan(shape=SHAPE, w=W).algorithm == "direct"


def test_what_is_no_file(tmp_path, use_file, monkeypatch):
    """It is refused at once, and stays: a pipe would be waited for, a device never ends."""
    found(monkeypatch, "im2col")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, "/dev/zero", "/dev/null"):
        use_file(path)
        with pytest.warns(UserWarning, match="cannot be read"):
            assert pyconv.plan(shape=SHAPE, w=W).algorithm == "direct"
        with pytest.warns(UserWarning, match="cannot be written"):
            pyconv.tune(shape=SHAPE, w=W, path=path)
    assert pipe.is_fifo()
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]
    for path in (3, b"wisdom", ["wisdom"]):
        for call in (pyconv.tune_machine, lambda path: pyconv.tune(shape=SHAPE, w=W, path=path)):
            with pytest.raises(TypeError, match="path="):
                call(path)


def test_a_file_that_is_too_large(tmp_path, use_file):
    """Nothing but its beginning is read."""
    path = tmp_path / "wisdom.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    use_file(path)
    with pytest.warns(UserWarning, match="damaged"):
        assert pyconv.plan(shape=SHAPE, w=W).algorithm == "direct"


def test_what_a_file_was_stays(tmp_path, monkeypatch):
    """Its permissions, and a symbolic link to it; a file that is read-only, too."""
    found(monkeypatch, "im2col")
    path, link = tmp_path / "wisdom.json", tmp_path / "link"
    link.symlink_to(path)
    for mode in (None, 0o644, 0o600, 0o664):
        if mode is not None:
            path.chmod(mode)
        pyconv.tune(shape=SHAPE, w=W, path=link)
        assert link.is_symlink()
        assert mode is None or stat.S_IMODE(path.stat().st_mode) == mode
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    before = path.read_bytes()
    with pytest.warns(UserWarning, match="cannot be written .*[Pp]ermission"):
        pyconv.tune(shape=SHAPE, w=W, path=path, mode="same")
    assert path.read_bytes() == before


def test_missing_file(tmp_path, use_file):
    """The first process that is told of it has not written it yet."""
    use_file(tmp_path / "none.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pyconv.plan(shape=SHAPE, w=W).algorithm == "direct"


def test_folder_that_cannot_be_written(tmp_path, monkeypatch):
    """A warning; the finding holds in this process."""
    found(monkeypatch, "im2col")
    for path in (tmp_path / "none" / "wisdom.json", tmp_path):
        with pytest.warns(UserWarning, match="cannot be"):
            pyconv.tune(shape=SHAPE, w=W, path=path)
        assert pyconv.plan(shape=SHAPE, w=W).algorithm == "im2col"
    assert not list(tmp_path.iterdir())


def test_read_only_folder(tmp_path, monkeypatch):
    """Refused by the system, even where the tests may write everything."""

    def refuse(*args, **keywords):
        raise PermissionError(13, "read-only")

    found(monkeypatch, "im2col")
    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.warns(UserWarning, match="cannot be written .*read-only"):
        pyconv.tune(shape=SHAPE, w=W, path=tmp_path / "wisdom.json")
    assert pyconv.plan(shape=SHAPE, w=W).algorithm == "im2col"


def test_writers_and_readers_at_once(tmp_path):
    """Processes that add to one file at the same time: it is whole at every moment."""
    path = tmp_path / "wisdom.json"
    code = (
        "import sys; from pathlib import Path; from pyconv._engine import wisdom\n"
        "for i in range(60): wisdom.add(Path(sys.argv[1]), f'{sys.argv[2]} {i}', 'direct' * 50)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, path, str(i)])
        for i in range(3)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while any(writer.poll() is None for writer in writers):
            wisdom.read(path)
        assert [writer.wait() for writer in writers] == [0, 0, 0]
        assert len(wisdom.read(path)) >= 60
    assert os.listdir(tmp_path) == ["wisdom.json"]  # noqa: PTH208


def test_threads_find_at_once():
    """None of their findings is lost in memory."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: planner.WISDOM.remember(f"{i}", "direct"), range(200)))
    assert all(planner.WISDOM.get(f"{i}") == "direct" for i in range(200))


def test_errors():
    """As those of the call; a name that is no argument is refused."""
    with pytest.raises(ValueError, match="mode='sme' is unknown"):
        pyconv.tune(shape=SHAPE, w=W, mode="sme")
    for name in ("method", "out", "workers", "nonsense"):
        with pytest.raises(TypeError, match=f"no argument {name}"):
            pyconv.tune(shape=SHAPE, w=W, **{name: None})
    assert pyconv.tune(shape=(0, 5, 5), w=np.ones((2, 2))) == {}


@pytest.mark.parametrize("name", ["separable", "box"])
def test_what_was_found_for_some_weights_is_taken_for_those(monkeypatch, name):
    """Even where no weights would be looked at without it; other weights are as usual."""
    usual = pyconv.plan(shape=SHAPE, w=W).algorithm
    assert usual not in ("separable", "box")
    found(monkeypatch, name)
    pyconv.tune(shape=SHAPE, w=W)
    assert pyconv.plan(shape=SHAPE, w=W).algorithm == name
    assert pyconv.plan(shape=SHAPE, w=np.eye(5, dtype="float32")).algorithm == usual


# ---- the machine -------------------------------------------------------------------------------


def test_the_machine_is_measured(tmp_path, use_file):
    """Rates of this machine, which predictions are made of until they are forgotten."""
    usual = asdict(MACHINE)
    path = tmp_path / "wisdom"
    rates = pyconv.tune_machine(path)
    assert rates.keys() == usual.keys()
    assert all(0 < rate < np.inf for rate in rates.values())
    assert asdict(MACHINE) == rates
    planner.WISDOM.forget()
    assert asdict(MACHINE) == usual
    use_file(path)
    pyconv.plan(shape=SHAPE, w=W)
    assert asdict(MACHINE) == rates


@pytest.mark.parametrize(
    ("asked", "vendor", "isa", "name"),
    [
        ("", "GenuineIntel", "avx512", "intel-avx512"),
        ("", "GenuineIntel", "avx2", "intel-avx2"),
        ("", "GenuineIntel", "baseline", "zen4"),
        ("", "AuthenticAMD", "avx512", "zen4"),
        ("", "", "baseline", "zen4"),
        ("zen4", "GenuineIntel", "avx512", "zen4"),
        ("intel-avx512", "AuthenticAMD", "avx2", "intel-avx512"),
    ],
)
def test_a_machine_is_a_row(asked, vendor, isa, name):
    """The row for the maker of the CPU and the loops, or the one that is asked for."""
    assert machine.chosen_row(asked, vendor, isa).name == name


def test_rows_are_sound():
    """The last one is for every machine; each has rates that there are."""
    assert machine.ROWS[-1].vendor == machine.ROWS[-1].isa == ""
    assert len({row.name for row in machine.ROWS}) == len(machine.ROWS)
    for row in machine.ROWS:
        assert machine.are_plausible(dict(row.rates))
        machine.Machine(**row.rates)


def test_a_row_is_asked_for_by_name():
    """In the environment; a name that there is not is refused by the import."""
    script = "import pyconv._engine.machine as m; print(m.ROW.name, m.MACHINE == m.Machine())"

    def run(name):
        return subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYCONV_MACHINE": name}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    for name in ("zen4", "intel-avx2"):
        assert run(name).stdout.split() == [name, str(name == "zen4")]
    message = "PYCONV_MACHINE='z80' in the environment: allowed are intel-"
    assert message in run("z80").stderr


def test_the_vendor_is_what_the_cpu_says():
    vendor = cpu.vendor()
    assert (len(vendor) == 12 and vendor.isascii()) or not vendor
    listed = Path("/proc/cpuinfo")
    if listed.exists() and "vendor_id" in listed.read_text():
        assert f": {vendor}" in listed.read_text()


def test_slow_memory_does_not_make_transforms_fast():
    """The least that a transform could take is no estimate where a plain sum is bound by memory."""
    MACHINE.take({"direct_bytes_per_second": 220e9, "fft_rate": 20e9, "copy_bytes_per_second": 7e9})
    try:
        planner.clear_cache()
        for shape, taps in (((10**6,), 3), ((2048, 2048), 3)):
            w = np.ones((taps,) * len(shape), "float32") + np.float32(0.5) * (
                np.arange(taps) == 0
            ).astype("float32")
            assert pyconv.plan(shape=shape, w=w).algorithm != "fft", shape
    finally:
        MACHINE.take({})
        planner.clear_cache()


def test_predictions_follow_the_rates(monkeypatch):
    """A machine whose transforms are slow sums plainly."""
    shape, w = (512, 512), np.ones((31, 31), "float32") + np.eye(31, dtype="float32")
    assert pyconv.plan(shape=shape, w=w).algorithm == "fft"
    monkeypatch.setattr(
        machine_rates, "_seconds", lambda method, *_: 100.0 if method == "fft" else 1e-4
    )
    pyconv.tune_machine()
    assert pyconv.plan(shape=shape, w=w).algorithm == "direct"


@pytest.mark.parametrize(
    "rates",
    ["", "[1]", '{"fft_rate": 0}', '{"fft_rate": "fast"}', '{"fft_rate": 1e999}', "{", "[" * 10**5],
)
def test_unsound_rates_are_not_taken(tmp_path, use_file, rates):
    """Whatever somebody has written into the file."""
    usual = asdict(MACHINE)
    wisdom.add(tmp_path / "wisdom", planner.machine_key(), rates)
    use_file(tmp_path / "wisdom")
    pyconv.plan(shape=SHAPE, w=W)
    assert asdict(MACHINE) == usual


def test_rates_of_other_machines_are_not_taken(tmp_path, use_file, monkeypatch):
    """A home directory may be shared by several."""
    usual = asdict(MACHINE)
    pyconv.tune_machine(tmp_path / "wisdom")
    monkeypatch.setattr(planner, "cpu_name", lambda: "another")
    use_file(tmp_path / "wisdom")
    pyconv.plan(shape=SHAPE, w=W)
    assert asdict(MACHINE) == usual
