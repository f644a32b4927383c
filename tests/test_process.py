"""Safe in a process that is not ours: fork, signals, memory, threads, floating-point state.

Each test runs a script in an interpreter of its own, because it may hang, die or leave traces.
"""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest
from conftest import one_in
from processes import SOON, seconds_to_interrupt

from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.algorithms.base import WeightDependentAlgorithm

#: Those that take any weights.
METHODS = [a.name for a in ALGORITHMS if not isinstance(a, WeightDependentAlgorithm)]
COMPILED = [name for name in METHODS if name != "reference"]
#: Those whose sums of whole numbers are exact, and that take minutes where a transform does not.
PLAIN = [name for name in COMPILED if name != "fft"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and limits of Linux")
posix = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")

PRELUDE = """
import os, sys, threading
import numpy as np
import pyconv
rng = np.random.default_rng(0)
def picture(n=400, k=5, dtype="float32"):
    return rng.random((n, n)).astype(dtype), rng.random((k, k)).astype(dtype)
"""


def run(script, *, timeout=300, **environment):
    """Run a script after the prelude; fail with its traceback if it fails or hangs."""
    result = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.split()


# ---- fork -------------------------------------------------------------------------------------


@posix
def test_fork_while_a_plan_is_kept():
    """A child finds the locks of the plans open, whichever thread of the parent held them."""
    assert run(
        """
        import warnings
        from pyconv._engine import planner
        from pyconv.nn import functional
        warnings.simplefilter("ignore")
        with planner._lock:
            child = os.fork()
            if child == 0:
                pyconv.correlate(np.ones(50), np.ones(3))
                functional.conv1d(np.ones((1, 50)), np.ones((1, 1, 3)))
                os._exit(0)
        print(os.waitpid(child, 0)[1])
        """
    ) == ["0"]


@posix
@pytest.mark.parametrize("method", METHODS)
def test_forked_child_works_after_the_parent_ran_in_parallel(method):
    """Threads do not survive a fork; the child computes on one, or on new ones if it asks."""
    run(f"""
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, about fork and threads
        x, w = picture()
        expected = pyconv.correlate(x, w, workers=2, method={method!r})
        def child(queue):
            results = [pyconv.correlate(x, w, workers=n, method={method!r})
                       for n in (None, 1, 2, 3)]
            before = pyconv.get_workers()
            with pyconv.set_workers(2):
                results.append(pyconv.correlate(x, w, method={method!r}))
            pyconv.set_workers(2)
            results.append(pyconv.correlate(x, w, method={method!r}))
            same = all((r == expected).all() for r in results)
            queue.put((same, before))
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        for _ in range(3):
            process = context.Process(target=child, args=(queue,))
            process.start()
            same, workers = queue.get()
            process.join(20)
            assert process.exitcode == 0
            assert same and workers == 1
        assert (pyconv.correlate(x, w, workers=2, method={method!r}) == expected).all()
    """)


@posix
def test_pool_of_forked_workers():
    """A pool computes many calls, in children and grandchildren of the fork."""
    run("""
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        x, w = picture()
        pyconv.correlate(x, w, workers=2)
        def work(k):
            return float(pyconv.correlate(x, w[:k, :k], dtype="float64").sum())
        expected = [work(k) for k in (1, 2, 3, 4, 5)] * 4
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(work, [1, 2, 3, 4, 5] * 4) == expected
    """)


@posix
def test_fork_while_other_threads_compute():
    """A child that is forked in the middle of a call of another thread computes too."""
    run("""
        import time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        x, w = picture(1500, 7)
        expected = pyconv.correlate(x, w, workers=1)
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                pyconv.correlate(x, w, workers=2)
        thread = threading.Thread(target=busy)
        thread.start()
        for _ in range(10):
            time.sleep(0.01)
            child = os.fork()
            if child == 0:
                same = (pyconv.correlate(x, w) == expected).all()
                os._exit(0 if same and pyconv.get_workers() == 1 else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        thread.join()
    """)


@posix
def test_fork_while_a_module_is_imported():
    """A fork waits for what another thread imports in the middle of a call."""
    assert run(
        """
        import pathlib, tempfile, time, warnings
        from pyconv._engine import threads
        warnings.simplefilter("ignore")
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "slow_to_import.py").write_text("import time; time.sleep(0.5)")
            sys.path.insert(0, folder)
            thread = threading.Thread(target=threads.import_in_call, args=("slow_to_import",))
            thread.start()
            time.sleep(0.1)
            child = os.fork()
            if child == 0:
                threads.import_in_call("slow_to_import")
                os._exit(0)
            print(os.waitpid(child, 0)[1])
            thread.join()
        """
    ) == ["0"]


def test_the_setting_of_blas_outlives_calls_that_overlap():
    """The last call to end is not the one that began; each thread is heeded."""
    pytest.importorskip("threadpoolctl")
    counts = run(
        """
        import threadpoolctl
        from pyconv._engine import threads
        blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
        blas.limit(limits=3)
        def count():
            return max((library["num_threads"] for library in blas.info()), default=1)
        began, ended = threading.Event(), threading.Event()
        def overlap():
            with threads.one_blas_thread():
                began.set()
                ended.wait()
        thread = threading.Thread(target=overlap)
        before = count()
        with threads.one_blas_thread():
            thread.start()
            began.wait()
        print(count())
        ended.set()
        thread.join()
        print(count() == before)
        """
    )
    assert counts == ["1", "True"]


@posix
def test_fork_while_another_thread_holds_blas_to_one_thread():
    """It is not in the child to put the setting back: the fork does."""
    pytest.importorskip("threadpoolctl")
    counts = run(
        """
        import threadpoolctl, warnings
        from pyconv._engine import threads
        warnings.simplefilter("ignore")
        blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
        blas.limit(limits=3)
        held, done = threading.Event(), threading.Event()
        def hold():
            with threads.one_blas_thread():
                held.set()
                done.wait()
        def count():
            return max((library["num_threads"] for library in blas.info()), default=1)
        thread = threading.Thread(target=hold)
        print(count(), flush=True)
        thread.start()
        held.wait()
        print(count(), flush=True)
        child = os.fork()
        if child == 0:
            os._exit(count())
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        done.set()
        thread.join()
        """
    )
    before, held, child = counts
    assert (held, child) == ("1", before)


@posix
def test_fork_while_a_property_of_a_layer_is_computed():
    """No lock of all layers is taken meanwhile, which the child would find taken."""
    statuses = run(
        """
        import time, types, warnings
        from pyconv._engine.layer_problem import LayerProblem
        warnings.simplefilter("ignore")
        def slowly():
            time.sleep(0.5)
            yield types.SimpleNamespace(size=3, taps=3, out=3)
        def work(spatial):
            problem = LayerProblem(1, 1, 1, 1, spatial(), np.dtype("float32"))
            return getattr(problem, name)
        for name in ("x_shape", "w_shape", "y_shape", "pixels"):
            thread = threading.Thread(target=work, args=(slowly,))
            thread.start()
            time.sleep(0.1)
            child = os.fork()
            if child == 0:
                work(tuple)
                os._exit(0)
            print(os.waitpid(child, 0)[1])
            thread.join()
        """
    )
    assert statuses == ["0"] * 4


@posix
@pytest.mark.slow
def test_many_forks_while_other_threads_compute_gradients():
    """Children of layers of all shapes, where a lock that is rarely taken shows itself at last."""
    run(
        """
        import faulthandler, warnings
        from pyconv.nn import functional, grad
        warnings.simplefilter("ignore", DeprecationWarning)
        borders = ("zeros", "reflect", "replicate", "circular")
        def step(n, m, border):
            x, w = np.ones((1, 4, n, m), "f4"), np.ones((4, 4, 3, 3), "f4")
            y = functional.conv2d(x, w, padding=1, padding_mode=border)
            grad.conv2d_input(x.shape, w, y, padding=1, padding_mode=border)
            grad.conv2d_weight(x, w.shape, y, padding=1, padding_mode=border)
        stop = threading.Event()
        def busy(seed):
            rng = np.random.default_rng(seed)
            while not stop.is_set():
                step(*rng.integers(3, 60, 2).tolist(), borders[rng.integers(4)])
        threads = [threading.Thread(target=busy, args=(i,), daemon=True) for i in range(4)]
        for thread in threads:
            thread.start()
        for i in range(2000):
            child = os.fork()
            if child == 0:
                faulthandler.dump_traceback_later(20, exit=True)
                step(61 + i, 5, borders[i % 4])
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        """,
        timeout=600,
    )


# ---- signals ----------------------------------------------------------------------------------

#: Calls that would run for minutes.
ENDLESS = {
    "picture": ((6000, 6000), (401, 401), {}),
    "line": ((40_000_000,), (30_001,), {}),
    "volume": ((300, 300, 300), (61, 61, 61), {}),
    "batch": ((200, 900, 900), (151, 151), {}),
    "dilated": ((5000, 5000), (301, 301), {"dilation": 3}),
}


INTERRUPTED = one_in(2, PLAIN, list(ENDLESS), (1, 2))


@posix
@pytest.mark.parametrize(("method", "call", "workers"), [*INTERRUPTED, ("reference", "picture", 1)])
def test_ctrl_c_ends_a_long_call(method, call, workers):
    """KeyboardInterrupt soon after the signal, and the next call works."""
    x_shape, w_shape, keywords = ENDLESS[call]
    keywords = keywords | {"method": method, "workers": workers}
    seconds = seconds_to_interrupt(
        PRELUDE + f"x, w = np.ones({x_shape}, 'float32'), np.ones({w_shape}, 'float32')\n"
        # What one algorithm imports when it is first used takes a second where nothing is compiled
        # yet, and an interrupted import is Python's own affair.
        "import scipy.linalg.cython_blas\n"
        "small = pyconv.correlate(x[..., :50], [1.0, 1.0])",
        f"pyconv.correlate(x, w, **{keywords})",
        after="assert (pyconv.correlate(x[..., :50], [1.0, 1.0]) == small).all()",
    )
    assert seconds < SOON * workers


@posix
@pytest.mark.usefixtures("sigint")
def test_ctrl_c_where_the_parent_ignores_it():
    """The process is one that a terminal could have started, whatever started the tests."""
    seconds = seconds_to_interrupt(
        PRELUDE, "pyconv.correlate(*picture(6000, 401), method='direct')"
    )
    assert seconds < SOON * os.cpu_count()


@posix
def test_signal_handlers_are_left_alone():
    """Import and calls install none and change none."""
    run("""
        import signal
        def handlers():
            return {s: signal.getsignal(s) for s in signal.valid_signals()}
        before = handlers()
        pyconv.correlate(*picture(), workers=2)
        assert handlers() == before
    """)
    code = (
        "import signal, sys, numpy, scipy.linalg;"
        "before = [signal.getsignal(s) for s in sorted(signal.valid_signals())];"
        "import pyconv;"
        "sys.exit(before != [signal.getsignal(s) for s in sorted(signal.valid_signals())])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- memory -----------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_failing_allocation_is_a_memory_error(method):
    """A result, or a workspace, that does not fit; then the next call works."""
    run(
        f"""
        import resource
        x, w = picture(300, 3)
        expected = pyconv.correlate(x, w, method={method!r})
        with open("/proc/self/statm") as f:
            used = int(f.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (150 << 20), resource.RLIM_INFINITY))
        for keywords in ({{"mode": [(20_000, 20_000)] * 2}}, {{"mode": [(4_000_000, 0), (0, 0)]}},
                         {{"mode": [(10_000, 0), (10_000, 0)], "dtype": "float16"}}):
            try:
                pyconv.correlate(x, w, method={method!r}, **keywords)
            except MemoryError:
                pass
            else:
                raise AssertionError(keywords)
            assert (pyconv.correlate(x, w, method={method!r}) == expected).all()
        """,
        OPENBLAS_NUM_THREADS="1",
    )


@linux
@pytest.mark.parametrize("method", PLAIN)
def test_failing_workspace_is_a_memory_error(method):
    """Room for the result, none for what a call needs beside it."""
    run(
        f"""
        import resource
        x, w = picture(300, 3)
        expected = pyconv.correlate(x, w, method={method!r})
        long = np.ones(3_000_000, np.float32)
        out = np.empty(3_000_000 - 400 * 2000, np.float32)
        with open("/proc/self/statm") as f:
            used = int(f.read().split()[0]) * resource.getpagesize()
        fine = 0
        for room in (0, 1, 2, 4, 8, 16, 64):
            done = False
            resource.setrlimit(
                resource.RLIMIT_AS, (used + (room << 20), resource.RLIM_INFINITY))
            try:
                pyconv.correlate(long, np.ones(401, np.float32), dilation=2000, out=out,
                                 method={method!r}, workers=1)
                done = True
            except MemoryError:
                assert not fine
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            fine += done
            assert not done or (out == 401).all()
            assert (pyconv.correlate(x, w, method={method!r}) == expected).all()
        assert fine
        """,
        OPENBLAS_NUM_THREADS="1",
    )


@linux
@pytest.mark.parametrize("method", METHODS)
def test_memory_does_not_grow(method):
    """Thousands of calls, refused ones and interrupted ones among them, leave nothing behind."""
    run(f"""
        def resident():
            with open("/proc/self/statm") as f:
                return int(f.read().split()[1]) * 4096
        x, w = picture(200, 5)
        def work(n):
            for i in range(n):
                pyconv.correlate(x, w, "same", "mirror", method={method!r}, workers=1 + i % 2)
                try:
                    pyconv.correlate(x, w, stride=0, method={method!r})
                except ValueError:
                    pass
        work(20)
        before = resident()
        work(300)
        assert resident() - before < 8 << 20
    """)


# ---- threads ----------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize("method", COMPILED)
def test_threads_never_exceed_workers(method):
    """Counted while calls run: the caller's thread and at most workers − 1 others."""
    run(f"""
        import time
        x, w = picture(1200, 7)
        pyconv.correlate(x, w, workers=1, method={method!r})
        def tasks():
            return len(os.listdir("/proc/self/task"))
        idle, most, stop = tasks(), 0, threading.Event()
        def watch():
            global most
            while not stop.is_set():
                most = max(most, tasks())
                time.sleep(0.0005)
        watcher = threading.Thread(target=watch)
        watcher.start()
        for workers in (1, 2, 3):
            most = 0
            for _ in range(10):
                pyconv.correlate(x, w, workers=workers, method={method!r})
            assert most <= idle + 1 + workers - 1, (workers, most, idle)
        stop.set()
        watcher.join()
    """)


@linux
def test_one_worker_starts_no_thread():
    """Import and calls on one worker leave the process as it is."""
    code = (
        "import os, numpy as np, scipy.linalg.cython_blas; n = len(os.listdir('/proc/self/task'));"
        "import pyconv;"
        "[pyconv.correlate(np.ones((300, 300)), np.ones((k, k)), workers=1, method=m)"
        f" for k in (1, 3, 30) for m in {METHODS!r}];"
        "assert len(os.listdir('/proc/self/task')) == n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@linux
def test_pinned_process_uses_one_thread():
    """Without a wish for workers a pinned process starts no thread."""
    run("""
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        before = len(os.listdir("/proc/self/task"))
        pyconv.correlate(*picture(1000, 7))
        assert len(os.listdir("/proc/self/task")) == before
    """)


@pytest.mark.parametrize("method", COMPILED)
def test_blas_keeps_its_threads(method):
    """The number of threads of OpenBLAS is what it was before a call, also a failed one."""
    run(f"""
        import threadpoolctl, scipy.linalg
        def blas():
            return [(i["internal_api"], i["num_threads"]) for i in threadpoolctl.threadpool_info()
                    if i["user_api"] == "blas"]
        before = blas()
        x, w = picture(500, 9)
        for workers in (1, 2, 3):
            pyconv.correlate(x, w, workers=workers, method={method!r})
        assert blas() == before
        calls = [threading.Thread(target=pyconv.correlate, args=(x, w),
                 kwargs={{"workers": 2, "method": {method!r}}}) for _ in range(6)]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert blas() == before
    """)


# ---- floating-point state ---------------------------------------------------------------------


def test_subnormal_numbers_survive():
    """No flush-to-zero in this thread, in Python's other threads or in OpenMP's."""
    run("""
        from concurrent.futures import ThreadPoolExecutor
        tiny = np.full(1000, 2.0**-1070)
        def kept():
            return bool(((tiny * 0.5) == 2.0**-1071).all()) and bool((tiny + tiny != 0).all())
        assert kept()
        x, w = picture(600, 5)
        for _ in range(3):
            pyconv.correlate(x, w, workers=3)
        assert kept()
        with ThreadPoolExecutor(2) as pool:
            assert all(pool.map(lambda _: kept(), range(8)))
        for dtype in ("float32", "float64"):
            small = np.full((600, 600), np.finfo(dtype).smallest_subnormal)
            for workers in (1, 3):
                y = pyconv.correlate(small, np.ones((2, 2), dtype), workers=workers)
                assert (y == 4 * np.finfo(dtype).smallest_subnormal).all()
    """)


def test_floating_point_warnings_are_left_alone():
    """NumPy's error state is what it was, and a call raises no warning of its own."""
    run("""
        import warnings
        warnings.simplefilter("error")
        before = np.geterr()
        big = np.full((50, 50), np.finfo("float32").max)
        for dtype in ("float32", "float16", "complex64"):
            pyconv.correlate(big, np.ones((3, 3), "float32"), dtype=dtype if dtype != "complex64"
                             else None)
        pyconv.correlate(np.full(9, np.nan), [np.inf, 0.0])
        assert np.geterr() == before
    """)


# ---- other libraries --------------------------------------------------------------------------


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("first", ["torch", "pyconv"])
def test_beside_torch(first):
    """Another OpenMP in the process, loaded before or after, changes no answer."""
    code = textwrap.dedent(f"""
        import {first}, torch, pyconv
        import numpy as np
        x, w = np.random.rand(300, 300).astype("f4"), np.random.rand(5, 5).astype("f4")
        expected = pyconv.correlate(x, w, workers=1)
        y = torch.nn.functional.conv2d(torch.tensor(x)[None, None], torch.tensor(w)[None, None])
        assert np.abs(y[0, 0].numpy() - expected).max() < 1e-4
        assert (pyconv.correlate(x, w, workers=3) == expected).all()
    """)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_import_is_quiet_and_light():
    """Importing prints nothing, and loads neither matplotlib nor anything else of the extras."""
    code = (
        "import sys, pyconv;"
        "heavy = {'matplotlib', 'skimage', 'pywt', 'nibabel', 'pooch', 'PIL', 'scipy.signal',"
        " 'scipy.ndimage', 'threadpoolctl'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_calls_import_nothing():
    """What a call needs is there: a child forked during an import never gets the module."""
    code = textwrap.dedent(f"""
        import sys
        import numpy as np
        import pyconv, pyconv.filters, pyconv.nn
        from pyconv.nn import functional, grad
        before = set(sys.modules)
        x, w = np.ones((40, 40), "f4"), np.ones((5, 5), "f4")
        for method in {[name for name in METHODS if name != "im2col"]!r}:
            pyconv.correlate(x, w, method=method)
        for dtype in ("f2", "f8", "c8", "i4", "u1"):
            pyconv.correlate(x.astype(dtype), w.astype(dtype))
        pyconv.correlate([1.0, np.nan, 3.0], [1.0, 2.0], nan_policy="omit")
        pyconv.correlate(np.ones((9, 9, 9)), np.random.rand(3, 3, 3))
        pyconv.match_template(x, np.arange(25.0).reshape(5, 5))
        pyconv.filters.gaussian(x, 2.0)
        image, weight = np.ones((1, 4, 16, 16), "f4"), np.ones((4, 4, 3, 3), "f4")
        y = functional.conv2d(image, weight)
        grad.conv2d_input(image.shape, weight, y)
        grad.conv2d_weight(image, weight.shape, y)
        functional.max_pool2d(image, 2)
        pyconv.nn.Conv2d(4, 4, 3)(image)
        assert set(sys.modules) == before, set(sys.modules) - before
    """)
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- threads that cannot be created -------------------------------------------------------------

#: Every loop that shares work: its call on so many workers.
SHARING = """
import pyconv.nn.functional as f
import pyconv.nn.grad as g
import pyconv.kernels
from pyconv import filters, ndimage
from pyconv._engine import planner, threads
from pyconv._engine.algorithms import LAYER_ALGORITHMS
from pyconv._engine.machine import MACHINE
MACHINE.seconds_per_thread = 1e-9  # as many as are allowed, for the smallest work
x, w = picture(300, 7)
whole = (x * 200).astype("uint8")
gaps = np.where(x > 0.9, np.float32(np.nan), x)
planes, weights = rng.random((2, 16, 40, 40), "float32"), rng.random((16, 16, 3, 3), "float32")
lone = rng.random((16, 1, 3, 3), "float32")
pooled, where = f.max_pool2d(planes, 2, return_indices=True, workers=1)
smaller = f.avg_pool2d(planes, 2, workers=1)
CALLS = {method: lambda n, method=method: pyconv.correlate(x, w, method=method, workers=n)
         for method in ("direct", "fft", "im2col")}
CALLS |= {
    "box": lambda n: pyconv.correlate(x, np.ones((9, 9), "f4"), method="box", workers=n),
    "separable": lambda n: pyconv.correlate(
        x, np.outer(w[0], w[1]), method="separable", rtol=1e-3, workers=n),
    "recursive": lambda n: pyconv.correlate(
        x, pyconv.kernels.gaussian(9), method="recursive", rtol=1e-2, workers=n),
    "omit": lambda n: pyconv.correlate(gaps, w, "same", nan_policy="omit", workers=n),
    "omit, fft": lambda n: pyconv.correlate(
        gaps, x[:40, :40], "same", nan_policy="omit", method="fft", workers=n),
    "template": lambda n: pyconv.match_template(x, x[:9, :9], workers=n),
    "means": lambda n: filters.box(whole, 9, workers=n),
    "fixed": lambda n: by_default(n, lambda: ndimage.gaussian_filter(whole, 2)),
    "truncated": lambda n: by_default(n, lambda: ndimage.correlate(whole.astype("i4"), w * 3)),
    "relu": lambda n: f.relu(planes, workers=n),
    "pools": lambda n: f.max_pool2d(planes, 2, workers=n),
    "means of windows": lambda n: f.avg_pool2d(planes, 3, workers=n),
    "gradient of pools": lambda n: g.max_pool2d_input(planes.shape, where, pooled, workers=n),
    "gradient of means": lambda n: g.avg_pool2d_input(planes.shape, smaller, 2, workers=n),
    "weights": lambda n: g.conv2d_weight(planes, weights.shape, planes, padding=1, workers=n),
}
for algorithm in LAYER_ALGORITHMS:
    for each, groups in ((weights, 1), (lone, 16)):
        def call(n, method=algorithm.name, each=each, groups=groups):
            return f.conv2d(planes, each, padding=1, groups=groups, method=method, workers=n)
        try:
            call(1)
        except ValueError:
            continue
        CALLS[f"{algorithm.name}, {groups} groups"] = call
def by_default(n, call):
    with pyconv.set_workers(n):
        return call()
EXPECTED = {name: call(1) for name, call in CALLS.items()}
def attempt(n):
    results = {}
    for name, call in CALLS.items():
        try:
            results[name] = call(n)
        except MemoryError:
            pass
    return results
def check(results):
    for name, result in results.items():
        assert np.array_equal(result, EXPECTED[name], equal_nan=True), name
    return len(CALLS) - len(results)
def limited(limit, amount):
    import resource
    resource.setrlimit(limit, (amount, resource.getrlimit(limit)[1]))
"""


@linux
def test_every_loop_that_shares_is_tried():
    """The table above has each of the loops, by its name for the rest of these tests."""
    names = run(SHARING + "print(*(name.split()[0].strip(',') for name in CALLS))")
    assert {"direct", "fft", "im2col", "box", "separable", "recursive", "omit", "template"} < {
        *names
    }
    assert {"means", "fixed", "truncated", "relu", "pools", "gradient", "weights"} < {*names}
    assert {"blocked", "depthwise", "depthwise_lanes", "winograd4", "winograd2"} < {*names}


@linux
@pytest.mark.parametrize("workers", [2, 64])
def test_no_thread_can_be_created(workers):
    """A limit of threads, for a user who is not root: the caller does it all, to the same bits."""
    run(
        SHARING
        + textwrap.dedent(f"""
        import resource
        limited(resource.RLIMIT_NPROC, 1)
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            threading.Thread(target=print).start()
        except RuntimeError:
            pass
        else:
            raise AssertionError("the limit does not hold")
        assert check(attempt({workers})) == 0
        if threads._pool and threads._pool.is_used():
            assert threads._pool.created() == 0
        """),
        OPENBLAS_NUM_THREADS="1",
    )


@linux
@pytest.mark.parametrize("room", [0, 1, 4, 16, 64])
def test_no_memory_for_threads(room):
    """A limit of addresses, in MiB beyond what is there: an answer or MemoryError, then answers."""
    run(
        SHARING
        + textwrap.dedent(f"""
        import resource
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        for n in (64, 2, 64):
            limited(resource.RLIMIT_AS, used + ({room} << 20))
            results = attempt(n)
            limited(resource.RLIMIT_AS, resource.RLIM_INFINITY)
            refused = check(results)
            del results
            assert refused < len(CALLS) or not {room}
        assert check(attempt(3)) == 0
        """),
        OPENBLAS_NUM_THREADS="1",
    )


@linux
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_NPROC"])
def test_pools_of_threads_under_a_limit(limit):
    """Python's threads call at once, and no thread or no memory is left: answers or MemoryError."""
    run(
        SHARING
        + textwrap.dedent(f"""
        import resource
        from concurrent.futures import ThreadPoolExecutor
        together = threading.Barrier(4)
        with ThreadPoolExecutor(4, initializer=together.wait) as pool:
            list(pool.map(abs, range(4)))  # its threads are there
            if {limit!r} == "RLIMIT_NPROC":
                limited(resource.RLIMIT_NPROC, 1)
                if os.getuid() == 0:
                    os.setuid(65534)
            else:
                with open("/proc/self/statm") as file:
                    used = int(file.read().split()[0]) * resource.getpagesize()
                limited(resource.RLIMIT_AS, used + (16 << 20))
            results = list(pool.map(attempt, (64, 2, 3, 8)))
            if {limit!r} == "RLIMIT_AS":
                limited(resource.RLIMIT_AS, resource.RLIM_INFINITY)
            refused = [check(each) for each in results]
            assert not any(refused) or {limit!r} == "RLIMIT_AS"
            del results
            assert all(check(each) == 0 for each in pool.map(attempt, (3, 2)))
        """),
        OPENBLAS_NUM_THREADS="1",
    )
