"""Count the instructions of calls under valgrind's callgrind: the same number in every run.

A process is started under valgrind once. It asks callgrind, by client requests, to begin at zero
before a few repeats of a call and to write the sum after them; what the repeats of an empty call
take is subtracted. Nothing but those calls is counted: no start of Python, no import.
"""

import ctypes
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

#: Valgrind 3.19 has no AVX-512.
ISA = "avx2"
#: glibc clears long blocks by one instruction, which valgrind counts once a byte. By vectors it is
#: counted as what it takes.
VECTORS = (
    "glibc.cpu.x86_rep_stosb_threshold=1073741824:glibc.cpu.x86_rep_movsb_threshold=1073741824"
)
#: Repeats that are summed: what one call in many does (growing a dictionary) hardly counts.
REPEATS = 3
#: Client requests are instructions that valgrind knows; only a C compiler writes them.
REQUESTS = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; }
void zero(void) { CALLGRIND_ZERO_STATS; }
void dump(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
"""
_EMPTY = "(empty)"


class MissingToolError(Exception):
    """What counting needs is not installed here."""


def build_requests(folder: Path) -> Path:
    """Compile the client requests; return the library."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or shutil.which("valgrind") is None:
        raise MissingToolError("counting instructions needs valgrind and a C compiler")
    source, library = folder / "requests.c", folder / "requests.so"
    source.write_text(REQUESTS)
    command = [compiler, "-O1", "-shared", "-fPIC", str(source), "-o", str(library)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        raise MissingToolError(f"valgrind's header does not compile: {built.stderr.strip()}")
    return library


def run_counted(arguments: list[str]) -> dict[str, float]:
    """Run ``python ARGUMENTS LIBRARY`` under callgrind; return the instructions of each call.

    The program is to hand its calls, and LIBRARY, to `count`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = build_requests(folder)
        command = [
            "valgrind",
            "--quiet",
            "--tool=callgrind",
            "--instr-atstart=no",
            f"--callgrind-out-file={folder / 'out'}",
            sys.executable,
            *arguments,
            str(library),
        ]
        ran = subprocess.run(command, env=_environment(), check=False)
        if ran.returncode:
            raise MissingToolError(f"the counted process ended with status {ran.returncode}")
        dumps = sorted(folder.glob("out.*"), key=lambda file: int(file.suffix[1:]))
        return parse(file.read_text() for file in dumps)


def _environment() -> dict[str, str]:
    """Return an environment that leaves nothing to chance: hashes, threads, the ISA."""
    fixed = {
        "PYTHONHASHSEED": "0", "PYCONV_ISA": ISA, "PYTHONPATH": os.curdir,
        "GLIBC_TUNABLES": VECTORS,
    }  # fmt: skip
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {k: v for k, v in os.environ.items() if k != "PYCONV_WISDOM"} | fixed | threads


def count(calls: Mapping[str, Callable[[], object]], library: str) -> None:
    """Let callgrind write what each call takes; this runs in the counted process."""
    requests = ctypes.CDLL(library)
    calls = {_EMPTY: lambda: None} | dict(calls)
    requests.begin()
    gc.disable()
    for name, call in calls.items():
        call()  # plans, workspace and ctypes' look-up of a name are kept from here on
        requests.zero()
        for _ in range(REPEATS):
            call()
        requests.dump(name.encode())


def parse(dumps: Iterator[str]) -> dict[str, float]:
    """Return the instructions a call of callgrind's dumps, without those of the empty call.

    Of a dump that a client request asked for, these lines matter::

        desc: Trigger: Client Request: NAME
        totals: 123456
    """
    totals = {}
    for text in dumps:
        name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
        total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
        if name is not None and total is not None:
            totals[name[1]] = int(total[1])
    empty = totals.pop(_EMPTY)
    return {name: (total - empty) / REPEATS for name, total in totals.items()}
