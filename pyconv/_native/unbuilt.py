"""What an import says where the loops are not compiled: a fresh checkout, or another Python."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

HERE = Path(__file__).parent


def installed(root: Path) -> Path | None:
    """Return the folder of another pyconv that Python would import, with compiled loops."""
    for entry in map(Path, sys.path):
        if any((entry / "pyconv" / "_native").glob("cpu.*")) and entry.resolve() != root.resolve():
            return entry
    return None


def unbuilt_error(folder: Path = HERE) -> ImportError:
    """Return the error of a package whose loops are not compiled for this Python.

    Its ``name`` lets ``python -m pyconv`` print the message without a traceback.
    """
    tag = sys.implementation.cache_tag or "this Python"
    built = sorted({path.name.split(".")[1] for path in folder.glob("cpu.*.*")})
    others = f"Here are loops for {', '.join(built)}. " if built else ""
    root = folder.parents[1]
    if (root / "setup.py").exists():
        python = shlex.quote(sys.executable or "python")
        advice = (
            f"To compile them (some minutes, with a C compiler), type in {root}:\n\n"
            f"    {python} -m pip install -v -e .\n"
        )
        if elsewhere := installed(root):
            advice = (
                f"Python found this source folder, {root}, before the package that is installed in "
                f"{elsewhere}. Start Python in another folder. {advice}"
            )
    else:
        command = "pip install --force-reinstall pyconv-nd"
        advice = f"To install the package again, type:\n\n    {command}\n"
    return ImportError(
        f"the loops of pyconv are not compiled for {tag}. {others}{advice}",
        name="pyconv",
        path=str(folder),
    )
