"""The source tree that the tests lie in, or none: they also run alone, beside an installed package.

A test that reads files of the source asks here for them, and is skipped where they are not there.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
#: The root of the source tree, or None where the folder of tests lies alone.
ROOT = TESTS.parent if (TESTS.parent / "setup.py").exists() else None
REASON = "needs the source tree: the folder of tests lies alone"

needed = pytest.mark.skipif(ROOT is None, reason=REASON)
#: The sources of the loops; a path that leads nowhere where there are none.
NATIVE = (ROOT or TESTS.parent) / "pyconv" / "_native"


def required(folder="."):
    """Return the root of the source tree; skip the module that asks where it lacks the folder."""
    if ROOT is None:
        pytest.skip(REASON, allow_module_level=True)
    if not (ROOT / folder).is_dir():
        pytest.skip(f"the source tree has no {folder}", allow_module_level=True)
    return ROOT


def file(name):
    """Return the path of a file of the source tree; skip the test that asks where it is missing.

    A source archive has no workflows.
    """
    if ROOT is None:
        pytest.skip(REASON)
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"the source tree has no {name}")
    return path
