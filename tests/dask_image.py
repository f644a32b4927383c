"""Run dask-image's own tests of its linear filters with pyconv's functions in place of its own.

    python -m tests.dask_image FOLDER    the unpacked source archive of dask-image

They run with dask-image's functions, with ours, and with ours off by a part in a thousand. A test
that passes with dask-image's and not with ours is a fault, or a difference that is named here. The
tests that fail in the third run are those that look at what we return.
"""

import argparse
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

RUNS = ("theirs", "ours", "perturbed")
#: Our functions of the same names, which take the same arguments.
NAMES = (
    "convolve",
    "correlate",
    "gaussian_filter",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "laplace",
    "prewitt",
    "sobel",
    "uniform_filter",
)
FILES = ("conv", "diff", "edge", "gaussian", "smooth")
#: By which part of it a result is perturbed.
PART = 1e-3
#: Words in the names of tests that may differ, and why.
DIFFERENCES = {
    "params": "arguments that dask-image refuses by types of its own, and we as SciPy does",
}


class Replacement:
    """The pytest plugin that puts our functions into `dask_image.ndfilters`."""

    def __init__(self, run: str) -> None:
        self.run = run

    def pytest_configure(self) -> None:
        """Replace the functions before tests import them."""
        import dask_image.ndfilters as theirs

        from pyconv import ndimage

        if self.run == "theirs":
            return
        for name in NAMES:
            setattr(theirs, name, self._replaced(getattr(ndimage, name)))

    def _replaced(self, ours: Any) -> Any:
        @functools.wraps(ours)
        def call(*arguments: Any, **options: Any) -> Any:
            y = ours(*arguments, **options)
            return y * (1 + PART) + PART if self.run == "perturbed" else y

        return call


def outcomes(folder: Path, run: str) -> dict[str, str]:
    """Return what became of each test in a process of its own."""
    files = [
        str(folder / "tests/test_dask_image/test_ndfilters" / f"test__{name}.py") for name in FILES
    ]
    code = (
        "import sys, pytest; from tests.dask_image import Replacement; "
        f"sys.exit(pytest.main(sys.argv[1:], plugins=[Replacement({run!r})]))"
    )
    options = ["-q", "-rA", "-p", "no:cacheprovider", "--noconftest", "-c", os.devnull]
    done = subprocess.run(
        [sys.executable, "-c", code, *options, *files],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {}
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("PASSED", "FAILED", "ERROR"):
            found[rest.split(" - ")[0]] = word
    return found


def main() -> int:
    """Run the tests three times and print what differs; 1 for a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.dask_image", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    theirs, ours, perturbed = (outcomes(folder, run) for run in RUNS)
    passed = {name for name, word in theirs.items() if word == "PASSED"}
    lost = sorted(name for name in passed if ours.get(name) != "PASSED")
    looked = sum(perturbed.get(n) != "PASSED" for n in passed if ours.get(n) == "PASSED")
    print(f"{len(passed)} tests pass with dask-image's functions, {len(passed) - len(lost)} with "
          f"ours; {looked} of these look at what we return")  # fmt: skip
    faults = 0
    for name in lost:
        why = next((why for word, why in DIFFERENCES.items() if word in name), None)
        faults += why is None
        test = name.rpartition("/")[2]
        print(f"differs: {test} ({why})" if why else f"FAULT: {test}")
    return 1 if faults or not looked else 0


if __name__ == "__main__":
    raise SystemExit(main())
