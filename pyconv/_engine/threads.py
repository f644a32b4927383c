"""How many threads a call may use: the caller, ``PYCONV_WORKERS``, the CPUs of the process.

And what a fork in one thread must not find half done in another.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import mmap
import operator
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

_resource: Any = None  # it is of POSIX
if importlib.util.find_spec("resource"):
    _resource = importlib.import_module("resource")

_pool: ModuleType | None = None  # the loops run on the compiler's OpenMP
if importlib.util.find_spec("pyconv._native.workers"):
    _pool = importlib.import_module("pyconv._native.workers")

#: Shares of one region of `_native/pool.c`.
_MAX_THREADS = 64
#: The forks between the process that imported this and the one that runs.
_forks = 0


class ForkedLock:
    """A lock that a forked child finds open: another thread of the parent may have held it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _locks.append(self)

    def renew(self) -> None:
        """Open the lock, whoever holds it."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Take the lock."""
        self._lock.acquire()

    def __exit__(self, *reason: object) -> None:
        """Give it back."""
        self._lock.release()


_locks: list[ForkedLock] = []


#: Held by who must be done before the process forks, and changes what belongs to the process: a
#: fork waits for it.
_fork_waits = threading.RLock()


def no_fork() -> AbstractContextManager[object]:
    """Return a context in which no thread of this process forks: a fork waits for its end.

    OpenBLAS stops its threads before a fork, and hangs if another thread is calling it meanwhile.
    """
    return _fork_waits


def import_in_call(name: str) -> ModuleType:
    """Import a module in the middle of a call.

    Python never opens the lock of a module that another thread was importing when the process
    forked, and a child that wants the module would wait for ever.
    """
    with _fork_waits:
        return importlib.import_module(name)


def _after_fork_in_child() -> None:
    global _forks, _blas_calls
    _forks += 1
    _callers.clear()
    _statements.clear()
    for lock in _locks:
        lock.renew()
    _fork_waits.release()
    if _blas_calls:  # of threads that are not here to put the setting back
        _blas_calls = 0
        _restore_blas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_fork_waits.acquire,
        after_in_parent=_fork_waits.release,
        after_in_child=_after_fork_in_child,
    )


@functools.cache
def _cgroup_quota() -> float:
    """Return the CPUs that the control group grants, infinity without a limit."""
    candidates = [Path("/sys/fs/cgroup")]
    try:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            root = "/sys/fs/cgroup" + ("/cpu" if "cpu" in controllers.split(",") else "")
            group = Path(root + path)
            candidates += [group, *group.parents]
    except (OSError, ValueError):
        pass
    quota = float("inf")
    for group in candidates:
        try:
            if (group / "cpu.max").exists():
                granted, period = (group / "cpu.max").read_text().split()
            else:
                granted = (group / "cpu.cfs_quota_us").read_text().strip()
                period = (group / "cpu.cfs_period_us").read_text().strip()
            if granted not in ("max", "-1"):
                quota = min(quota, int(granted) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return quota


def available_cpus() -> int:
    """Return how many CPUs this process may use (affinity, cgroup, ``OMP_NUM_THREADS``)."""
    if hasattr(os, "sched_getaffinity"):
        cpus: float = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    cpus = min(cpus, max(1.0, _cgroup_quota() + 0.5))
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if first.isdecimal() and int(first) > 0:
        cpus = min(cpus, int(first))
    return max(1, int(cpus))


def _checked(workers: object, argument: str = "workers") -> int:
    try:
        if isinstance(workers, bool):
            raise TypeError
        count = operator.index(workers)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{argument}={workers!r}: an integer is allowed") from None
    if count == 0 or count < -available_cpus():
        raise ValueError(
            f"{argument}={count}: allowed are positive numbers and "
            f"-1 (all CPUs) to -{available_cpus()}"
        )
    return count


def _environment() -> int | None:
    """Return the number in ``PYCONV_WORKERS``, None without one."""
    text = os.environ.get("PYCONV_WORKERS", "").strip()
    if not text:
        return None
    try:
        count = int(text)
    except ValueError:
        raise ValueError(
            f"PYCONV_WORKERS={text!r} in the environment: an integer is allowed, "
            f"positive or -1 (all CPUs) to -{available_cpus()}"
        ) from None
    return _checked(count, "PYCONV_WORKERS")


_environment()  # what it cannot be is said by the import, and not by the first large call


class _Block(AbstractContextManager[None]):
    """A number for blocks, which it may enter often and in many threads."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.forks = _forks

    def __enter__(self) -> None:
        """Set the number for this context."""
        _blocks.set((*_blocks.get(), self))

    def __exit__(self, *reason: object) -> None:
        """Set what was set before."""
        _blocks.set(_blocks.get()[:-1])


class _Workers(_Block):
    """A number that was set: for the process, or for a block as soon as one is entered."""

    def __enter__(self) -> None:
        """Take the number back from the process, and set it for this context."""
        with _statements_lock:
            _statements[:] = [each for each in _statements if each[1]() is not self]
        super().__enter__()


#: The blocks that this context is in, the innermost last.
_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("pyconv_workers", default=())
#: Numbers that no block has taken, the one that counts last, and the objects that a block may take
#: yet; those of statements are gone at once.
_statements: list[tuple[int, weakref.ref[_Workers]]] = []
_statements_lock = ForkedLock()


def _state(workers: _Workers) -> None:
    with _statements_lock:
        gone = [each for each in _statements if each[1]() is None]
        _statements[:] = [each for each in _statements if each[1]() is not None or each is gone[-1]]
        _statements.append((workers.count, weakref.ref(workers)))


def _default() -> int | None:
    """Return the threads that a call may use if it says nothing, None for the CPUs it can get."""
    blocks = _blocks.get()
    if blocks and blocks[-1].forks == _forks:
        return blocks[-1].count
    stated = _statements[-1:]
    if stated:
        return stated[0][0]
    count = _environment()
    # Whoever forks has something to run in each child, mostly one for each CPU.
    return 1 if count is None and _forks else count


def _threads(count: int) -> int:
    """Return the threads that a number of workers, checked, is good for."""
    if _forks and not (_pool and _pool.is_used()):
        return 1  # OpenMP's threads do not survive a fork, and libgomp waits for them for ever
    if count < 0:
        count += 1 + available_cpus()
    return min(count, _MAX_THREADS)


def _is_careful() -> bool:
    """Return whether other work has had the CPUs, so that the pool uses one thread for a while."""
    return bool(_pool and _pool.is_careful())


def resolve(workers: int | None, useful: int) -> int:
    """Return the number of threads for a call that can keep ``useful`` of them busy."""
    if type(workers) is int and workers == 1:
        return 1
    if workers is not None:
        return _threads(_checked(workers))
    if useful <= 1:
        return 1
    count = _default()
    if count is None:
        if _is_careful():
            return 1  # work that is cut for one thread takes less of it than work cut for two
        # Calls that run at the same time share the CPUs instead of multiplying the threads.
        count = max(1, available_cpus() // (len(_callers) + 1))
    return min(_threads(count), useful)


#: The calls that run on several threads; a set is changed by one instruction, where a number would
#: take a lock.
_callers: set[object] = set()


class _Running:
    """Counts a call among those that share the CPUs; a generator would take a microsecond more."""

    __slots__ = ()

    def __enter__(self) -> None:
        _callers.add(self)

    def __exit__(self, *reason: object) -> None:
        _callers.discard(self)


def running() -> AbstractContextManager[None]:
    """Count this call among those that share the CPUs."""
    return _Running()


_blas_calls = 0
_blas_limit: Any = None


@functools.cache
def _blas_controller() -> Any:
    """Return threadpoolctl's controller of the BLAS libraries in the process, None without it."""
    with _fork_waits:  # it goes through the libraries under a lock of the loader
        try:
            threadpoolctl = import_in_call("threadpoolctl")
        except ImportError:
            return None
        return threadpoolctl.ThreadpoolController()  # kept: making one takes a millisecond


def can_limit_blas() -> bool:
    """Return whether BLAS can be held to one thread (threadpoolctl is installed)."""
    return _blas_controller() is not None


#: Addresses that OpenBLAS takes for the products of one thread (128 MiB), and room beside them.
_BLAS_BYTES = 160 << 20


def blas_threads(workers: int) -> int:
    """Return how many of ``workers`` threads may multiply where addresses are limited.

    OpenBLAS crashes where it cannot map the buffer of one more thread.
    """
    if _resource is None or _resource.getrlimit(_resource.RLIMIT_AS)[0] == _resource.RLIM_INFINITY:
        return workers
    while workers > 1:
        try:
            others = max(1, min(workers, available_cpus()) - 1)
            mmap.mmap(-1, others * _BLAS_BYTES, prot=0).close()
        except OSError:
            workers //= 2
        else:
            break
    return workers


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, and put its setting back when the last such call ends.

    The setting belongs to the process: calls that overlap in time share one limit, or the
    first to end would restore it too early and the last would restore the limit itself.
    """
    global _blas_calls, _blas_limit
    controller = _blas_controller()
    if controller is None:
        yield
        return
    with _fork_waits:
        if _blas_calls == 0:
            _let_this_thread_set(controller)
            _blas_limit = controller.limit(limits=1, user_api="blas")
            _let_this_thread_set(controller)
        _blas_calls += 1
    try:
        yield
    finally:
        with _fork_waits:
            _blas_calls -= 1
            if _blas_calls == 0:
                _restore_blas()


def _restore_blas() -> None:
    controller = _blas_controller()
    _let_this_thread_set(controller)
    _blas_limit.restore_original_limits()
    _let_this_thread_set(controller)


def _let_this_thread_set(controller: Any) -> None:
    """Make the thread that sets a limit next the one that is heeded, and then none again.

    Of a pool that belongs to the process threadpoolctl 3.8 heeds the first thread that set a
    limit alone; the last call to end may be another's.
    """
    for library in controller.lib_controllers:
        clear = getattr(library, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)


def set_workers(workers: int) -> AbstractContextManager[None]:
    """Set the number of threads that calls use by default, for the process or in a ``with`` block.

    As a statement it holds from then on, for every thread of the process. As a context manager it
    holds inside the block, for the thread (to be exact, the `contextvars` context) that entered it,
    and goes before what a statement says.

    Parameters
    ----------
    workers : int
        Threads that each call may use at most; negative counts from the number of CPUs this
        process may use, so that -1 means all of them. Calls that are too small to share use fewer.

    Returns
    -------
    context manager
        It makes the number that of a block.

    Raises
    ------
    TypeError, ValueError
        At once, if `workers` is not an integer, is zero, or counts below one.

    See Also
    --------
    get_workers : the number in force, and what goes before what.

    Examples
    --------
    >>> import pyconv
    >>> with pyconv.set_workers(1):
    ...     pyconv.get_workers()
    1
    """
    chosen = _Workers(_checked(workers))
    _state(chosen)
    return chosen


def block(workers: int) -> AbstractContextManager[None]:
    """Return a context with a number of threads, as `set_workers`, that no statement holds."""
    return _Block(_checked(workers))


def get_workers() -> int:
    """Return the number of threads that a large call uses by default.

    Returns
    -------
    int
        The first of: the number of the innermost ``with set_workers(...)`` block; that of the last
        `set_workers` statement; that in the environment variable ``PYCONV_WORKERS``; one in a
        forked child; the CPUs that this process may use (affinity, cgroup quota,
        ``OMP_NUM_THREADS``). The argument `workers` of a call goes before all of them. Blocks and
        statements of a parent do not count in a forked child.

    Examples
    --------
    >>> import pyconv
    >>> pyconv.get_workers() >= 1
    True
    """
    count = _default()
    return _threads(available_cpus() if count is None else count)
