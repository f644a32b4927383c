"""Stubs say what the modules beside them are, and docstrings are whole wherever they are read."""

import ast
import inspect
import pickle
import pkgutil
import re
import subprocess
import sys
from importlib import import_module

import pytest
import source_tree

import pyconv
from pyconv import filters
from pyconv._engine import docstrings
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._native import loader
from pyconv.nn import functional
from tests import stubs

NATIVE = source_tree.NATIVE
COMPILED = sorted(path.stem for path in NATIVE.glob("*.pyi"))


def generated(module):
    """Return the functions that a stub defines, by name."""
    tree = ast.parse(stubs.path(module).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("module", stubs.MODULES)
def test_stub_is_what_the_command_writes(module):
    """`python -m tests.stubs` has run since the last change of a docstring or a signature."""
    assert stubs.path(module).read_text(encoding="utf-8") == stubs.stub(module)


@pytest.mark.parametrize("module", stubs.MODULES)
def test_stub_has_the_docstring_and_the_parameters_of_the_module(module):
    """An editor shows what `help` shows."""
    for name, node in generated(module).items():
        function = getattr(import_module(module), name)
        assert ast.get_docstring(node) == inspect.getdoc(function)
        given = node.args
        parameters = [*given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
        assert [p.arg for p in parameters] == list(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", filters.__all__)
def test_filter_tells_every_option_itself(name):
    """None sends a reader to another docstring, and the boundaries are those that there are."""
    function = getattr(filters, name)
    text = inspect.getdoc(function)
    for parameter in inspect.signature(function).parameters:
        assert re.search(rf"^{parameter} : .+\n    \S", text, re.MULTILINE), parameter
    assert not re.search(r"(?i)\bas for `|\bsee `(gaussian|kernels\.(gabor|laplace))`", text)
    for boundary, row in BOUNDARIES.items():
        assert re.search(rf"- ``{boundary}``.*: ``{re.escape(row.drawing)}``", text), boundary
        assert all(f"``{alias}``" in text for alias in row.aliases), boundary


def test_no_docstring_is_left_with_a_placeholder():
    """A stub is there for every public function whose source is not whole."""
    names = [m.name for m in pkgutil.walk_packages(pyconv.__path__, "pyconv.") if not m.ispkg]
    for module in (m for m in sys.modules if m in names and m != docstrings.__name__):
        for name, value in vars(sys.modules[module]).items():
            if not inspect.isfunction(value) or value.__module__ != module:
                continue
            assert not re.search(r"\$\{?\w", value.__doc__ or ""), (module, name)
            if not name.startswith("_") and value.__doc__ and not stubs.is_whole(value):
                assert any(name in generated(each) for each in stubs.MODULES), (module, name)


def defined(path):
    """Return the names and the parameters that Python sees of a compiled source."""
    found, owner = {}, ""
    pattern = r"^cdef class (\w+)|^( *)def (\w+)\((.*?)\):$"
    for name, indent, function, parameters in re.findall(
        pattern, path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        owner = name or (owner if indent else "")
        if function:
            parameters = re.sub(r"\[.*?\]| not None", "", parameters).split(",")
            found[f"{owner}.{function}" if owner else function] = [
                re.search(r"\w+$", p.partition("=")[0])[0] for p in parameters if p.strip()
            ]
    return found


@source_tree.needed
@pytest.mark.parametrize("module", COMPILED)
def test_stub_of_a_compiled_module_has_the_names_of_its_source(module):
    """Functions, classes, methods, and their parameters in order."""
    sources = NATIVE.glob("*.pxi") if module == "loops" else [NATIVE / f"{module}.pyx"]
    source = {name: given for path in sources for name, given in defined(path).items()}
    seen = 0
    for node in ast.parse((NATIVE / f"{module}.pyi").read_text(encoding="utf-8")).body:
        methods = node.body if isinstance(node, ast.ClassDef) else [node]
        for each in methods:
            if isinstance(each, ast.FunctionDef):
                name = f"{node.name}.{each.name}" if each is not node else each.name
                assert [a.arg for a in each.args.args] == source[name], name
                seen += 1
    assert seen


@source_tree.needed
def test_every_loop_is_in_the_stub():
    """A loop that is added to a family is added to the interface of the variants."""
    tree = ast.parse((NATIVE / "loops.pyi").read_text(encoding="utf-8"))
    stubbed = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert stubbed == {n for n, v in vars(loader.native).items() if inspect.isclass(v)}


# ---- docstrings that are completed ------------------------------------------------------------


def test_paragraphs_take_the_place_of_names_on_a_line_of_their_own():
    """And keep the indentation of that line; words within a line are replaced, too."""
    shared = docstrings.paragraphs("""
        $axis:
        axis : int
            One of $n axes.
        $mode:
        mode : str

            What is read outside.
    """)
    text = "    Filter.\n\n      $axis $mode\n    end of ${n}x, $n"
    assert docstrings.complete(text, {**shared, "n": "two"}) == (
        "Filter.\n\n  axis : int\n      One of two axes.\n  mode : str\n\n"
        "      What is read outside.\nend of twox, two"
    )


def test_a_placeholder_that_stands_for_nothing_is_an_error():
    """A slip is found at import."""
    with pytest.raises(KeyError, match="axsi"):
        docstrings.complete("$axsi", {"axis": "axis : int"})


@pytest.mark.parametrize("name", [n for n in functional.__all__ if re.search(r"\dd", n)])
def test_functions_of_one_definition_have_names_of_their_own(name):
    """In pickles, in tracebacks and in messages."""
    function = getattr(functional, name)
    assert pickle.loads(pickle.dumps(function)) is function
    assert function.__name__ == function.__qualname__ == function.__code__.co_name == name
    with pytest.raises(TypeError, match=rf"{name}\(\) missing"):
        function()


def test_the_package_runs_without_docstrings():
    """`python -OO` has none, and nothing to complete."""
    code = (
        "import pyconv.nn.functional as f, pyconv.filters, pyconv.ndimage; print(f.conv2d.__doc__)"
    )
    result = subprocess.run(
        [sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "None"
