"""Install the package as a user does, and run the tests there.

    python -m tests.installed wheel                        # the wheel, and its tests alone
    python -m tests.installed wheel --every 20             # each twentieth test
    python -m tests.installed wheel --python python3.13
    python -m tests.installed readme --python python3.12   # the README's command for the tests

`wheel` builds the source archive and the wheel out of it, installs the wheel with its extra `test`
in a new environment, copies `tests` to an empty folder and runs pytest there. Tests that read the
source are skipped. `readme` runs the line of the README that ends in `pytest`, with another
interpreter and another folder for the environment. What stands behind goes to pytest.

Both need a package index and a C compiler. Compiled extensions are kept as any build keeps them
(``PYCONV_BUILD_CACHE``), for each version of Python. The exit status is that of pytest.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Nothing of these is a test, or a file that one reads.
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def python_of(environment: Path) -> Path:
    """Return the interpreter of an environment."""
    windows = environment / "Scripts" / "python.exe"
    return windows if windows.exists() else environment / "bin" / "python"


def environment(folder: Path, interpreter: str, *packages: str) -> Path:
    """Make an environment with packages; return its interpreter."""
    run([interpreter, "-m", "venv", folder])
    run([python_of(folder), "-m", "pip", "install", "--quiet", *packages])
    return python_of(folder)


def run(command: list[object], **options: object) -> int:
    """Run a command that must succeed, and show it."""
    print("$", *command, flush=True)
    return subprocess.run(list(map(str, command)), check=True, **options).returncode


def built(folder: Path, interpreter: str) -> Path:
    """Return the wheel, built from the source archive."""
    python = environment(folder / "build", interpreter, "build")
    run([python, "-m", "build", "--outdir", folder / "dist", ROOT], stdout=subprocess.DEVNULL)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def run_beside_wheel(folder: Path, interpreter: str, arguments: list[str]) -> int:
    """Test an installed wheel by the folder of tests alone."""
    python = environment(folder / "venv", interpreter, f"{built(folder, interpreter)}[test]")
    alone = folder / "alone"
    shutil.copytree(ROOT / "tests", alone / "tests", ignore=LEFT_OUT)
    command = [python, "-m", "pytest", "-n", "logical", "--maxprocesses", "8", "-rs", *arguments]
    print("$", *command, "tests", flush=True)
    return subprocess.run([*map(str, command), "tests"], cwd=alone, check=False).returncode


def run_readme(folder: Path, interpreter: str, arguments: list[str]) -> int:
    """Run the README's command for the tests in the source tree, or in a copy of it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^python3 -m venv .*/pytest$", text, re.MULTILINE)
    command = line.replace("python3", interpreter, 1).replace(".venv", str(folder / "venv"))
    print("$", command, *arguments, flush=True)
    # Arguments are those of the last command, pytest.
    return subprocess.run(
        ["bash", "-c", f'{command} "$@"', "pytest", *arguments], cwd=ROOT, check=False
    ).returncode


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.installed", description=(__doc__ or "").splitlines()[0]
    )
    ways = {"wheel": run_beside_wheel, "readme": run_readme}
    parser.add_argument("way", choices=list(ways), help="what is installed, and how")
    parser.add_argument("--python", default=sys.executable, help="the interpreter (default: this)")
    options, rest = parser.parse_known_args(arguments)
    os.environ.setdefault("PYCONV_BUILD_CACHE", str(ROOT / "build" / "extensions"))
    os.environ.pop("PYTHONPATH", None)  # it would hide what is installed
    with tempfile.TemporaryDirectory() as folder:
        return ways[options.way](Path(folder), options.python, rest)


if __name__ == "__main__":
    sys.exit(main())
