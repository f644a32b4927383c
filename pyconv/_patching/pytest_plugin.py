"""The pytest plugin: a project's tests with pyconv's functions in the place of SciPy's.

``pytest -p pyconv.patching`` patches before tests are collected, and says at the end which
functions ran. In the processes of pytest-xdist it does the same, and their sums are added.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pytest

from pyconv._patching import ledger

#: Where the sums of another process are.
_KEY = "pyconv_calls"


class _Plugin:
    """A run of tests that is patched."""

    def __init__(self, config: pytest.Config, patch: AbstractContextManager[Any]) -> None:
        self.config = config
        self.patch = patch
        self.tally = ledger.Tally()
        ledger.keep(self.tally)

    def pytest_sessionfinish(self) -> None:
        """Hand the sums to the process that started this one, if one did."""
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self.tally.plain()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the sums of a process that has ended."""
        self.tally.merge(getattr(node, "workeroutput", {}).get(_KEY, []))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which functions ran."""
        terminalreporter.section("pyconv in the place of SciPy")
        for line in self.tally.lines():
            terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """Put SciPy's functions back."""
        ledger.drop(self.tally)
        self.patch.__exit__(None, None, None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Patch SciPy."""
    from pyconv import patching

    config.pluginmanager.register(_Plugin(config, patching.patch_scipy()), "pyconv-patch")
