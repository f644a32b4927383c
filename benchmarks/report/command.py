"""python -m benchmarks peers: the report of this machine."""

import json
import os
from pathlib import Path
from typing import Any

from benchmarks.fir import FIR_PEERS
from benchmarks.imaging import IMAGING_PEERS, TRANSFORM_PEERS
from benchmarks.layer_peers import LAYER_PEERS
from benchmarks.peers import PEERS
from benchmarks.report import pages
from benchmarks.report.collect import GROUPS, run_all
from benchmarks.report.summary import changes
from benchmarks.speed import machine
from benchmarks.table import Table


def add_parser(commands: Any) -> None:
    """Add the command ``peers``."""
    parser = commands.add_parser(
        "peers",
        help="a report of this machine: pages and charts, pyconv beside whatever is installed",
        description="Measure pyconv beside every library that is installed, on one thread and on "
        "all, and write a report in Markdown and HTML with charts (matplotlib).",
    )
    names = ", ".join(GROUPS)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, and fewer sizes")
    parser.add_argument("--only", metavar="CLASS", action="append", choices=list(GROUPS),
                        help=f"one class, may be given again: {names}")  # fmt: skip
    parser.add_argument("--threads", metavar="N", action="append", type=int,
                        help="threads of all contenders, again for more (1 and all)")  # fmt: skip
    parser.add_argument("--output", metavar="FOLDER", type=Path, default=Path("pyconv-peers"),
                        help="where the pages go (default: %(default)s)")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    parser.add_argument("--compare", metavar="FILE", type=Path,
                        help="print what changed since the report of these figures")  # fmt: skip
    parser.add_argument("--from", metavar="FILE", type=Path, action="append", dest="given",
                        help="measure nothing: make the pages of these figures; those of several "
                        "files are put together")  # fmt: skip
    parser.set_defaults(run=run)


def run(given: Any) -> int:
    """Measure, write and compare; return the exit status: 1 where a row has regressed."""
    if given.given:
        report = joined([json.loads(file.read_text()) for file in given.given])
    else:
        counts = given.threads or sorted({1, len(os.sched_getaffinity(0))})
        header = machine((*PEERS, *LAYER_PEERS, *FIR_PEERS, *IMAGING_PEERS, *TRANSFORM_PEERS))
        for name in ("threads of each contender", "BLAS", "workers", "CPUs"):
            header.pop(name, None)
        report = {
            "machine": header | {"CPUs": str(os.cpu_count())},
            "command": measuring(given),
            "quick": given.quick,
            "runs": run_all(counts, given.only or list(GROUPS), given.quick),
        }
    if given.json is not None:
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    for page in pages.write(report, given.output):
        print(page)
    return compare(json.loads(given.compare.read_text()), report) if given.compare else 0


def measuring(given: Any) -> str:
    """Return the command as a reader would repeat it: what is measured, not where it is written."""
    words = ["python", "-m", "benchmarks", "peers"]
    words += ["--quick"] if given.quick else []
    for name, values in (("--threads", given.threads), ("--only", given.only)):
        words += [word for value in values or () for word in (name, str(value))]
    return " ".join(words)


def joined(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one report of several that were measured one after another on one machine."""
    runs: dict[int, dict[str, Any]] = {}
    for report in reports:
        for run in report["runs"]:
            known = runs.setdefault(run["threads"], run | {"classes": []})
            known["classes"] = known["classes"] + run["classes"]
            for name, rate in run["limits"].items():
                known["limits"][name] = max(known["limits"][name], rate)
    commands = "\n".join(report["command"] for report in reports)
    return reports[0] | {"command": commands, "runs": [runs[count] for count in sorted(runs)]}


def compare(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Print the rows that both reports trust; return 1 where one has regressed."""
    regressed = 0
    print("\nA ratio is the time of the best other library ÷ ours, in the same run.\n")
    table = Table("threads", "class", "case", "ms before", "now", "ratio before", "now", "")
    for change in changes(before, after):
        ratios = ("–" if r is None else f"{r:.2f}" for r in change[5:])
        times = (f"{ms:.3g}" for ms in (change.before, change.after))
        word = "REGRESSED" if change.regressed else ""
        table.row(str(change.threads), change.group, change.case, *times, *ratios, word)
        regressed += bool(change.regressed)
    return 1 if regressed else 0
