"""workers: how many threads a call may use, and that their number never shows in the result."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from arrays import bits, noise

import pyconv
from pyconv._engine import planning, threads

CALLS = {
    "line": ((30_000,), (33,), {}),
    "short line": ((300,), (5,), {"mode": "same", "boundary": "wrap"}),
    "strided line": ((30_011,), (9,), {"stride": 3, "dilation": 2}),
    "rows": ((37, 501), (7,), {"mode": "same", "boundary": "mirror"}),
    "columns": ((501, 37), (7,), {"axes": 0, "mode": "same"}),
    "picture": ((257, 301), (5, 3), {"mode": "same", "boundary": "mirror"}),
    "inside a picture": ((130, 1031), (3, 5), {}),
    "dilated picture": ((101, 203), (3, 3), {"dilation": (3, 2), "stride": (2, 1)}),
    "colours": ((83, 97, 3), (5, 3), {"axes": (0, 1)}),
    "many colours": ((23, 37, 70), (3, 3), {"axes": (0, 1), "mode": "same"}),
    "batch": ((7, 31, 33), (3, 3), {"mode": "full", "boundary": "nearest"}),
    "volume": ((23, 29, 67), (3, 5, 3), {"mode": "same", "boundary": "symmetric"}),
    "large kernel": ((90, 120), (31, 29), {}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int16"])
@pytest.mark.parametrize("call", CALLS)
def test_same_bits_for_every_number_of_workers(engine, rng, call, dtype):
    """The order in which an output is summed does not depend on the cut."""
    x_shape, w_shape, keywords = CALLS[call]
    x, w = noise(rng, x_shape, dtype), noise(rng, w_shape, dtype)
    expected = engine(x, w, workers=1, **keywords)
    if expected is None:
        pytest.skip("rejected")
    for workers in (None, 2, 3, 7, -1):
        assert bits(engine(x, w, workers=workers, **keywords)) == bits(expected), workers


def test_many_workers(engine, rng):
    """More workers than the machine or the work has: an answer, and not the end of the process."""
    x, w = noise(rng, (40, 50), "float32"), noise(rng, (3, 3), "float32")
    expected = bits(engine(x, w, workers=1))
    for workers in (64, 10_000, 2**40):
        assert bits(engine(x, w, workers=workers)) == expected


def test_many_python_threads(engine, rng):
    """Calls at the same time, of the same plan and of others, each get their own answer."""
    problems = []
    for call in ("line", "picture", "volume", "colours"):
        x_shape, w_shape, keywords = CALLS[call]
        for _ in range(2):
            x, w = noise(rng, x_shape, "float32"), noise(rng, w_shape, "float32")
            problems.append((x, w, keywords, bits(engine(x, w, **keywords))))
    start = threading.Barrier(8)

    def work(seed):
        start.wait()
        for i in np.random.default_rng(seed).integers(0, len(problems), 25):
            x, w, keywords, expected = problems[i]
            workers = (None, 1, 2, 3)[(seed + i) % 4]
            assert bits(engine(x, w, workers=workers, **keywords)) == expected

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


# ---- set_workers and get_workers --------------------------------------------------------------


def test_set_workers_is_a_context():
    """The default inside the block, and the former one after it, even after an error."""
    before = pyconv.get_workers()
    with pyconv.set_workers(3):
        assert pyconv.get_workers() == 3
        with pyconv.set_workers(1):
            assert pyconv.get_workers() == 1
        assert pyconv.get_workers() == 3
    with pytest.raises(KeyError), pyconv.set_workers(5):
        raise KeyError
    assert pyconv.get_workers() == before


def test_negative_workers_count_from_the_cpus():
    """−1 is all CPUs that this process may use, as in scipy.fft."""
    cpus = threads.available_cpus()
    with pyconv.set_workers(-1):
        assert pyconv.get_workers() == cpus
    with pyconv.set_workers(-cpus):
        assert pyconv.get_workers() == 1


def test_a_block_is_for_the_thread_that_entered_it():
    """Another thread keeps the default."""
    before = pyconv.get_workers()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(pyconv.get_workers).result() == before  # the thread is there
        with pyconv.set_workers(before + 3):
            assert pool.submit(pyconv.get_workers).result() == before


@pytest.fixture
def no_statement():
    """Forget what the test has stated."""
    kept = threads._statements[:]
    yield
    threads._statements[:] = kept


def test_a_statement_is_for_the_process(no_statement):
    """Every thread has its number, those that run already too, until the next statement."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pyconv.get_workers).result()
        for workers in (3, 1, 5):
            pyconv.set_workers(workers)
            assert pyconv.get_workers() == workers
            assert pool.submit(pyconv.get_workers).result() == workers
            assert threads.resolve(None, 100) == workers
    assert len(threads._statements) <= 2


def test_a_block_goes_before_a_statement(no_statement):
    """Inside the block and after it, however they are nested."""
    pyconv.set_workers(3)
    with pyconv.set_workers(2):
        assert pyconv.get_workers() == 2
        pyconv.set_workers(5)
        assert pyconv.get_workers() == 2
        with pyconv.set_workers(1):
            assert pyconv.get_workers() == 1
        assert pyconv.get_workers() == 2
    assert pyconv.get_workers() == 5


def test_a_block_of_a_number_that_was_kept(no_statement):
    """A number in a variable counts for the process until a block takes it, once or again."""
    before = pyconv.get_workers()
    three = pyconv.set_workers(3)
    assert pyconv.get_workers() == 3
    for _ in range(2):
        with three, three:
            assert pyconv.get_workers() == 3
        assert pyconv.get_workers() == before


def test_blocks_of_many_threads_leave_nothing(no_statement):
    """Numbers that are set and taken at the same time do not become each other's."""
    before = pyconv.get_workers()

    def work(n):
        for _ in range(300):
            with pyconv.set_workers(n):
                assert pyconv.get_workers() == n

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(1, 9)))
    assert pyconv.get_workers() == before


@pytest.mark.parametrize("workers", [0, -10_000])
def test_numbers_of_workers_that_are_refused(workers):
    """The message says which are allowed."""
    with (
        pytest.raises(ValueError, match=f"workers={workers}.*positive"),
        pyconv.set_workers(workers),
    ):
        pass


@pytest.mark.parametrize("workers", [1.0, "2", None])
def test_workers_that_are_no_number(workers):
    """None is for the argument of a call only."""
    with (
        pytest.raises(TypeError, match=f"workers={workers!r}.*integer"),
        pyconv.set_workers(workers),
    ):
        pass


@pytest.fixture
def idle(monkeypatch):
    """No other work has had the CPUs, as far as calls know."""
    monkeypatch.setattr(threads, "_is_careful", lambda: False)


def test_explicit_workers_win_over_the_default(idle):
    """The argument is an order; a default is never more than the work is worth."""
    with pyconv.set_workers(3):
        assert threads.resolve(None, 100) == 3
        assert threads.resolve(None, 2) == 2
        assert threads.resolve(None, 0) == 1
        assert threads.resolve(2, 100) == 2
        assert threads.resolve(2, 0) == 2
    assert threads.resolve(None, 1) == 1
    assert threads.resolve(None, 10**6) == threads.available_cpus()


def test_small_calls_use_one_thread(rng):
    """By default, whatever is allowed: a thread is asked for from 0.2 ms of work."""
    w = noise(rng, (3, 3), "float32")
    with pyconv.set_workers(8):
        for n, most in ((32, 1), (128, 1), (256, 1), (4096, 8)):
            useful = planning.plan_for(np.empty((n, n), np.float32), w).useful_threads
            assert threads.resolve(None, useful) == most


def test_a_busy_machine_gets_one_thread_by_default(monkeypatch):
    """What was asked for is not less."""
    monkeypatch.setattr(threads, "_is_careful", lambda: True)
    assert threads.resolve(None, 10**6) == 1
    assert threads.resolve(3, 10**6) == 3
    with pyconv.set_workers(2):
        assert threads.resolve(None, 10**6) == 2


def test_calls_at_the_same_time_share_the_cpus(idle):
    """Threads do not multiply."""
    with threads.running():
        assert threads.resolve(None, 10**6) == max(1, threads.available_cpus() // 2)
    assert threads.resolve(None, 10**6) == threads.available_cpus()


def cpus_in_child(environment=None, before="", after=""):
    """Return get_workers() in a fresh interpreter."""
    code = f"import os\n{before}\nimport pyconv\n{after}\nprint(pyconv.get_workers())"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


def test_environment_sets_the_default():
    """PYCONV_WORKERS goes before OMP_NUM_THREADS, and behind every set_workers."""
    cpus = threads.available_cpus()
    for value, workers in (("3", 3), (" 7 ", 7), ("-1", cpus), (f"-{cpus}", 1)):
        assert cpus_in_child({"PYCONV_WORKERS": value}) == workers
    assert cpus_in_child({"PYCONV_WORKERS": "3", "OMP_NUM_THREADS": "1"}) == 3
    assert cpus_in_child({"PYCONV_WORKERS": ""}) == cpus_in_child()
    assert cpus_in_child({"PYCONV_WORKERS": "3"}, after="pyconv.set_workers(2)") == 2


@pytest.mark.parametrize("value", ["0", "four", "1.5", "-10000", "2,1", "²"])
def test_environment_that_is_refused(monkeypatch, value):
    """By the import and by calls, with the name, the value and what is allowed."""
    child = subprocess.run(
        [sys.executable, "-c", "import pyconv"],
        env=os.environ | {"PYCONV_WORKERS": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 1
    assert "ValueError: PYCONV_WORKERS=" in child.stderr
    monkeypatch.setenv("PYCONV_WORKERS", value)
    with pytest.raises(ValueError, match=f"PYCONV_WORKERS='?{value}.*positive.*-1"):
        threads.resolve(None, 100)


def test_omp_num_threads_is_respected():
    """A limit, not a wish: more than the CPUs is not used, nonsense is ignored."""
    assert cpus_in_child({"OMP_NUM_THREADS": "1"}) == 1
    unset = cpus_in_child({"OMP_NUM_THREADS": ""})
    for value in ("10000", "0", "many", "²"):
        assert cpus_in_child({"OMP_NUM_THREADS": value}) == unset


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_affinity_is_respected():
    """A process that is pinned to one CPU uses one."""
    pin = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert cpus_in_child(before=pin) == 1


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, float("inf")),
        ({"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, float("inf")),
        ({"cpu.max": "nonsense"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_quota_of_the_control_group(monkeypatch, tmp_path, files, cpus):
    """Both versions of control groups, and files that cannot be read."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    class Group(type(tmp_path)):
        def __new__(cls, path):
            return tmp_path if path == "/sys/fs/cgroup" else tmp_path / "absent"

    monkeypatch.setattr(threads, "Path", Group)
    assert threads._cgroup_quota.__wrapped__() == cpus


def test_set_workers_refuses_at_once():
    """A wrong number is refused when it is given, before a block is entered, and sets nothing."""
    before = pyconv.get_workers()
    for wrong in (0, -(10**6)):
        with pytest.raises(ValueError, match="workers="):
            pyconv.set_workers(wrong)
    for wrong in (None, "two", 1.0, True):
        with pytest.raises(TypeError, match="workers="):
            pyconv.set_workers(wrong)
    assert pyconv.get_workers() == before
