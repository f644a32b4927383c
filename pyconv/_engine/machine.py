"""What this machine can do: the rates that predicted times are made of."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from pyconv._native import cpu, loader


@dataclass(slots=True)
class Machine:
    """Rates of one core. The defaults were measured on a Zen 4 core of a 2023 server.

    They do not change by themselves, so that a call chooses the same algorithm, and returns the
    same bits, in every process; `tune_machine` puts what it has measured in their place.
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


class Row(NamedTuple):
    """The rates of a kind of machine, where they differ from those of `Machine`, and its sizes."""

    #: The word for it, which ``PYCONV_MACHINE`` may be.
    name: str
    #: What the CPU says of its maker; the loops in use, empty for any.
    vendor: str
    isa: str
    rates: Mapping[str, float]
    #: Terms of an inner sum whose weights a layer's tile reads from the first cache: more are
    #: summed in chunks. It is no rate: ``rates`` does not measure it.
    chunk_terms: int = 320


#: The machines that were measured (``python -m benchmarks rates`` prints the row of another one).
#: The last row is for all that no other describes.
ROWS = (
    # A virtual machine on Sapphire Rapids, 2 MiB of level-2 cache, 2026-11-30.
    Row("intel-avx512", "GenuineIntel", "avx512", {
        "direct_bytes_per_second": 220e9, "gemv_bytes_per_second": 8e9, "fft_rate": 15e9,
        "cache_bytes": 2 << 20, "copy_bytes_per_second": 15e9,
    }, chunk_terms=256),
    Row("intel-avx2", "GenuineIntel", "avx2", {
        "direct_bytes_per_second": 145e9, "gemv_bytes_per_second": 8e9, "fft_rate": 11.5e9,
        "cache_bytes": 2 << 20, "copy_bytes_per_second": 15e9,
    }),
    Row("zen4", "", "", {}),
)  # fmt: skip


def chosen_row(asked: str, vendor: str, isa: str) -> Row:
    """Return the row that is asked for, or the first that describes a CPU and its loops."""
    for row in ROWS:
        if row.name == asked or (not asked and row.vendor in ("", vendor) and row.isa in ("", isa)):
            return row
    raise ValueError(
        f"PYCONV_MACHINE={asked!r} in the environment: "
        f"allowed are {', '.join(row.name for row in ROWS)}"
    )


#: What predictions are made of, unless something else was measured.
ROW = chosen_row(os.environ.get("PYCONV_MACHINE", "").strip(), cpu.vendor(), loader.native.ISA)
MACHINE = Machine(**ROW.rates)

_DEFAULTS = asdict(MACHINE)
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
