"""Count what the compiler has made of the inner loops of the micro-kernels, for 64-bit ARM.

    python tools/arm loops                   # every loop of vector products, and what is too much
    python tools/arm loops matrix_8_2        # those of functions whose name has that

A multiply-add is worth its loads: a register tile that spills, or that makes a vector of a number
where `fmla` takes it by element, costs more than the arithmetic. Instructions need no clock, and
are the same on every machine that has the compiler. The exit status is 1 where a limit is broken.
"""

from __future__ import annotations

import contextlib
import re
import runpy
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parents[2]
NATIVE = HERE / "pyconv" / "_native"
COMPILER, DISASSEMBLER = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-objdump"
#: The headers of register tiles.
HEADERS = (
    "stencil", "matrix", "winograd", "depthwise_lanes", "row_filter", "product", "recursive", "fft",
    "gaps", "phases",
)  # fmt: skip
#: Functions whose largest loop keeps its sums in registers, and the most instructions that it may
#: have for each vector product. GCC 12 makes 1.55 to 1.88 of the first, 2.06, and 4.2.
LIMITS = {
    r"(?:area|line)_\w+": 2.0,
    r"(?:matrix|taps|dots)_8_2_\w+": 2.0,
    r"pixels_8_2_\w+": 2.2,
    r"product_12_2_\w+": 2.0,
    r"columns_(?:float|double|int16)": 4.5,
}

FUNCTION = re.compile(r"^[0-9a-f]+ <(\w+)(?:\.\w+)*>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t(\S+)(?:\t(.*))?$")
TARGET = re.compile(r"\b([0-9a-f]+) <")
BRANCHES = ("b", "cbz", "cbnz", "tbz", "tbnz")
#: Products of scalars; those of addresses are none of a loop's own.
SCALAR = ("fmadd", "fmsub", "fnmadd", "fnmsub", "fmul", "mul", "madd", "umulh")
#: Fewer vector products than these are no loop of a tile.
LEAST = 4


class Loop(NamedTuple):
    """What an innermost loop has in it."""

    function: str
    instructions: int
    #: Vector multiply-adds, and other vector products.
    products: int
    loads: int
    #: Loads of a number into all lanes, and copies of a lane into all.
    spreads: int
    #: Accesses to the stack: what registers had no room for.
    stack: int
    scalar: int


def disassembled(source: Path) -> str:
    """Return the instructions that a C file becomes with the options of setup.py."""
    with contextlib.chdir(HERE):
        options = runpy.run_path("setup.py", run_name="read")["COMPILE_OPTIONS"]
    compiled = source.with_suffix(".o")
    subprocess.run(
        [COMPILER, *options, "-fPIC", "-fwrapv", "-DNDEBUG", "-w", "-fkeep-static-functions",
         f"-I{NATIVE}", "-c", str(source), "-o", str(compiled)],
        check=True,
    )  # fmt: skip
    return subprocess.run(
        [DISASSEMBLER, "-d", "--no-show-raw-insn", str(compiled)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def innermost(text: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the function and the instructions of each loop that has no other one in it."""
    name, lines = "", []
    for line in [*text.splitlines(), "0 <end>:"]:
        if found := FUNCTION.match(line):
            at = {address: i for i, (address, _, _) in enumerate(lines)}
            spans = []
            for i, (_, word, rest) in enumerate(lines):
                target = TARGET.search(rest) if word.split(".")[0] in BRANCHES else None
                start = at.get(int(target[1], 16)) if target else None
                if start is not None and start <= i:
                    spans.append((start, i))
            for a, b in spans:
                if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in spans):
                    yield name, [(word, rest) for _, word, rest in lines[a : b + 1]]
            name, lines = found[1], []
        elif found := INSTRUCTION.match(line):
            lines.append((int(found[1], 16), found[2], found[3] or ""))


def loops(text: str) -> list[Loop]:
    """Return the innermost loops of vector products."""
    found = []
    for function, lines in innermost(text):
        vector = [(word, rest) for word, rest in lines if re.match(r"v\d", rest)]
        loop = Loop(
            function,
            len(lines),
            sum(
                word in ("fmla", "fmls", "mla", "mls", "fmul", "mul") or word.startswith("umlal")
                for word, _ in vector
            ),
            sum(
                word in ("ld1", "ld2") or (word in ("ldr", "ldp", "ldur") and rest.startswith("q"))
                for word, rest in lines
            ),
            sum(word in ("dup", "ld1r") for word, _ in lines),
            sum("[sp" in rest or "[x29" in rest for _, rest in lines),
            sum(word in SCALAR and not re.match(r"v\d", rest) for word, rest in lines),
        )
        if loop.products + loop.scalar >= LEAST:
            found.append(loop)
    return found


def of_headers(*names: str) -> list[Loop]:
    """Return the loops of headers of micro-kernels."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "loops.c")
        source.write_text("".join(f'#include "{name}.h"\n' for name in names))
        return loops(disassembled(source))


def broken(found: list[Loop]) -> list[str]:
    """Return what is above a limit, a sentence each."""
    said = []
    largest: dict[str, Loop] = {}
    for loop in found:
        if loop.products + loop.scalar >= sum(largest.get(loop.function, loop)[i] for i in (2, 6)):
            largest[loop.function] = loop
    for function, loop in largest.items():
        limit = next((v for name, v in LIMITS.items() if re.fullmatch(name, function)), None)
        if limit is None:
            continue
        if loop.stack:
            said.append(f"{function}: {loop.stack} accesses to the stack")
        if loop.scalar:
            said.append(f"{function}: {loop.scalar} products of scalars")
        if loop.instructions > limit * loop.products:
            said.append(
                f"{function}: {loop.instructions} instructions for {loop.products} products, "
                f"more than {limit} for each"
            )
    return said


def missing() -> str:
    """Return what a check needs and this machine lacks, or ""."""
    names = [name for name in (COMPILER, DISASSEMBLER) if not shutil.which(name)]
    if not names:
        probe = ["-xc", "-fsyntax-only", "-include", "math.h", "/dev/null"]
        if subprocess.run([COMPILER, *probe], capture_output=True, check=False).returncode:
            names = ["the headers of libc6-dev-arm64-cross"]
    return ", ".join(names)


def main(only: str = "") -> int:
    """Run the command."""
    if lacking := missing():
        raise SystemExit(f"missing: {lacking}")
    found = of_headers(*HEADERS)
    print(f"{'function':32} {' '.join(Loop._fields[1:])}")
    for loop in found:
        if only in loop.function:
            row = zip(Loop._fields[1:], loop[1:], strict=True)
            print(f"{loop.function:32} {' '.join(f'{n:>{len(name)}}' for name, n in row)}")
    said = broken(found)
    print("\n".join(said) or "no limit is broken")
    return int(bool(said))
