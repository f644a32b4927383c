"""How many threads a call may use: affinity, cgroup quota, ``OMP_NUM_THREADS``, the caller.

And what a fork in one thread must not find half done in another.
"""

import functools
import importlib
import operator
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

_default: ContextVar[int | None] = ContextVar("pyconv_workers", default=None)
_MOST_THREADS = 64
_forked = False
_running = 0


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


def import_in_call(name: str) -> ModuleType:
    """Import a module in the middle of a call.

    Python never opens the lock of a module that another thread was importing when the process
    forked, and a child that wants the module would wait for ever.
    """
    with _fork_waits:
        return importlib.import_module(name)


def _after_fork_in_child() -> None:
    # OpenMP's threads do not survive a fork, and libgomp waits for them for ever.
    global _forked, _running, _blas_calls
    _forked = True
    _running = 0
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


def _checked(workers: int) -> int:
    try:
        if isinstance(workers, bool):
            raise TypeError
        workers = operator.index(workers)
    except TypeError:
        raise TypeError(f"workers={workers!r}: an integer is allowed") from None
    if workers == 0 or workers < -available_cpus():
        raise ValueError(
            f"workers={workers}: allowed are positive numbers and "
            f"-1 (all CPUs) to -{available_cpus()}"
        )
    return workers


def resolve(workers: int | None, useful: int) -> int:
    """Return the number of threads for a call that can keep ``useful`` of them busy."""
    if type(workers) is int and workers == 1:
        return 1
    explicit = workers if workers is not None else _default.get()
    if explicit is not None:
        count = _checked(explicit)
        if count < 0:
            count += 1 + available_cpus()
        # The OpenMP run-time ends the process if it cannot create the threads it is asked for.
        count = min(count, max(_MOST_THREADS, available_cpus()))
    elif useful <= 1:
        return 1
    else:
        # Calls that run at the same time share the CPUs instead of multiplying the threads.
        count = max(1, available_cpus() // (_running + 1))
        count = min(count, useful)
    return 1 if _forked else count


class _Running:
    """Counts a call among those that share the CPUs; a generator would take a microsecond more."""

    def __enter__(self) -> None:
        global _running
        _running += 1

    def __exit__(self, *reason: object) -> None:
        global _running
        _running -= 1


_counted = _Running()


def running() -> AbstractContextManager[None]:
    """Count this call among those that share the CPUs."""
    return _counted


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
    """Set the default number of threads inside a ``with`` block.

    Parameters
    ----------
    workers : int
        Threads that each call may use at most; negative counts from the number of CPUs this
        process may use, so that -1 means all of them.

    Raises
    ------
    TypeError, ValueError
        At once, if `workers` is not an integer, is zero, or counts below one.

    Examples
    --------
    >>> import pyconv
    >>> with pyconv.set_workers(1):
    ...     pyconv.get_workers()
    1
    """
    return _default_workers(_checked(workers))


@contextmanager
def _default_workers(count: int) -> Iterator[None]:
    token = _default.set(count)
    try:
        yield
    finally:
        _default.reset(token)


def get_workers() -> int:
    """Return the number of threads that a large call uses by default.

    Returns
    -------
    int
        The number set by `set_workers`; without it, the CPUs this process may use
        (affinity, cgroup quota, ``OMP_NUM_THREADS``), and one in a forked child.

    Examples
    --------
    >>> import pyconv
    >>> pyconv.get_workers() >= 1
    True
    """
    count = _default.get()
    if count is None:
        count = available_cpus()
    elif count < 0:
        count += 1 + available_cpus()
    return 1 if _forked else count
