"""python -m benchmarks dashboard: time commits of this repository with asv, and make its pages."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = Path(".asv/html/index.html")


def add_parser(commands: Any) -> None:
    """Add the command ``dashboard``."""
    parser = commands.add_parser(
        "dashboard",
        help="curves over the history, by asv",
        description="Build and time commits of the first-parent history of HEAD, those without "
        "results only, and publish the pages under .asv/html.",
    )
    parser.add_argument("--commits", metavar="N", type=int, default=12,
                        help="commits, evenly spread over the history (%(default)s)")  # fmt: skip
    parser.add_argument("--full", action="store_true", help="every case, not the quick profile")
    parser.add_argument("--preview", action="store_true", help="then serve the pages to a browser")
    parser.set_defaults(run=run)


def run(given: Any) -> int:
    """Run asv; return the exit status of the first command that fails."""
    if importlib.util.find_spec("asv") is None:
        print("dashboard: needs asv: python -m pip install -e '.[benchmark]'", file=sys.stderr)
        return 2
    profile = {} if given.full else {"PYCONV_BENCHMARKS": "quick"}
    environment = os.environ | profile
    history = subprocess.run(
        ["git", "rev-list", "--first-parent", "HEAD"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    chosen = "\n".join(spread(history, given.commits))
    steps = [
        ["machine", "--yes"],
        ["run", "--skip-existing-successful", "HASHFILE:-"],
        ["publish"],
        *([["preview", "--browser"]] if given.preview else []),
    ]
    for step in steps:
        status = subprocess.run(
            [sys.executable, "-m", "asv", *step],
            cwd=ROOT, env=environment, check=False, text=True, input=chosen,
        ).returncode  # fmt: skip
        if status and step[0] != "run":  # which ends with 2 where a benchmark failed in a commit
            return status
    print(PAGES)
    return 0


def spread(history: list[str], count: int) -> list[str]:
    """Return ``count`` of the commits, evenly spread, the newest and the oldest among them."""
    if count >= len(history):
        return history
    if count < 2:
        return history[:count]
    step = (len(history) - 1) / (count - 1)
    return [history[round(i * step)] for i in range(count)]
