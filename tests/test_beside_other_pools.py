"""Calls in threads and processes of other libraries: the same bits, the documented number."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest

#: What each task does: on the default number of threads, on two, and what the default is.
JOB = """
import numpy as np
import pyconv

def work(seed):
    rng = np.random.default_rng(seed)
    x, w = rng.random((400, 400), "float32"), rng.random((9, 9), "float32")
    y = pyconv.correlate(x, w)
    same = [np.array_equal(pyconv.correlate(x, w, workers=n), y) for n in (1, 2, 3)]
    return all(same), float(y.sum()), pyconv.get_workers()

def check(results, workers=None):
    assert len(results) == 6
    for seed, (same, total, default) in enumerate(results):
        assert same and total == work(seed)[1]
        assert workers is None or default == workers, (default, workers)

def set_three(worker):
    pyconv.set_workers(3)

class Loaded:
    __getitem__ = staticmethod(work)
    def __len__(self):
        return 6
"""


def run(folder, script, **environment):
    """Run a script that may import JOB, and start it again in processes of its own."""
    (folder / "job.py").write_text(JOB)
    (folder / "script.py").write_text(
        "import os, sys, warnings\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "from job import check, pyconv, work\n"
        "if __name__ == '__main__':\n" + textwrap.indent(textwrap.dedent(script), "    ")
    )
    clean = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "PYCONV_WORKERS")}
    result = subprocess.run(
        [sys.executable, str(folder / "script.py")],
        env=clean | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]


def needs(module):
    """Return the mark of tests that need another library."""
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"{module} is not installed"
    )


METHODS = ["spawn"] if os.name != "posix" else ["fork", "spawn", "forkserver"]


@pytest.mark.parametrize("method", METHODS)
def test_processes(tmp_path, method):
    """By every start method, after the parent has used its threads; and with a number for each."""
    run(
        tmp_path,
        f"""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        work(0)
        context = multiprocessing.get_context({method!r})
        default = 1 if {method!r} == "fork" else pyconv.get_workers()
        with context.Pool(2) as pool:
            check(pool.map(work, range(6)), default)
        with ProcessPoolExecutor(2, context, pyconv.set_workers, (3,)) as pool:
            check(list(pool.map(work, range(6))), 3)
        os.environ["PYCONV_WORKERS"] = "2"
        with ProcessPoolExecutor(2, context) as pool:
            check(list(pool.map(work, range(6))), None if {method!r} == "forkserver" else 2)
        """,
    )


def test_threads(tmp_path):
    """A statement reaches the threads of a pool, those that are there too; no block does."""
    run(
        tmp_path,
        """
        from concurrent.futures import ThreadPoolExecutor
        default = pyconv.get_workers()
        with ThreadPoolExecutor(4) as pool:
            check(list(pool.map(work, range(6))), default)
            with pyconv.set_workers(default + 1):
                check(list(pool.map(work, range(6))), default)
            pyconv.set_workers(3)
            check(list(pool.map(work, range(6))), 3)
        """,
    )


@needs("joblib")
def test_joblib(tmp_path):
    """Processes share the CPUs as joblib deals them out; threads have what the process has."""
    run(
        tmp_path,
        """
        from joblib import Parallel, delayed, parallel_config
        cpus = pyconv.get_workers()
        tasks = [delayed(work)(seed) for seed in range(6)]
        check(Parallel(2, "loky")(tasks), max(1, cpus // 2))
        with parallel_config("loky", inner_max_num_threads=1):
            check(Parallel(2)(tasks), 1)
        check(Parallel(2, "threading")(tasks), cpus)
        check(Parallel(2, "multiprocessing")(tasks))
        """,
    )


@needs("dask")
def test_dask(tmp_path):
    """Its threads, and its processes."""
    run(
        tmp_path,
        """
        import dask
        tasks = [dask.delayed(work)(seed) for seed in range(6)]
        pyconv.set_workers(2)
        check(list(dask.compute(*tasks, scheduler="threads", num_workers=3)), 2)
        check(list(dask.compute(*tasks, scheduler="processes", num_workers=2)))
        """,
    )


@needs("torch")
@pytest.mark.parametrize("method", METHODS[:2])
def test_loaders_of_torch(tmp_path, method):
    """Workers of a DataLoader that filter what they load, with a number for each."""
    run(
        tmp_path,
        f"""
        import torch.utils.data
        from job import Loaded, set_three
        work(0)
        loader = torch.utils.data.DataLoader(
            Loaded(), batch_size=None, num_workers=2, multiprocessing_context={method!r},
            worker_init_fn=set_three)
        check([tuple(item) for item in loader], 3)
        """,
    )


@needs("xdist")
def test_xdist(tmp_path):
    """PYCONV_WORKERS reaches the processes of pytest-xdist."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "from job import pyconv, work\n"
        "@pytest.mark.parametrize('seed', range(4))\n"
        "def test_it(seed):\n"
        "    assert work(seed)[0] and pyconv.get_workers() == 1\n"
    )
    run(
        tmp_path,
        """
        import pytest
        sys.exit(pytest.main(["-q", "-n", "2", "-p", "no:cacheprovider", "test_it.py"]))
        """,
        PYCONV_WORKERS="1",
        PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]),
    )
