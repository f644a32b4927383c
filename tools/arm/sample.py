"""A plugin of pytest: every n-th test of each file, for a limited time, and a report of counts.

A file may run until its part of the time is over, by its number of tests; what it leaves, later
files have. So no file is left out because others are slow.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

#: Why a test is skipped that is ended, or for which there is no time.
TOO_LONG = "left out for time"


def pytest_addoption(parser):
    """Let the command say how many tests, where and how long."""
    group = parser.getgroup("sample")
    group.addoption("--of-each", type=int, default=1, help="run every N-th test of each file")
    group.addoption("--share", default="0/1", help="i/n: run the i-th of n shares of them")
    group.addoption("--seconds", type=float, default=0, help="leave out tests after that")
    group.addoption("--each", type=float, default=0, help="end a test after so many seconds")
    group.addoption("--report", default="", help="the file of the counts")


def pytest_configure(config):
    """Begin to count."""
    config.pluginmanager.register(Sample(config.option), "sample of tests")


class Sample:
    """One run."""

    def __init__(self, option) -> None:
        self.option = option
        self.began = 0.0
        self.running = ""
        self.deadlines: dict[Path, float] = {}
        self.outcomes: dict[str, str] = {}
        self.left: Counter[str] = Counter()
        self.failures: list[str] = []
        self.ended = ""
        signal.signal(signal.SIGALRM, self.end)

    def end(self, *_):
        """End a test; Hypothesis may call that a failure, which it is not."""
        self.ended = self.running
        pytest.skip(TOO_LONG)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        """Keep this process's tests, and give each file its part of the time."""
        files = defaultdict(list)
        for item in items:
            files[item.path].append(item)
        share, shares = map(int, self.option.share.split("/"))
        sampled = [item for of_file in files.values() for item in of_file[:: self.option.of_each]]
        kept = sampled[share::shares]
        chosen = set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = kept
        for n, item in enumerate(items, 1):
            self.deadlines[item.path] = self.option.seconds * n / len(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        """Leave a test out, once the time of its file is over; end it, if it takes too long."""
        self.began = self.began or time.monotonic()
        if self.option.seconds and time.monotonic() - self.began > self.deadlines[item.path]:
            pytest.skip(TOO_LONG)
        self.running = item.nodeid
        signal.setitimer(signal.ITIMER_REAL, self.option.each)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self):
        """Stop the clock."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_runtest_logreport(self, report):
        """Count a test by the worst of its phases."""
        if report.nodeid == self.ended or (report.skipped and TOO_LONG in str(report.longrepr)):
            if not report.passed:
                self.left[Path(report.fspath).name] += 1
        elif report.failed:
            self.outcomes[report.nodeid] = "failed"
            self.failures.append(f"--- {report.nodeid} ({report.when})\n{report.longreprtext}")
        elif report.skipped or report.when == "call":
            self.outcomes.setdefault(report.nodeid, report.outcome)

    def pytest_collectreport(self, report):
        """Count a file that cannot be read as a failure."""
        if report.failed:
            self.outcomes[report.nodeid] = "failed"
            self.failures.append(f"--- {report.nodeid}\n{report.longreprtext}")

    def pytest_sessionfinish(self):
        """Write the counts."""
        if self.option.report:
            told = {
                "counts": Counter(self.outcomes.values()),
                "left": self.left,
                "failures": self.failures,
            }
            Path(self.option.report).write_text(json.dumps(told))
