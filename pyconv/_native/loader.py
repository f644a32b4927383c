"""Import ONE variant of the loops: the widest that the CPU can run, or ``PYCONV_ISA``."""

import importlib
import importlib.util
import os
from types import ModuleType

from pyconv._native import cpu  # type: ignore[attr-defined]  # compiled
from pyconv._native.isa import ISAS, Isa


def runnable() -> list[str]:
    """Return the names of the built variants that this CPU can run, widest last."""
    features = set(cpu.features())
    return [isa.name for isa in ISAS if features.issuperset(isa.features) and _is_built(isa)]


def _is_built(isa: Isa) -> bool:
    return importlib.util.find_spec(f"pyconv._native.{isa.name}") is not None


def load(name: str) -> ModuleType:
    """Import the variant ``name``; its start-up code already uses the instructions.

    Raises
    ------
    ImportError
        If the variant is unknown or this CPU or build cannot run it.
    """
    able = runnable()
    if name not in able:
        raise ImportError(
            f"PYCONV_ISA={name!r} cannot run here; this CPU and build can run {', '.join(able)}"
        )
    return importlib.import_module(f"pyconv._native.{name}")


#: The loops in use.
native = load(os.environ.get("PYCONV_ISA") or runnable()[-1])
