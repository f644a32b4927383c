"""Every public way to a loop, from many threads at once: the bits are those of the call alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import stress

from pyconv._native import loader

SCRIPT = Path(__file__).with_name("stress.py")


def run(*arguments, isa=None):
    """Run the script in a process of its own, which a deadlock would not hold up for ever."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(SCRIPT), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "3"} | ({"PYCONV_ISA": isa} if isa else {}),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.mark.parametrize("isa", loader.runnable())
def test_everything_at_once(isa):
    """Caches that are filled and cleared, plans that are shared, numbers of workers that differ."""
    result = run("--threads", "6", "--rounds", "2", isa=isa)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forks_while_everything_is_called():
    """A child that is forked in the middle of the calls of others computes the same bits."""
    result = run("--threads", "3", "--rounds", "2", "--forks", "3")
    assert result.returncode == 0, result.stdout + result.stderr


def test_other_bits_are_noticed(monkeypatch):
    """The comparison is able to fail."""
    answers = iter([b"right", b"right", b"wrong"])

    class Array:
        @staticmethod
        def tobytes():
            return next(answers, b"right")

    monkeypatch.setattr(stress, "CALLS", {"a call": Array})
    assert stress.stress(1, 2, 0) == ["a call: other bits"]
