"""What this machine can do: the rates that predicted times are made of."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(slots=True)
class Machine:
    """Rates of one core. The defaults were measured on a Zen 4 core of a 2023 server.

    They are the same wherever pyconv runs, so that a call chooses the same algorithm, and returns
    the same bits, in every process; `tune_machine` puts what it has measured in their place.
    """

    #: Multiply-adds per second of the vector loops, in bytes of operands: a float32
    #: multiply-add is 4 bytes, so that float64 runs at half the rate.
    direct_bytes_per_second: float = 160e9
    #: The same for a BLAS matrix product with one row, which reads each operand once.
    gemv_bytes_per_second: float = 10e9
    #: A stage of a Fourier transform, there and back, of two real tiles held as one complex: in
    #: bytes of the samples of one. AVX-512 and AVX2 reached the same.
    fft_rate: float = 20e9
    #: What stays in the cache of one core.
    cache_bytes: float = 1 << 20
    #: Streaming copy, both directions counted.
    copy_bytes_per_second: float = 13e9
    #: NumPy's gather, product and sum of one tap of one output.
    numpy_seconds_per_product: float = 3e-9
    #: A thread is worth waking for this much work. To wake one that sleeps took 20 microseconds,
    #: and beside a busy process two threads had gained nothing on calls of less than 0.2 ms.
    seconds_per_thread: float = 100e-6

    def take(self, rates: Mapping[str, float]) -> None:
        """Take these rates from now on; those that are not given return to their defaults."""
        for name, default in _DEFAULTS.items():
            setattr(self, name, float(rates.get(name, default)))

    def threads_for(self, seconds: float) -> int:
        """Return how many threads are worth waking for so many seconds of work of one."""
        return max(1, int(seconds / self.seconds_per_thread))


MACHINE = Machine()

_DEFAULTS = asdict(Machine())
#: Machines are no more than so many times faster or slower than the defaults say.
_MAX_TIMES = 1e6


def are_plausible(rates: object) -> bool:
    """Return whether these are rates by name, each one that a machine could have.

    A file may hold anything: predictions by an extreme number would overflow in every call.
    """
    return isinstance(rates, dict) and all(
        type(rate) in (int, float)
        and (
            name not in _DEFAULTS
            or _DEFAULTS[name] / _MAX_TIMES <= rate <= _DEFAULTS[name] * _MAX_TIMES
        )
        for name, rate in rates.items()
    )


def cpu_name() -> str:
    """Return what the processor calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
