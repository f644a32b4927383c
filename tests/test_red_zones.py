"""A debug build ends the process when something is written behind a part of a workspace.

The tests of loops need such a build: `python -m tests.sanitized debug`, or `address`.
"""

import os
import shutil
import subprocess
import sys

import pytest
import source_tree
from processes import without_sanitizers

from pyconv._native import loader

LOOPS = sys.modules[f"pyconv._native.{loader.native.ISA}.windows"].__file__


def table():
    """Return where in the file of the loops the table of red zones is, or None."""
    if sys.platform != "linux" or not shutil.which("nm"):
        return None
    symbols = subprocess.run(["nm", LOOPS], capture_output=True, text=True, check=False).stdout
    found = [line.split()[0] for line in symbols.splitlines() if line.endswith(" workspace_zones")]
    return int(found[0], 16) if found else None


TABLE = table()
debug = pytest.mark.skipif(TABLE is None, reason="needs a debug build (PYCONV_DEBUG=1)")
COMPILER = (os.environ.get("CC") or "cc").split()

#: A call in one thread; another waits for its workspace, and writes to a byte of a red zone.
SCRIPT = """
import ctypes, os, sys, threading
import numpy as np, pyconv
path, table, method = sys.argv[1], int(sys.argv[2]), sys.argv[3]
zone, byte = map(int, sys.argv[4:])
with open("/proc/self/maps") as file:
    base = min(int(line.split("-")[0], 16) for line in file if line.rstrip().endswith(path))
zones = (ctypes.c_void_p * 8192).from_address(base + table)
x = np.ones((1500, 1500), "float32")
options = {"mode": "same", "method": method, "workers": 1}
call = threading.Thread(target=pyconv.correlate, args=(x, x[:41, :41]), kwargs=options)
call.start()
while call.is_alive() and not zones[zone]:
    pass
assert zones[zone], "the call is over"
print("found", flush=True)
if byte >= 0:
    ctypes.memset(zones[zone] + byte, 0, 1)
call.join()
print("ended")
"""


def run(method, zone, byte):
    """Run the script; `byte` −1 writes nothing."""
    arguments = [LOOPS, TABLE, method, zone, byte]
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        # A report of AddressSanitizer is expected, and goes to stderr.
        env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0", "PYCONV_ISA": loader.native.ISA},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@debug
@pytest.mark.parametrize("byte", [0, 255])
@pytest.mark.parametrize("zone", [0, 1])
def test_an_overrun_is_reported(zone, byte):
    """By the pattern when the workspace is put back, or by AddressSanitizer at once."""
    result = run("direct", zone, byte)
    assert result.stdout.startswith("found"), result.stderr[-3000:]
    assert result.returncode != 0
    assert "ended" not in result.stdout
    assert "a red zone was written to" in result.stderr or "use-after-poison" in result.stderr


@debug
def test_a_call_that_stays_inside_ends():
    """The zones of a call that keeps to its workspace are found whole."""
    result = run("direct", 0, -1)
    assert (result.returncode, result.stdout) == (0, "found\nended\n"), result.stderr[-3000:]


#: Two parts of 128 bytes in a block, each with its zone; a byte is written, and the block put back.
PROGRAM = """
#include "workspace.h"
int main(int count, char **words) {
    size_t part = 128 + WORKSPACE_ZONE, size = 2 * part;
    char *block = malloc(size);
    workspace_fill(block, size);
    workspace_guard(block + 128);
    workspace_guard(block + part + 128);
    if (count > 1) block[atoi(words[1])] = 0;
    workspace_check(block, size);
    for (int i = 0; i < WORKSPACE_ZONES; i++)
        if (workspace_zones[i]) return 1;
    return 0;
}
"""


@source_tree.needed
@pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which(COMPILER[0]), reason="needs a C compiler"
)
@pytest.mark.parametrize("sanitizer", [[], ["-fsanitize=address"]], ids=["pattern", "address"])
def test_every_byte_of_a_zone_counts(tmp_path, sanitizer):
    """Bytes of the parts may be written, the first and last of each zone may not."""
    program = tmp_path / "zones"
    (tmp_path / "zones.c").write_text(PROGRAM)
    built = subprocess.run(
        [*COMPILER, "-std=gnu11", "-DPYCONV_DEBUG", *sanitizer, f"-I{source_tree.NATIVE}",
         str(tmp_path / "zones.c"), "-o", str(program)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if built.returncode and sanitizer:
        pytest.skip("the compiler has no AddressSanitizer")
    assert built.returncode == 0, built.stderr
    variables = without_sanitizers() | {"ASAN_OPTIONS": "detect_leaks=0"}
    for byte, inside in {
        "": True, "0": True, "127": True, "128": False, "383": False, "384": True, "511": True,
        "512": False, "767": False,
    }.items():  # fmt: skip
        result = subprocess.run(
            [str(program), *byte.split()],
            capture_output=True, text=True, check=False, env=variables,
        )  # fmt: skip
        if inside:
            assert result.returncode == 0, (byte, result.stderr)
        else:
            assert result.returncode != 0, byte
            words = "use-after-poison" if sanitizer else "a red zone was written to"
            assert words in result.stderr, byte
