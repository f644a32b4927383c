"""Build the loops for a sanitizer in a folder of their own, and run tests under it.

    python -m tests.sanitized address                     # AddressSanitizer and UBSan, red zones
    python -m tests.sanitized portable                    # the same without vector types
    python -m tests.sanitized debug                       # red zones of bytes, no sanitizer
    python -m tests.sanitized plain                       # no vector types, no sanitizer
    python -m tests.sanitized thread                      # ThreadSanitizer: calls of many threads
    python -m tests.sanitized address --isa avx512 tests/test_layers.py -k pooling

What stands behind the name of a build goes to pytest; `--every 20` runs each twentieth test. The
environment needs the extra `test`, and GCC, or the compiler in ``CC``. The folder,
``build/sanitized/<build>-<isa>``, is kept: a change of one loop compiles one family again. The exit
status is that of the tests, or 1 if a sanitizer has reported something; reports are printed.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
#: What a build and its tests read.
COPIED = ("pyconv", "tests", "benchmarks", "docs", "setup.py", "pyproject.toml", "README.md")
#: Folders that Python and Sphinx write among them.
WRITTEN = ("__pycache__", "generated", "_build")
SUPPRESSIONS = Path(__file__).with_name("suppressions")
#: Tests of other subjects than the loops: pictures, texts, the build, timings of signals, torch.
LEFT_OUT = (
    "benchmarks", "build", "command_line", "examples", "house", "interrupts", "nn_models_torch",
    "nn_torch", "viz", "wheels",
)  # fmt: skip
#: A shadow of memory, ten times the time: what these measure is no longer so.
UNMEASURED = (
    "memory or allocation or allocat or torch or light or nothing_but or import_nothing"
    " or omp_num_threads or threads_never_exceed or ctrl_c or starts_no_thread or cap_is_kept"
    " or cap_of_the_reference or limits_are_kept or guard_kills or variant_is_runnable"
)
#: What a sanitizer says where NumPy refuses, as it should, an array that no memory holds.
REFUSED = "AddressSanitizer failed to allocate"


class Build(NamedTuple):
    """One build and how its tests are run."""

    #: What setup.py is told.
    variables: dict[str, str]
    #: Runtime libraries that must be loaded before Python's.
    libraries: tuple[str, ...]
    #: What is run where the command line names no tests.
    tests: tuple[str, ...]


#: Every test that calls loops, and those of them that a sanitizer does not disturb.
LOOPS = ("tests", *(f"--ignore=tests/test_{name}.py" for name in LEFT_OUT))
ALL = (*LOOPS, "-k", f"not ({UNMEASURED})")
#: Tests of every variant side by side, and of the width of its vectors, which plain C has not.
OTHER_BUILDS = "guard_kills or variant_is_runnable or forced_variant or vectors_of_their_variant"
ADDRESS = {"PYCONV_SANITIZE": "address,undefined", "PYCONV_DEBUG": "1"}
BUILDS = {
    "address": Build(ADDRESS, ("libasan.so", "libubsan.so"), ALL),
    "portable": Build(ADDRESS | {"PYCONV_PORTABLE": "1"}, ("libasan.so", "libubsan.so"), ALL),
    "debug": Build({"PYCONV_DEBUG": "1"}, (), ALL),
    # As MSVC compiles the loops.
    "plain": Build({"PYCONV_PORTABLE": "1"}, (), (*LOOPS, "-k", f"not ({OTHER_BUILDS})")),
    "thread": Build(
        {"PYCONV_SANITIZE": "thread"},
        ("libtsan.so",),
        ("tests/test_stress.py", "tests/test_workers.py", "-k", f"not ({UNMEASURED})"),
    ),
}


def copy(folder: Path) -> None:
    """Bring a folder up to date with the sources; what is built there stays."""
    for name in COPIED:
        source = ROOT / name
        for path in sorted(files_of(source)) if source.is_dir() else [source]:
            if path.suffix == ".c" and path.with_suffix(".pyx").exists():
                continue
            if path.suffix in (".so", ".pyd"):
                continue
            target = folder / path.relative_to(ROOT)
            if not target.exists() or target.read_bytes() != path.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, but not what others may be writing there meanwhile."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in WRITTEN]
        yield from (Path(place, name) for name in names)


def build(folder: Path, chosen: Build, isa: str) -> None:
    """Compile the loops of one variant."""
    log = folder / "build.log"
    with log.open("w") as output:
        result = subprocess.run(
            [sys.executable, "setup.py", "build_ext", "--inplace"],
            cwd=folder,
            env=os.environ | chosen.variables | {"PYCONV_BUILD_ISAS": isa},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        raise SystemExit("".join(log.read_text().splitlines(keepends=True)[-40:]))


def compiler_library(name: str) -> str:
    """Return the path of one of the compiler's runtime libraries."""
    command = [*os.environ.get("CC", "gcc").split(), f"-print-file-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(path).exists():
        raise SystemExit(f"the compiler has no {name}")
    return str(Path(path).resolve())


def environment(folder: Path, chosen: Build, isa: str, reports: Path) -> dict[str, str]:
    """Return the variables that the tests are run with."""
    log = f"log_path={reports / 'report'}"
    variables = os.environ | {
        "PYTHONPATH": str(folder),
        "PYCONV_ISA": isa,
        "ASAN_OPTIONS": f"detect_leaks=0:allocator_may_return_null=1:{log}",
        "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:{log}",
        "TSAN_OPTIONS": f"suppressions={SUPPRESSIONS / 'thread.txt'}:second_deadlock_stack=1"
        f":die_after_fork=0:exitcode=0:{log}",
    }
    if chosen.libraries:
        variables["LD_PRELOAD"] = ":".join(map(compiler_library, chosen.libraries))
        # Every array is an allocation that the sanitizer sees.
        variables["PYTHONMALLOC"] = "malloc"
    return variables


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sanitized", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("build", choices=list(BUILDS))
    parser.add_argument("--isa", default="avx2", help="the variant (default: avx2)")
    parser.add_argument("--folder", type=Path, help="where to build")
    parser.add_argument(
        "--fuzz", type=float, default=0, metavar="SECONDS", help="run the fuzzer, not the tests"
    )
    options, tests = parser.parse_known_args(arguments)
    chosen = BUILDS[options.build]
    folder = options.folder or ROOT / "build" / "sanitized" / f"{options.build}-{options.isa}"
    folder = folder.resolve()
    reports = folder / "reports"
    copy(folder)
    build(folder, chosen, options.isa)
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    if options.fuzz:
        command = ["-m", "tests.fuzz", "--seconds", str(options.fuzz), *tests]
    else:
        named = [t for t in tests if t.startswith("tests")]
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [*([] if named else chosen.tests), *tests]
    result = subprocess.run(
        [*personality(), sys.executable, *command],
        cwd=folder,
        env=environment(folder, chosen, options.isa, reports),
        check=False,
    )
    found = [path for path in sorted(reports.iterdir()) if not is_harmless(path)]
    for path in found:
        print(f"--- {path.name}\n{path.read_text(errors='replace')[:20000]}")
    print(f"{options.build}, {options.isa}: {len(found)} reports in {folder}")
    return result.returncode or int(bool(found))


def is_harmless(report: Path) -> bool:
    """Return whether a report tells of no more than allocations that were refused."""
    lines = report.read_text(errors="replace").splitlines()
    return all(REFUSED in line or not line.strip() for line in lines)


def personality() -> list[str]:
    """Return the command before which addresses are not random: ThreadSanitizer needs its own."""
    command = ["setarch", "-R"]
    try:
        works = not subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    except OSError:
        works = False
    return command if works else []


if __name__ == "__main__":
    sys.exit(main())
