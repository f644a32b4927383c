"""The pytest plugin: a project's tests with pyconv's functions in the place of SciPy's.

``pytest -p pyconv.patching`` patches before tests are collected, and says at the end which
functions ran; with ``--pyconv-astropy`` it patches astropy's convolutions too. In the processes of
pytest-xdist it does the same, and their sums are added.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from pyconv._patching import ledger

#: Where the sums of another process are.
_KEY = "pyconv_calls"
_ASTROPY = "pyconv_astropy"


class _Plugin:
    """A run of tests that is patched."""

    def __init__(self, config: pytest.Config, patches: ExitStack) -> None:
        self.config = config
        self.patches = patches
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
        others = "SciPy and astropy" if self.config.getoption(_ASTROPY) else "SciPy"
        terminalreporter.section(f"pyconv in the place of {others}")
        for line in self.tally.lines():
            terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """Put the functions of others back."""
        ledger.drop(self.tally)
        self.patches.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run ask for astropy's names."""
    parser.getgroup("pyconv").addoption(
        "--pyconv-astropy",
        action="store_true",
        dest=_ASTROPY,
        help="pyconv's functions in the place of astropy's convolutions too",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Patch SciPy, and astropy if that is wanted."""
    from pyconv import patching

    patches = ExitStack()
    try:
        patches.enter_context(patching.patch_scipy())
        if config.getoption(_ASTROPY):
            patches.enter_context(patching.patch_astropy())
    except ImportError as error:
        patches.close()
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(_Plugin(config, patches), "pyconv-patch")
