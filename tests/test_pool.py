"""The threads behind the loops: every share runs once, whoever comes, and nothing waits in vain."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import source_tree
from processes import without_sanitizers

from pyconv._native import loader

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
#: More threads than this machine may have CPUs, and no region that is run by its caller alone
#: because the one before had to wait.
FLAGS = [
    "-std=gnu11",
    "-g",
    "-pthread",
    "-DPOOL_CPUS=8",
    "-DPOOL_CAUTION=0",
    f"-I{source_tree.NATIVE}",
]

pool = pytest.mark.skipif(
    "own" not in loader.native.threading(), reason="the loops run on the compiler's threads"
)


def stress(tmp_path, flags, *arguments):
    """Return what compiling and running tests/pool_stress.c gave."""
    sources = [source_tree.TESTS / "pool_stress.c", source_tree.file("pyconv/_native/pool.c")]
    if COMPILER is None:
        pytest.skip("needs a C compiler")
    program = tmp_path / "stress"
    built = subprocess.run(
        [COMPILER, *FLAGS, *flags, *map(str, sources), "-o", str(program), "-lm"],
        capture_output=True, text=True, check=False, env=without_sanitizers(),
    )  # fmt: skip
    if built.returncode:
        return built, None
    return built, subprocess.run(
        [str(program), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=300, env=without_sanitizers(),
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="needs pthreads and fork")
def test_every_share_runs_once_and_forked_children_have_a_pool(tmp_path):
    """Six callers, regions inside regions, forks meanwhile, and threads that are held elsewhere."""
    built, ran = stress(tmp_path, ["-O2"], 5000, 100)
    assert ran is not None, built.stderr
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("7 threads")


@pytest.mark.skipif(sys.platform == "win32", reason="needs pthreads and fork")
def test_the_pool_waits_without_futexes_too(tmp_path):
    """By conditions of POSIX threads, as on macOS."""
    built, ran = stress(tmp_path, ["-O2", "-U__linux__"], 2000, 20)
    assert ran is not None, built.stderr
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("7 threads")


@pytest.mark.skipif(sys.platform == "win32", reason="needs pthreads")
def test_no_data_race(tmp_path):
    """ThreadSanitizer finds none: whatever a share wrote is seen by its caller."""
    _, ran = stress(tmp_path, ["-O1", "-fsanitize=thread"], 3000)
    if ran is None or "unexpected memory mapping" in ran.stderr:
        pytest.skip("the compiler has no ThreadSanitizer that runs here")
    assert ran.returncode == 0, ran.stderr
    assert "WARNING" not in ran.stderr


AFFINITIES = """
import os, time
import numpy as np, pyconv

x, w = np.ones((1024, 1024)), np.ones((5, 5))
w[0, 0] = 2
here = os.sched_getaffinity(0)
for n in range(40):
    pyconv.correlate(x, w, workers=2)
    time.sleep((0, 0.0005, 0.005)[n % 3])
time.sleep(0.1)
threads = [int(name) for name in os.listdir("/proc/self/task")]
print(len(threads) > 1, all(os.sched_getaffinity(thread) == here for thread in threads))
"""


@pool
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for each thread")
def test_threads_may_run_everywhere_again():
    """A caller keeps a thread that it wakes away from its own CPU, and only until it runs."""
    ran = subprocess.run(
        [sys.executable, "-c", AFFINITIES], capture_output=True, text=True, check=True, timeout=60,
        env=os.environ | {"OMP_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert ran.stdout == "True True\n"


@pool
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads the maps of the process")
@pytest.mark.parametrize("isa", loader.runnable())
def test_loops_need_no_other_run_time(isa):
    """The loops of every variant load and run in a process without any OpenMP library."""
    code = """
import numpy, pyconv, pathlib, re
import pyconv.nn.functional as f
x = numpy.ones((200, 200), "float32")
for method in ("direct", "box", "fft"):
    pyconv.correlate(x, x[:5, :5], method=method, workers=2)
f.relu(x, workers=2)
maps = pathlib.Path("/proc/self/maps").read_text()
print(sorted(set(re.findall(r"lib(?:g|i)?omp[^/ ]*[.]so", maps))))
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYCONV_ISA": isa},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.strip() == "[]"


@pool
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the threads of the process")
def test_signals_are_for_the_threads_of_the_process():
    """Those of the pool block what is not their own fault."""
    code = """
import os, signal, time
import numpy, pyconv
x = numpy.ones((500, 500), "float32")
before = set(os.listdir("/proc/self/task"))
pyconv.correlate(x, x[:9, :9], workers=2)
(task,) = set(os.listdir("/proc/self/task")) - before
def blocked():
    with open(f"/proc/self/task/{task}/status") as file:
        bits = next(int(line.split()[1], 16) for line in file if line.startswith("SigBlk"))
    return [bool(bits >> s - 1 & 1) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGSEGV)]
end = time.monotonic() + 20
while blocked()[2] and time.monotonic() < end:  # until the thread has started
    time.sleep(0.01)
print(blocked())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert result.stdout == "[True, True, False]\n"
