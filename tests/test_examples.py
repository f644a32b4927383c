"""The examples of the README and of the documentation's pages run and print what the page says."""

import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.rst"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_pages(page):
    result = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert result.failed == 0


@pytest.mark.parametrize(
    "name",
    ["README.md", "boundaries.rst", "dtypes.rst", "filters.rst", "kernels.rst", "quickstart.rst"],
)
def test_pages_have_examples(name):
    (path,) = (page for page in PAGES if page.name == name)
    page = path.read_text(encoding="utf-8")
    assert len(doctest.DocTestParser().get_examples(page)) > 4
