"""Every example that a user may copy runs and prints what the page says."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import pyconv

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.rst"))]
MODULES = [
    found.name
    for found in pkgutil.walk_packages(pyconv.__path__, "pyconv.")
    if not found.name.startswith("pyconv._native.") and not found.name.endswith("__main__")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_pages(page):
    result = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert result.failed == 0


def test_first_page_and_quick_start_have_examples():
    for name in ("README.md", "docs/quickstart.rst", "docs/boundaries.rst", "docs/dtypes.rst"):
        page = (ROOT / name).read_text(encoding="utf-8")
        assert len(doctest.DocTestParser().get_examples(page)) > 4, name


@pytest.mark.parametrize("name", ["pyconv", *MODULES])
def test_examples_of_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.startswith("pyconv"):
            raise
        pytest.skip(f"{name} needs {error.name}")
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize("name", [n for n in pyconv.__all__ if not n.startswith("_")])
def test_public_functions_have_examples(name):
    tests = doctest.DocTestFinder(recurse=False).find(getattr(pyconv, name), name)
    assert any(test.examples for test in tests)
