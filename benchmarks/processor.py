"""What the processor says of itself: every table names it, as figures hold for one kind alone.

Names alone may say little: a virtual machine calls each kind ``Intel(R) Xeon(R) Processor``.
"""

import re
from pathlib import Path

from pyconv._engine.machine import cpu_name

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def described() -> str:
    """Return the name, its numbers and the sizes of its caches, as far as the system tells."""
    return ", ".join([cpu_name(), *_numbers(), *_caches()])


def _numbers() -> list[str]:
    try:
        text = CPUINFO.read_text(encoding="utf-8")
    except OSError:
        return []
    found = [
        re.search(rf"^{name}\s*: (\S+)$", text, re.MULTILINE)
        for name in ("cpu family", "model", "stepping")
    ]
    if not all(found):
        return []
    family, model, stepping = (each.group(1) for each in found if each)
    return [f"family {family} model {model} stepping {stepping}"]


def _caches() -> list[str]:
    sizes = []
    for folder in sorted(CACHES.glob("index*")):
        try:
            level, kind, size = (
                (folder / name).read_text().strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction":
            sizes.append(f"L{level} {size}")
    return sizes
