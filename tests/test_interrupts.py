"""Ctrl-C ends every call soon: signals are looked at while work is done, whatever the call does."""

import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import SOON

import pyconv
from tests import long_calls

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs timers that count processor time")

#: Processor time of a call after which it is interrupted: soon, or where most have ended.
ENOUGH = [
    pytest.param(1, 0.15, id="1"),
    pytest.param(2, 0.3, id="2", marks=pytest.mark.slow),
    pytest.param(1, 5.0, id="to the end", marks=pytest.mark.slow),
]


def unblocked():
    """Take signals as a program does that was started by hand, whatever the parent ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(("workers", "enough"), ENOUGH)
@pytest.mark.parametrize("group", long_calls.GROUPS)
def test_calls_look_at_signals(group, workers, enough):
    """No call of the group works for a second without; most are ended before they are done."""
    path = str(Path(pyconv.__file__).parent.parent)
    try:
        done = subprocess.run(
            [sys.executable, long_calls.__file__, group, str(workers), str(enough)],
            env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=3000,
            check=False,
            preexec_fn=unblocked,
        )
    except subprocess.TimeoutExpired as error:  # the child is killed
        pytest.fail(f"never looked at signals: {error.stdout[-200:]!r}")
    assert done.returncode == 0, done.stdout[-200:] + done.stderr[-2000:]
    lines = [line.rsplit(" ", 2) for line in done.stdout.splitlines()]
    late = {name: seconds for name, seconds, _ in lines if float(seconds) > SOON * workers}
    assert not late
    assert enough > 1 or sum(ended == "True" for *_, ended in lines) > len(lines) // 3


def test_every_public_function_is_there():
    """A function that has no call here, and is not said to be short, might never end."""
    called = {name.split()[0] for group in long_calls.GROUPS.values() for name, _ in group()}
    public = {
        f"{name}.{function}"
        for name, module in long_calls.MODULES.items()
        for function in module.__all__
        if not inspect.ismodule(getattr(module, function))
    }
    assert public - called - long_calls.SHORT == set()
    assert called - public == {"nn.fit"}


def test_every_algorithm_is_there():
    """Of correlations, of layers and of gradients for weights."""
    called = {name for group in long_calls.GROUPS.values() for name, _ in group()}
    for prefix, algorithms in (
        ("pyconv.correlate", long_calls.ALGORITHMS),
        ("functional.conv2d", long_calls.LAYER_ALGORITHMS),
        ("grad.conv2d_weight", long_calls.WEIGHT_GRADIENT_ALGORITHMS),
    ):
        for algorithm in algorithms:
            assert any(name.startswith(f"{prefix} {algorithm.name}") for name in called)
