"""Sphinx: sphinx-build -W -b html docs docs/_build/html (the ``docs`` extra has what it needs)."""

import argparse
import importlib.metadata
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes

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
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = [
    "_build",
    "_templates",
    "gallery",
    "howto",
    "generated/*.inc",
    "generated/backreferences/*",
    "generated/gallery/*.py",
    "generated/howto/*.py",
]
default_role = "autolink"
autosummary_generate = True
autosummary_context = {"hidden_members": ["problem_and_weights"]}
autodoc_typehints = "none"  # the docstrings say them better
numpydoc_show_class_members = False
myst_heading_anchors = 2
toc_object_entries_show_parents = "hide"
#: One file, which needs no other and no network; `write_mathjax` puts it there.
mathjax_path = "mathjax/tex-svg.js"

#: Classes that functions make: nobody calls their constructors.
MADE_BY_FUNCTIONS = ("pyconv.Plan", "pyconv.Explanation", "pyconv.nn.History")

sphinx_gallery_conf = {
    "examples_dirs": ["howto", "gallery"],
    "gallery_dirs": ["generated/howto", "generated/gallery"],
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("pyconv",),
    "nested_sections": False,
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
MADE = Path(__file__).parent / "generated" / "static"
MADE.mkdir(parents=True, exist_ok=True)  # Sphinx looks for it before `write_mathjax` runs
html_static_path = ["_static", "generated/static"]
html_css_files = ["pages.css"]
html_js_files = ["tables.js"]
html_sidebars = {"index": []}
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "show_nav_level": 1,
    "navigation_depth": 3,
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
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
        if any(kind.few):
            numbers = [f"{number:,}" if number else "—" for number in kind.few]
            rows.append([literal(name.removeprefix("scipy.")), kind.arrays.value, *numbers])
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


def write_mathjax(*_: object) -> None:
    """Put MathJax beside the pages, out of the package that carries it."""
    target = MADE / "mathjax" / "tex-svg.js"
    package = importlib.metadata.distribution("sphinx-mathjax-offline")
    (source,) = (f for f in package.files or () if str(f).endswith("/mathjax/tex-svg.js"))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(str(source.locate()), target)


def hide_constructor(_: object, what: str, name: str, *__: Any) -> tuple[str, str] | None:
    """Show no arguments of classes that functions make."""
    return ("", "") if what == "class" and name in MADE_BY_FUNCTIONS else None


def hide_parameters(
    _: object, what: str, name: str, ___: object, ____: object, lines: list
) -> None:
    """Leave the section of parameters out of the docstrings of such classes."""
    if what != "class" or name not in MADE_BY_FUNCTIONS or "Parameters" not in lines:
        return
    start = lines.index("Parameters")
    ends = (
        i for i in range(start + 2, len(lines) - 1) if lines[i + 1].startswith("---") and lines[i]
    )
    del lines[start : next(ends, len(lines))]


def list_examples(app: Any, doctree: nodes.document) -> None:
    """List the examples of a docstring under "On this page", as headings are listed."""
    name = app.env.docname
    described = list(doctree.findall(addnodes.desc))
    if not described or name not in app.env.tocs:
        return
    (rubric, *_) = (*(r for r in doctree.findall(nodes.rubric) if r.astext() == "Examples"), None)
    entries = [
        entry
        for entry in app.env.tocs[name].findall(nodes.list_item)
        if entry.next_node(nodes.reference) is not None
    ]
    if rubric is None or len(entries) < 2:
        return
    rubric["ids"] = rubric["ids"] or ["examples"]
    link = nodes.reference(
        "", "Examples", internal=True, refuri=name, anchorname=f"#{rubric['ids'][0]}"
    )
    item = nodes.list_item("", addnodes.compact_paragraph("", "", link))
    entries[1].parent.insert(1, item)


def setup(app: Any) -> None:
    """Write the tables and the report before the pages are read; arrange the pages of the API."""
    app.connect("builder-inited", write_tables)
    app.connect("builder-inited", write_report)
    app.connect("builder-inited", write_mathjax)
    app.connect("autodoc-process-signature", hide_constructor)
    app.connect("autodoc-process-docstring", hide_parameters, priority=100)  # before numpydoc
    app.connect("doctree-read", list_examples, priority=900)  # behind the tables of contents
