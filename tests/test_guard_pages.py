"""No loop reads or writes a byte outside x, w and out, in any variant.

Pages without access lie beside the arrays; the sweep runs in a process of its own, which an
access outside would kill.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ABOVE_LOOPS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect of Linux")
SWEEP = Path(__file__).with_name("guard_pages.py")


def run(isa, *arguments):
    """Run the sweep in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", str(SWEEP), *arguments],
        env=os.environ | {"PYCONV_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("isa", ABOVE_LOOPS)
@pytest.mark.parametrize("parts", [(), pytest.param(("--whole",), marks=pytest.mark.slow)])
def test_no_access_outside(isa, parts):
    """The tables with x, w and out flush against the guard, at their end and their start."""
    result = run(isa, *parts)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.strip() == isa


def test_the_guard_kills():
    """One byte past the end ends the process: the sweep is able to fail."""
    assert run("baseline", "--touch").returncode == -signal.SIGSEGV
