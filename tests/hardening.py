"""What a linker has hardened: read from compiled extensions of Linux, wherever they lie.

    python -m tests.hardening dist/*.whl     # every extension of the wheels; needs readelf

The exit status says whether something is missing. `tests/test_wheels.py` asks the same of the
extensions that are installed.
"""

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

#: Formatting is checked wherever FORTIFY is on: the sizes of the buffers are known.
UNCHECKED = {"sprintf", "snprintf", "vsprintf", "vsnprintf"}


def readelf(path: Path, *options: str) -> str:
    """Return what readelf says of a file."""
    command = ["readelf", "--wide", *options, str(path)]
    words = os.environ | {"LC_ALL": "C"}  # no translation of them
    return subprocess.run(command, capture_output=True, text=True, check=True, env=words).stdout


def problems(path: Path) -> list[str]:
    """Return what is missing in an extension, in words; nothing where all is there."""
    segment = re.compile(r"^ +([A-Z_]+) +(?:0x\w+ +){5}([RWE ]+?) +0x\w+$", re.MULTILINE)
    segments = segment.findall(readelf(path, "-l"))
    loaded = [flags for name, flags in segments if name == "LOAD"]
    stack = dict(segments).get("GNU_STACK", "E")
    dynamic = readelf(path, "-d")
    symbols = re.findall(r" UND (\w+)", readelf(path, "--dyn-syms"))
    glibc = "Shared library: [libc.so.6]" in dynamic
    run_paths = re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic)
    asked = sysconfig.get_config_var("LDFLAGS") or ""  # by the Python that it was built with
    found = {
        "no RELRO segment": "GNU_RELRO" not in dict(segments),
        "symbols are bound late": not re.search(r"\((?:FLAGS|FLAGS_1)\).*\bNOW\b", dynamic),
        "the stack is executable": "E" in stack,
        "a segment may be written and executed": any({"W", "E"} <= set(each) for each in loaded),
        "code is relocated": "(TEXTREL)" in dynamic,
        "no stack protector": "__stack_chk_fail" not in symbols,
        "formatting is not checked (FORTIFY)": glibc and not UNCHECKED.isdisjoint(symbols),
    }
    absolute = [p for p in ":".join(run_paths).split(":") if p.startswith("/") and p not in asked]
    found[f"libraries are sought in {', '.join(absolute)}"] = bool(absolute)
    return [words for words, is_so in found.items() if is_so]


def checked(wheel: Path) -> int:
    """Print the problems of a wheel; return how many there are."""
    found = []
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".so" in Path(name).suffixes]
        for name in names:
            # The threads are the package's own, and BLAS is SciPy's.
            if re.match(r"\w+\.libs/", name):
                found.append(f"{name}: a library of another project")
            else:
                path = Path(archive.extract(name, folder))
                found += [f"{name}: {words}" for words in problems(path)]
    print(f"{wheel.name}: {len(names)} extensions, {len(found)} problems", *found, sep="\n    ")
    return len(found) + (not names)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hardening", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("wheels", nargs="+", type=Path, help="wheels for Linux")
    return int(sum(map(checked, parser.parse_args(arguments).wheels)) > 0)


if __name__ == "__main__":
    sys.exit(main())
