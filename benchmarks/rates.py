"""python -m benchmarks rates: the row of this machine for the table in ``machine.py``.

`pyconv.tune_machine` measures the rates several times, and the median of each is rounded to two
digits. Rates near those of the table's last row are left out. ``python -m benchmarks regret``, run
with such a row in place, says whether it chooses well.
"""

import argparse
import datetime
import math
import statistics
from dataclasses import asdict
from typing import Any

import pyconv
from pyconv._engine import machine
from pyconv._native import cpu, loader

#: How often the rates are measured.
TIMES = 9
#: Rates that differ by no more than this part are the same.
NEAR = 0.15


def add_parser(commands: Any) -> None:
    """Add the command."""
    commands.add_parser(
        "rates",
        help="the rates of this machine, as a row of pyconv's table",
        description="Measure the rates that predictions are made of, on an idle machine, and "
        "print them as a row for the table in pyconv/_engine/machine.py.",
    ).set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the row; return the exit status."""
    del arguments
    measured = [pyconv.tune_machine() for _ in range(TIMES)]
    print(row_text({name: statistics.median(m[name] for m in measured) for name in measured[0]}))
    return 0


def row_text(rates: dict[str, float]) -> str:
    """Return the row of these rates in Python, without those that are near the defaults."""
    defaults = asdict(machine.Machine())
    isa = loader.native.ISA
    words = [
        f'        "{name}": {_rounded(rate)},'
        for name, rate in rates.items()
        if abs(math.log(rate / defaults[name])) > NEAR
    ]
    return "\n".join(
        [
            f"    # {machine.cpu_name()}, {datetime.datetime.now(datetime.UTC).date()}.",
            f'    Row("NAME", "{cpu.vendor()}", "{isa}", {{',
            *words,
            "    }),",
        ]
    )


def _rounded(rate: float) -> str:
    """Return a number of two digits, in powers of a thousand."""
    exponent = 3 * math.floor(math.log10(rate) / 3)
    return f"{float(f'{rate:.2g}') / 10.0**exponent:.3g}e{exponent}"
