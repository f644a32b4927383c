"""The pool orders what shares write and callers read: ThreadSanitizer and AddressSanitizer watch.

``pool.c`` and ``pool_race.c`` are compiled together, where GCC or Clang and the sanitizer are.
"""

import os
import shutil
import subprocess
import sys

import pytest
import source_tree
from processes import without_sanitizers

COMPILER = (os.environ.get("CC") or "gcc").split()

pytestmark = [
    source_tree.needed,
    pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which(COMPILER[0]),
        reason="needs a compiler of Linux",
    ),
]


def run(tmp_path, sanitizer, *flags):
    """Compile and run the program; skip where the sanitizer is missing, or finds no room."""
    program = tmp_path / "race"
    sources = [str(source_tree.TESTS / "pool_race.c"), str(source_tree.NATIVE / "pool.c")]
    compiled = subprocess.run(
        [*COMPILER, "-std=gnu11", "-O1", "-g", f"-fsanitize={sanitizer}", "-DPOOL_CAUTION=0",
         *flags, f"-I{source_tree.NATIVE}", *sources, "-o", str(program), "-pthread"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if compiled.returncode:
        pytest.skip(f"the compiler has no {sanitizer} sanitizer")
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []  # addresses that are not random
    result = subprocess.run(
        [*fixed, str(program)],
        capture_output=True, text=True, check=False, timeout=300, env=without_sanitizers(),
    )  # fmt: skip
    if "unexpected memory mapping" in result.stderr or "personality" in result.stderr:
        pytest.skip("addresses are random")
    return result


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_shares_of_many_callers(sanitizer, tmp_path):
    """No race, no access outside, every share done once, some of them by the pool's threads."""
    result = run(tmp_path, sanitizer)
    assert result.returncode == 0, result.stdout + result.stderr[:3000]
    assert result.stdout.startswith("0 shares wrong")


def test_a_race_is_reported(tmp_path):
    """Shares that add to one number without order: the check is able to fail."""
    assert "data race" in run(tmp_path, "thread", "-DUNORDERED").stderr
