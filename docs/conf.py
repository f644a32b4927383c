"""Sphinx: sphinx-build -W -b html docs docs/_build/html (the ``docs`` extra has what it needs)."""

import argparse
import json
import os
import sys
from pathlib import Path

# The gallery's small models are computed as fast, and as predictably, by one thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pyconv
from pyconv.__main__ import parser
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.dtypes import DTYPES, natural_dtype
from pyconv._patching.acceptance import FUNCTIONS

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # behind all others: the package that is installed is documented
from benchmarks.report import pages  # noqa: E402

pyconv.set_workers(1)

project = "pyconv"
author = "The pyconv developers"
project_copyright = "the pyconv developers"
version = release = pyconv.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery", "generated/*.inc", "generated/gallery/*.py"]
default_role = "autolink"
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say them better
numpydoc_show_class_members = False
myst_heading_anchors = 2

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "generated/gallery",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "within_subsection_order": "FileNameSortKey",
    "write_computation_times": False,
    "abort_on_example_error": True,
    "image_scrapers": ("matplotlib",),
}

html_theme = "pydata_sphinx_theme"
html_title = "pyconv"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_sidebars = {"**": []}  # every page is in the bar above
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def grid(header: list[str], rows: list[list[str]]) -> str:
    """Return a list-table."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (header, *rows):
        lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def literal(words: object) -> str:
    """Return a word as code."""
    return f"``{words}``"


def boundary_table() -> str:
    """Return BOUNDARIES with its drawings."""
    rows = [
        [literal(name), literal(row.drawing), ", ".join(map(literal, row.aliases)) or "–"]
        for name, row in BOUNDARIES.items()
    ]
    return grid(["name", "reads around ``a b c d``", "also called"], rows)


def dtype_table() -> str:
    """Return DTYPES: what two arrays of each dtype give, and how it is summed."""
    rows = []
    for dtype, row in DTYPES.items():
        exact = row.compute is None
        rows.append(
            [
                literal(dtype),
                literal(natural_dtype(dtype, dtype)),
                "exactly" if exact else f"in ``{row.compute}``",
            ]
        )
    return grid(["``x`` and ``w``", "result", "summed"], rows)


def command_help() -> str:
    """Return what --help prints, for the command line and each of its commands."""
    top = parser()
    (commands,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    texts = []
    for title, one in (("python -m pyconv", top), *sorted(commands.choices.items())):
        lines = one.format_help().rstrip().split("\n")
        heading = title if one is top else f"python -m pyconv {title}"
        texts += [heading, "-" * len(heading), "", ".. code-block:: text", ""]
        texts += [f"   {line}".rstrip() for line in lines] + [""]
    return "\n".join(texts)


def small_calls() -> str:
    """Return what is small for a patch of SciPy, by function and dtype of the samples."""
    rows = []
    for name, kind in FUNCTIONS.items():
        for few, of in ((kind.few, ""), (kind.few_in_line, ", 1-D")):
            if any(few):
                numbers = [f"{number:,}" if number else "—" for number in few]
                rows.append(
                    [literal(name.removeprefix("scipy.")) + of, kind.arrays.value, *numbers]
                )
    return grid(["function", "counted", "floats", "8 bits", "wider integers"], rows)


def write_tables(*_: object) -> None:
    """Write the tables of the package where the pages include them."""
    folder = Path(__file__).parent / "generated"
    folder.mkdir(exist_ok=True)
    tables = {
        "boundaries": boundary_table(),
        "dtypes": dtype_table(),
        "commands": command_help(),
        "small_calls": small_calls(),
    }
    for name, text in tables.items():
        path = folder / f"{name}.inc"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def write_report(*_: object) -> None:
    """Write the report of peers and its charts from its figures, where they are out of date."""
    figures = Path(__file__).parent / "peers" / "peers.json"
    page = figures.with_suffix(".md")
    sources = [figures, *(ROOT / "benchmarks" / "report").glob("*.py")]
    if not page.exists() or page.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        pages.write(json.loads(figures.read_text(encoding="utf-8")), figures.parent)


def setup(app: object) -> None:
    """Write the tables and the report before the pages are read."""
    app.connect("builder-inited", write_tables)  # type: ignore[attr-defined]
    app.connect("builder-inited", write_report)  # type: ignore[attr-defined]
