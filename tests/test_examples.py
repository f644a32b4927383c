"""The examples of the README and of the documentation's pages run and print what the page says."""

import doctest
import re

import pytest
import source_tree

from pyconv._engine.algorithms import ALGORITHMS

ROOT = source_tree.required("docs")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.rst"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_pages(page):
    if page.name == "astropy.rst":
        pytest.importorskip("astropy")
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


def words_of(name):
    """Return the words of a page, one blank between two."""
    (path,) = (page for page in PAGES if page.name == name)
    return " ".join(path.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("algorithm", [*(a.name for a in ALGORITHMS), "winograd"])
def test_the_error_of_each_algorithm_is_on_the_page_of_dtypes(algorithm):
    """In the table of which bound holds for which, by its name."""
    page = words_of("dtypes.rst")
    table = page[page.index("error of a result, by default") :]
    assert any(f"``{algorithm}``" in row for row in re.findall(r"\* - (``.*?) - ", table))


@pytest.mark.parametrize(
    ("page", "promise"),
    [
        # A difference that a test of the drop-ins asserts, as SciPy has it.
        ("dropins.rst", "gh-21876"),
        ("dropins.rst", "A mask is ignored, as SciPy ignores it"),
        (
            "dropins.rst",
            "by at most (n + 2) · 2\\ :sup:`-23` · Σ\\|x\\|\\|w\\| over its",
        ),
        # Kernels that cancel, where nothing is missing too.
        ("missing.rst", "is refused, by `coverage` and `plan` too, whatever the data"),
        # What bits depend on, and what they do not.
        ("performance.rst", "the number of threads never changes a bit of the result"),
        (
            "performance.rst",
            "Nor does the process, or the batch: an item has the bits that it has alone",
        ),
        (
            "performance.rst",
            "another instruction set (``PYCONV_ISA``, another CPU), and what `tune` has",
        ),
    ],
)
def test_pages_promise_what_is_tested(page, promise):
    """What other tests assert is said where users look for it."""
    assert promise in words_of(page)
