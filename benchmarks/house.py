"""python -m benchmarks house: the size of the source; the time of a build, an edit, an import."""

import ast
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.table import Table
from pyconv._native import loader

ROOT = Path(__file__).parents[1]
#: What a build and a test read.
COPIED = ("pyconv", "tests", "setup.py", "pyproject.toml", "README.md")
#: A header whose change compiles one family again, and the test that says whether it is right.
EDITED = "pyconv/_native/winograd_tile.h"
TEST = ("tests/test_winograd.py", "-k", "quick")


class Lines(NamedTuple):
    """The lines of a module by their kind."""

    docstrings: int
    signatures: int
    #: Neither of both, and neither blank nor a comment.
    bodies: int
    total: int


def add_parser(commands: Any) -> None:
    """Add the command ``house``."""
    parser = commands.add_parser(
        "house",
        help="lines of source, size, import, seconds of an edit, minutes of a build",
        description="Count the lines of the source by their kind, and measure what an "
        "installation, an import, an edit of a loop and a build from nothing take.",
    )
    parser.add_argument("--quick", action="store_true", help="build nothing")
    parser.set_defaults(run=run)


def run(given: Any) -> int:
    """Print the figures; return the exit status."""
    table = Table("figure", "value", "goal")
    modules = {path: count(path.read_text()) for path in sorted((ROOT / "pyconv").rglob("*.py"))}
    for kind in ("docstrings", "signatures", "bodies"):
        lines = sum(getattr(each, kind) for each in modules.values())
        table.row(f"lines of Python: {kind}", str(lines), "")
    native = ROOT / "pyconv" / "_native"
    for kind, suffixes in (("Cython", (".pyx", ".pxi", ".pxd")), ("C", (".h",))):
        files = [path for path in native.rglob("*") if path.suffix in suffixes]
        files += [native / "pool.c"] if kind == "C" else []
        table.row(f"lines of {kind}", str(sum(map(lines_of, files))), "")
    longest = max(modules, key=lambda path: modules[path].bodies)
    name = str(longest.relative_to(ROOT))
    table.row(f"longest module of bodies: {name}", str(modules[longest].bodies), "≤ 500")
    sources = (".c", ".pyx", ".pxi", ".pxd", ".h", ".md", ".pyc")
    files = [f for f in (ROOT / "pyconv").rglob("*") if f.is_file() and f.suffix not in sources]
    size = sum(file.stat().st_size for file in files)
    table.row("megabytes installed", f"{size / 1e6:.2f}", "≤ 10")
    table.row("milliseconds of an import beyond NumPy's", f"{import_seconds() * 1e3:.0f}", "≤ 50")
    if not given.quick:
        with tempfile.TemporaryDirectory() as folder:
            minutes, seconds = builds(Path(folder))
        table.row("CPU minutes of a build from nothing", f"{minutes:.1f}", "≤ 4")
        table.row(f"seconds from an edit of {EDITED} to a test of it", f"{seconds:.0f}", "≤ 40")
    return 0


def import_seconds() -> float:
    """Return the least seconds of ``import pyconv`` beside NumPy, from compiled modules."""
    code = (
        "import time, numpy; t = time.perf_counter(); import pyconv; print(time.perf_counter() - t)"
    )
    command = [sys.executable, "-c", code]
    with tempfile.TemporaryDirectory() as folder:
        variables = os.environ | {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        runs = (
            subprocess.check_output(command, cwd=ROOT, text=True, env=variables) for _ in range(7)
        )
        return min(map(float, runs))


def lines_of(path: Path) -> int:
    """Return how many lines of a file are not blank."""
    return sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())


def count(source: str) -> Lines:
    """Return the lines of a module by their kind."""
    docstrings: set[int] = set()
    signatures: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not node.body:
            continue
        first = node.body[0]
        if ast.get_docstring(node, clean=False) is not None:
            docstrings |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            end = max(first.lineno, node.lineno + 1)
            signatures |= set(range(node.lineno, end))
    lines = source.splitlines()
    written = {
        number
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.strip().startswith("#")
    }
    bodies = written - docstrings - signatures
    return Lines(len(docstrings), len(signatures - docstrings), len(bodies), len(lines))


def builds(folder: Path) -> tuple[float, float]:
    """Return the CPU minutes of a build of all variants, and the seconds of an edit and its test.

    In a copy of the source, without what was compiled before; ``CC`` is what it is.
    """
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            generated = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "[!p]*.c")
            shutil.copytree(source, folder / name, ignore=generated)
        else:
            shutil.copyfile(source, folder / name)
    environment = os.environ | {
        "PYCONV_BUILD_CACHE": str(folder / "extensions"),
        "PYTHONPATH": str(folder),
        "CCACHE_DISABLE": "1",
    }
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]

    def call(command: list[str], **variables: str) -> None:
        log = folder / "log"
        with log.open("w") as output:
            status = subprocess.run(
                command, cwd=folder, env=environment | variables, check=False,
                stdout=output, stderr=subprocess.STDOUT,
            ).returncode  # fmt: skip
        if status:
            raise SystemExit(log.read_text()[-3000:])

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call(build)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    minutes = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60
    isa = loader.runnable()[-1]
    with (folder / EDITED).open("a") as header:
        header.write("/* edited */\n")
    begun = time.perf_counter()
    call(build, PYCONV_BUILD_ISAS=isa)
    call([sys.executable, "-m", "pytest", "-q", "-n", "0", *TEST], PYCONV_ISA=isa)
    return minutes, time.perf_counter() - begun
