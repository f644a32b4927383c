"""The house: imports run one way, the tables are complete, the documentation is there and runs.

public modules and _calls → nn._functions → _dask → _pieces → _engine → its algorithms → _native,
above the leaves that anyone may import.
"""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import source_tree

import pyconv
from pyconv import (
    arithmetic,
    astropy,
    filters,
    kernels,
    ndimage,
    nn,
    operators,
    patching,
    signal,
    viz,
)
from pyconv._engine import planner
from pyconv._engine.algorithms import ALGORITHMS, RATE_ALGORITHMS, ROUNDING_ALGORITHMS
from pyconv._engine.algorithms.correlation.each_phase import EachPhase
from pyconv._engine.dtypes import DTYPES, OVERFLOWS, ROUNDINGS
from pyconv._engine.planning import METHODS, RATE_PLANNER, ROUNDING_PLANNER
from pyconv._engine.problem import EXTENTS
from pyconv.nn import functional, grad

ROOT = Path(pyconv.__file__).parent
MODULES = {
    ".".join(("pyconv", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}

#: Leaves of the engine → what of the package each may import.
LEAVES = {
    "pyconv._version": set(),
    "pyconv._engine.explanation_table": set(),
    "pyconv._engine.boundaries": set(),
    "pyconv._engine.docstrings": set(),
    "pyconv._engine.dtypes": set(),
    "pyconv._engine.files": set(),
    "pyconv._engine.machine": {"pyconv._native.cpu", "pyconv._native.loader"},
    "pyconv._engine.threads": {"pyconv._native.workers"},
    "pyconv._engine.problem": {"pyconv._engine.boundaries", "pyconv._engine.dtypes"},
    "pyconv._engine.layer_problem": {"pyconv._engine.boundaries", "pyconv._engine.problem"},
    "pyconv.arithmetic": {"pyconv._engine.layer_problem", "pyconv._engine.problem"},
    "pyconv.kernels": {"pyconv._engine.dtypes", "pyconv._engine.problem"},
    "pyconv._engine.output_arrays": {
        "pyconv._native.calls",
        "pyconv._native.layout",
        "pyconv._engine.dtypes",
        "pyconv._engine.threads",
    },
    "pyconv._engine.mosaic": {"pyconv._native.layout"},
    "pyconv._engine.wisdom": {"pyconv._engine.files", "pyconv._engine.threads"},
}
#: The floors above the leaves, from the ground up, by the beginning of a name. The calls and
#: the public modules are above them.
FLOORS = {
    "pyconv._native": 0,
    "pyconv._engine.algorithms": 1,
    "pyconv._engine": 2,
    "pyconv._pieces": 3,
    "pyconv._dask": 4,
    "pyconv.nn._functions": 5,
}
#: Modules that a user may import; all others are behind an underscore.
PUBLIC_ROOMS = {
    "pyconv", "pyconv.arithmetic", "pyconv.astropy", "pyconv.filters", "pyconv.kernels",
    "pyconv.ndimage", "pyconv.nn", "pyconv.nn.functional", "pyconv.nn.grad", "pyconv.nn.init",
    "pyconv.nn.models", "pyconv.operators", "pyconv.patching", "pyconv.signal", "pyconv.viz",
    "pyconv.xarray",
}  # fmt: skip
#: Those that an import of their own has to name, as it adds to another package.
IMPORTED = {"pyconv.xarray"}
#: One file for each algorithm; the other files of the folder are what they share.
ALGORITHM_FILES = {
    type(algorithm).__module__
    for algorithm in (*ALGORITHMS, *ROUNDING_ALGORITHMS, *RATE_ALGORITHMS)
}
#: The floor of calls and public modules.
CALLS = len(FLOORS)


def floor(module):
    """Return the number of the floor that a module lives on; leaves are on none."""
    if module in LEAVES:
        return -1
    room = max((f for f in FLOORS if f"{module}.".startswith(f"{f}.")), key=len, default=None)
    return CALLS if room is None else FLOORS[room]


def imports(path, module):
    """Return the modules of the package that a source imports, at any depth, in any spelling."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else base for name in names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return {name for name in found if name.split(".")[0] == "pyconv"}


def is_module(name):
    """Return whether a dotted name is a file of the package, compiled or not."""
    stem = ROOT.joinpath(*name.split(".")[1:])
    found = {path.suffix for path in stem.parent.glob(f"{stem.name}.*")}
    return name in MODULES or not found.isdisjoint({".pyx", ".so", ".pyd"})


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    """No module imports what stands above it, and algorithms do not import each other."""
    for imported in imports(MODULES[module], module) - {module}:
        if module in LEAVES:
            assert imported in LEAVES[module]
        elif floor(module) == FLOORS["pyconv._native"]:
            assert floor(imported) == FLOORS["pyconv._native"]
        else:
            assert floor(imported) <= floor(module), imported
        if module in ALGORITHM_FILES:
            assert imported not in ALGORITHM_FILES
            assert imported != "pyconv._engine.algorithms"
        if floor(module) < CALLS:
            assert imported != "pyconv"


def test_what_is_no_promise_has_an_underscore():
    """A module that can be imported by names without one is public, and listed."""
    named = {m for m in MODULES if not any(part.startswith("_") for part in m.split(".")[1:])}
    assert named == PUBLIC_ROOMS


def test_imports_have_no_circles():
    """Public modules may use one another, but not in turn."""
    graph = {m: imports(path, m) & MODULES.keys() - {m} for m, path in MODULES.items()}
    # Importing anything of a package runs its __init__; that is no use of what it names.
    graph["pyconv"] = set()
    done = set()
    while len(done) < len(graph):
        ready = {m for m, needs in graph.items() if m not in done and needs - {"pyconv"} <= done}
        assert ready, sorted(graph.keys() - done)
        done |= ready


def test_the_rule_sees_every_spelling(tmp_path):
    """The check of imports is able to fail."""
    source = tmp_path / "direct.py"
    for statement, imported in {
        "import pyconv._engine.planning": "pyconv._engine.planning",
        "from pyconv._engine import planning": "pyconv._engine.planning",
        "from pyconv._engine.planning import Plan": "pyconv._engine.planning",
        "from ...planning import Plan": "pyconv._engine.planning",
        "from ... import planning": "pyconv._engine.planning",
        "from . import reference": "pyconv._engine.algorithms.correlation.reference",
        "from .reference import Reference": "pyconv._engine.algorithms.correlation.reference",
        "def f():\n    import pyconv._calls.correlation": "pyconv._calls.correlation",
        "import importlib\nimportlib.import_module('pyconv._native.cpu')": "pyconv._native.cpu",
    }.items():
        source.write_text(statement)
        assert imports(source, "pyconv._engine.algorithms.correlation.direct") == {imported}


def test_compiled_files_import_nothing_above_them():
    """The compiled room knows nothing of the package above."""
    files = list(source_tree.file("pyconv/_native").glob("*.p[yx][xdi]"))
    assert files
    for path in files:
        for line in path.read_text().splitlines():
            match = re.match(r"\s*(?:from|c?import)\s+(pyconv[\w.]*)", line)
            assert match is None or match[1].startswith("pyconv._native"), (path, line)


# ---- tables -----------------------------------------------------------------------------------


def test_algorithms_keep_the_contract():
    """Names are different, and the definition, which all have, comes last."""
    names = [algorithm.name for algorithm in ALGORITHMS]
    roundings = [algorithm.name for algorithm in ROUNDING_ALGORITHMS]
    assert len({*names}) == len(names)
    assert len({*roundings}) == len(roundings)
    rates = [algorithm.name for algorithm in RATE_ALGORITHMS]
    assert len({*rates}) == len(rates)
    assert {*names} & {*roundings} == {"reference"}
    # Each phase of a stride that is a fraction is a problem of its own, solved by one of these.
    assert {*rates} - {*names} == {"polyphase"}
    assert names[-1] == roundings[-1] == rates[-1] == "reference"
    assert ("auto", *names) == METHODS
    assert ("auto", *roundings) == ROUNDING_PLANNER.methods
    assert ("auto", *rates) == RATE_PLANNER.methods
    for algorithm in (*ALGORITHMS, *ROUNDING_ALGORITHMS, *RATE_ALGORITHMS):
        module = importlib.import_module(type(algorithm).__module__)
        file = "each_phase" if isinstance(algorithm, EachPhase) else algorithm.name
        assert module.__name__ == f"pyconv._engine.algorithms.correlation.{file}"
        for member in ("rejects", "cost", "error_bound", "workspace", "copies", "threads", "bind"):
            assert callable(getattr(algorithm, member))


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("method", METHODS),
        ("overflow", OVERFLOWS),
        ("rounding", tuple(ROUNDINGS)),
        ("mode", tuple(EXTENTS)),
    ],
)
def test_documentation_lists_what_the_tables_hold(parameter, words):
    """A row that is added to a table is added to the docstring."""
    line = re.search(rf"^ *{parameter} : (.*)$", pyconv.correlate.__doc__, re.MULTILINE)[1]
    assert tuple(re.findall(r"'(\w+)'", line)) == words


def test_documentation_lists_the_algorithms_of_roundings():
    """They are words for ``method``, too."""
    words = re.search(r"have other algorithms: (.*?)\.\n", pyconv.correlate.__doc__, re.DOTALL)[1]
    assert re.findall(r"``(\w+)``", words) == [a.name for a in ROUNDING_ALGORITHMS]
    words = re.search(r"that is a fraction has (.*?)\.\n", pyconv.correlate.__doc__, re.DOTALL)[1]
    assert re.findall(r"``(\w+)``", words) == [a.name for a in RATE_ALGORITHMS]


def test_every_dtype_is_computed():
    """Each row of the table works end to end."""
    for dtype in DTYPES:
        assert pyconv.correlate(np.ones(3, dtype), np.ones(1, dtype), dtype=dtype).dtype == dtype


# ---- documentation ----------------------------------------------------------------------------

#: Modules of names only, and modules that define what they show.
NAMES = (pyconv, filters, functional, grad, ndimage, nn, signal)
PUBLIC_MODULES = (
    *NAMES,
    arithmetic,
    astropy,
    kernels,
    nn.init,
    nn.models,
    operators,
    patching,
    viz,
)
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in PUBLIC_MODULES
    for name in module.__all__
    if callable(getattr(module, name))
}
SECTION = r"^ *{}\n *-+$"
RETURNING_NOTHING = {
    "pyconv.show_versions", "pyconv.set_workers", "pyconv.unpatch_astropy", "pyconv.unpatch_scipy",
    "pyconv.patching.unpatch_astropy", "pyconv.patching.unpatch_scipy",
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_public_docstring_is_complete(name):
    """Numpydoc: what it does, every parameter, what it returns, and an example."""
    function = PUBLIC[name]
    text = inspect.getdoc(function)
    assert re.match(r"[A-Z].*\.\n", text)
    assert re.search(SECTION.format("Examples"), text, re.MULTILINE)
    assert ">>>" in text
    parameters = inspect.signature(function).parameters
    if parameters:
        assert re.search(SECTION.format("Parameters"), text, re.MULTILINE)
    for parameter in parameters:
        assert re.search(rf"^ *(\w+, )*\**{parameter}\b.*", text, re.MULTILINE), parameter
    returns_nothing = name in RETURNING_NOTHING or inspect.isclass(function)
    if not returns_nothing:
        assert re.search(SECTION.format("Returns"), text, re.MULTILINE)


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda m: m.__name__)
def test_public_names_are_those_of_the_package(module):
    """__all__ is sorted and says nothing that is not there; modules of names hold no others."""
    assert sorted(module.__all__, key=lambda n: (not n.isupper(), n)) == module.__all__
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    modules = {name for name in module.__all__ if inspect.ismodule(getattr(module, name))}
    named = set(module.__all__) - modules - {"__version__"}
    assert public == named if module in NAMES else public >= named


@pytest.mark.parametrize(
    "module", ["nn", "kernels", "filters", "arithmetic", "astropy", "patching", "viz"]
)
def test_modules_are_imported_only_by_who_asks(module):
    """`import pyconv` stays light."""
    code = f"import sys, pyconv; print(any(n.startswith('pyconv.{module}') for n in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert result.stdout.strip() == "False"


def test_public_modules_are_there_without_an_import_of_their_own():
    """`import pyconv` is enough for every public module, and still imports no SciPy."""
    rooms = sorted(PUBLIC_ROOMS - IMPORTED)
    code = (
        f"import sys, pyconv; print('scipy' in sys.modules); print({', '.join(rooms)}, sep='\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    scipy, *found = result.stdout.splitlines()
    assert scipy == "False"
    assert [line.split("'")[1] for line in found] == rooms
    assert {room.split(".")[1] for room in rooms[1:]} <= set(dir(pyconv))
    with pytest.raises(AttributeError, match="module 'pyconv' has no attribute 'gausian'"):
        _ = pyconv.gausian


def test_extras_are_imported_only_when_they_are_used():
    """Layers and pictures are imported without what draws pictures and bars."""
    code = (
        "import sys, pyconv.nn, pyconv.viz, pyconv.astropy; "
        "print({'matplotlib', 'tqdm', 'astropy'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("name", grad.__all__)
def test_gradients_are_named_after_their_function_and_argument(name):
    """nn.grad.f_a is the gradient of nn.functional.f with respect to its argument a."""
    function, _, argument = name.rpartition("_")
    assert argument in inspect.signature(getattr(functional, function)).parameters


@pytest.mark.parametrize(
    "name", [n for n in functional.__all__ if not n.startswith(("plan_", "tune_"))]
)
def test_every_function_has_gradients(name):
    """With respect to its input at least."""
    assert f"{name}_input" in grad.__all__


@pytest.mark.parametrize("module", MODULES)
def test_module_says_what_it_is_for(module):
    """Each file opens with a sentence."""
    text = ast.get_docstring(ast.parse(MODULES[module].read_text()))
    assert text
    assert len(text.splitlines()[0]) > 20


@pytest.mark.parametrize(
    "module",
    [
        m.name
        for m in pkgutil.walk_packages(pyconv.__path__, "pyconv.")
        if m.name in MODULES and not m.name.endswith("__main__")
    ]
    + ["pyconv"],
)
def test_examples_run(module):
    """Every example in a docstring prints what it says."""
    if module == "pyconv.viz":
        pytest.importorskip("matplotlib")  # it is imported when something is drawn
    if module in ("pyconv.astropy", "pyconv.patching"):
        pytest.importorskip("astropy")  # it is imported when something is called
    try:
        result = doctest.testmod(
            pytest.importorskip(module, exc_type=ModuleNotFoundError),  # extras may be missing
            optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
        )
    finally:
        planner.WISDOM.forget()  # examples tune calls, and the machine
        planner.clear_cache()
    assert result.failed == 0


def test_there_are_examples():
    """The loop above does not pass because it finds nothing."""
    finder = doctest.DocTestFinder()
    for name in PUBLIC:
        tests = finder.find(PUBLIC[name], name)
        assert any(test.examples for test in tests), name


@pytest.mark.parametrize(
    ("page", "modules"),
    [
        ("layers", {"functional.": functional, "grad.": grad}),
        ("training", {"": nn, "init.": nn.init, "models.": nn.models}),
        ("viz", {"viz.": viz}),
        ("kernels", {"kernels.": kernels}),
        ("filters", {"filters.": filters}),
        ("astropy", {"astropy.": astropy}),
    ],
)
def test_pages_list_every_name(page, modules):
    """A function that is added to a module is added to its page."""
    path = source_tree.file(f"docs/{page}.rst")
    words = rf"^   ((?:{'|'.join(map(re.escape, modules))})\w+)$"
    assert set(re.findall(words, path.read_text(encoding="utf-8"), re.MULTILINE)) == {
        f"{prefix}{name}"
        for prefix, module in modules.items()
        for name in module.__all__
        if callable(getattr(module, name))
    }


@pytest.mark.parametrize("module", [ndimage, signal], ids=lambda m: m.__name__)
def test_page_lists_what_takes_the_place_of_scipy(module):
    """Every public name is on the page of its module."""
    page = source_tree.file("docs/dropins.rst")
    _, _, text = page.read_text().partition(f".. currentmodule:: {module.__name__}\n")
    listed = re.findall(r"^   (\w+)$", text.partition(".. currentmodule::")[0], re.MULTILINE)
    assert sorted(listed) == module.__all__


def test_package_is_typed():
    """Type checkers are told that the annotations count."""
    assert ROOT.joinpath("py.typed").exists()


# ---- tools and versions -----------------------------------------------------------------------


def source_file(name):
    """Return the text of a file of the checkout."""
    return source_tree.file(name).read_text(encoding="utf-8")


def test_hooks_run_the_tools_of_the_lint_extra():
    """No version stands in the hooks; those of the extra are exact."""
    config = source_file(".pre-commit-config.yaml")
    extra = tomllib.loads(source_file("pyproject.toml"))["project"]["optional-dependencies"]["lint"]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", requirement) for requirement in extra), extra
    hooks = config.count("- id: ")
    entries = re.findall(r"^ +entry: (\S+)", config, re.MULTILINE)
    assert len(entries) == hooks == config.count("language: system") > 8
    assert not re.search(r"\brev:|additional_dependencies:|repo: (?!local)", config)
    tools = {requirement.partition("==")[0] for requirement in extra}
    of_pre_commit_hooks = {
        "check-added-large-files", "check-case-conflict", "check-merge-conflict", "check-toml",
        "check-yaml", "end-of-file-fixer", "mixed-line-ending", "trailing-whitespace-fixer",
    }  # fmt: skip
    assert set(entries) - tools == of_pre_commit_hooks
    assert "pre-commit-hooks" in tools


def test_actions_are_pinned():
    """By a digest, the same in every workflow, with the version that it is beside it."""
    digests = {}
    for workflow in source_tree.file(".github/workflows").glob("*.yml"):
        for action in re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8")):
            pinned = re.fullmatch(r"([\w/-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", action)
            assert pinned, f"{workflow.name}: {action}"
            digests.setdefault(pinned[1], set()).add(pinned.groups())
    assert all(len(each) == 1 for each in digests.values()), digests


def test_versions_of_python_are_the_same_everywhere():
    """What pip refuses, what wheels are built for, and what the pages say."""
    project = tomllib.loads(source_file("pyproject.toml"))
    oldest = project["project"]["requires-python"].removeprefix(">=")
    assert re.fullmatch(r"3\.\d+", oldest)
    assert project["tool"]["mypy"]["python_version"] == oldest
    for page in ("README.md", "CONTRIBUTING.md", "docs/installation.rst", "docs/platforms.rst"):
        assert re.findall(r"Python (3\.\d+)\s+or\s+later", source_file(page)) == [oldest], page
    built = {name.removesuffix("-*") for name in project["tool"]["cibuildwheel"]["build"]}
    gil = sorted(name for name in built if not name.endswith("t"))
    assert gil[0] == f"cp{oldest.replace('.', '')}"
    tested = source_file(".github/workflows/tests.yml")
    for name in built:
        assert re.search(rf'"{name[2]}\.{name[3:]}"', tested), name


def test_page_of_platforms_names_every_runner_of_wheels():
    """A platform that is added to the workflow is added to the page, with what was run there."""
    page = source_file("docs/platforms.rst")
    runners = re.findall(
        r"^          - (.*)$", source_file(".github/workflows/wheels.yml"), re.MULTILINE
    )
    assert len(runners) > 4
    for runner in runners:
        assert f"``{runner}``" in page, runner


def test_version_stands_in_one_place():
    """`_version.py` has it; the build reads it there, and a release compares its tag with it."""
    project = tomllib.loads(source_file("pyproject.toml"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "pyconv._version.__version__"
    }
    release = source_file(".github/workflows/wheels.yml")
    assert "pyconv/_version.py" in release
    # Every job of a release waits for the comparison, or for one that does.
    jobs = re.split(r"^  (\w+):\n", release.partition("\njobs:\n")[2], flags=re.MULTILINE)[1:]
    needs = {
        name: set(re.findall(r"\w+", "".join(re.findall(r"^    needs: (.*)$", text, re.MULTILINE))))
        for name, text in zip(jobs[::2], jobs[1::2], strict=True)
    }
    assert needs.pop("version") == set()
    waiting = {"version"}
    while more := {name for name in needs if needs[name] & waiting} - waiting:
        waiting |= more
    assert waiting == {"version", *needs} != {"version"}
    written = re.compile(rf"(?<![\d.]){re.escape(pyconv.__version__)}(?![\d.])")
    for name in ("setup.py", "README.md", "docs/conf.py", "asv.conf.json"):
        assert not written.search(source_file(name)), name
