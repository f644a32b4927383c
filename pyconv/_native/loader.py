"""Import ONE variant of the loops: the widest that the CPU can run, or ``PYCONV_ISA``."""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType
from typing import TYPE_CHECKING

from pyconv._native import cpu
from pyconv._native.isa import FAMILIES, ISAS, Isa


def runnable() -> list[str]:
    """Return the names of the built variants that this CPU can run, widest last."""
    features = set(cpu.features())
    return [isa.name for isa in ISAS if features.issuperset(isa.features) and _is_built(isa)]


def _is_built(isa: Isa) -> bool:
    # The package of a variant is empty: to find a module in it runs none of its instructions.
    return importlib.util.find_spec(f"pyconv._native.{isa.name}.{FAMILIES[0]}") is not None


def load(name: str) -> ModuleType:
    """Import the variant ``name``; its start-up code already uses the instructions.

    Returns
    -------
    module
        The package of the variant, with the names of every family of loops in it.

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
    package = importlib.import_module(f"pyconv._native.{name}")
    for family in FAMILIES:
        loops = importlib.import_module(f"pyconv._native.{name}.{family}")
        vars(package).update((k, v) for k, v in vars(loops).items() if not k.startswith("_"))
    return package


def _widest() -> str:
    """Return the widest variant, where any is built: a build may have been interrupted."""
    able = runnable()
    if not able:
        from pyconv._native.unbuilt import unbuilt_error

        raise unbuilt_error()
    return able[-1]


if TYPE_CHECKING:  # every variant has this interface
    from pyconv._native import loops

    native = loops
else:
    #: The loops in use.
    native = load(os.environ.get("PYCONV_ISA") or _widest())
