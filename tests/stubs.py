"""`python -m tests.stubs` writes the stubs of modules whose source has no whole docstrings.

Functions that share paragraphs get their docstrings when they are imported
(`pyconv._engine.docstrings`). Editors do not import: they read them in a stub beside the public
module, with the signature as it is written. Names whose source is whole are imported there. The
text is not indented, which spares the package some kilobytes.
"""

import ast
import inspect
import re
import sys
import textwrap
from functools import cache
from importlib import import_module
from pathlib import Path

#: The modules that have such stubs. They hold names of other modules only.
MODULES = ("pyconv.filters", "pyconv.nn.functional", "pyconv.nn.grad", "pyconv.ndimage")


def path(module):
    """Return where the stub of a module is."""
    return Path(import_module(module).__file__).with_suffix(".pyi")


def stub(module):
    """Return the text of a stub."""
    public = import_module(module)
    imports, meanings, functions = set(), {}, []
    for name in public.__all__:
        function = getattr(public, name)
        if not inspect.isfunction(function) or is_whole(function):
            imports.add(origin(module, name))
            continue
        aliases = {}
        for annotation in map(ast.parse, function.__annotations__.values()):
            for node in ast.walk(annotation):
                if isinstance(node, ast.Name) and node.id in function.__globals__:
                    beginning, used = origin(function.__module__, node.id)
                    meant = function.__globals__[node.id]
                    first, where = meanings.setdefault(node.id, (meant, (beginning, used)))
                    if first == meant:
                        beginning, used = where
                    else:
                        aliases[node.id] = f"{beginning.split()[1].rpartition('.')[2]}_{used}"
                        used += f" as {aliases[node.id]}"
                    imports.add((beginning, used))
        functions.append(definition(function, aliases))
    names = textwrap.fill(", ".join(map(repr, public.__all__)), 98)
    return "\n".join(
        [
            f'"""{inspect.getdoc(public)}\n"""',
            "# Written by `python -m tests.stubs`; the source is beside it.",
            *statements(imports),
            f"__all__ = [\n{textwrap.indent(names, '  ')}\n]",
            *functions,
            "",
        ]
    )


def definition(function, aliases):
    """Return the signature and the docstring of a function, names that mean two things replaced."""

    def written(annotation):
        return re.sub(r"\w+", lambda word: aliases.get(word[0], word[0]), annotation)

    signature = inspect.signature(function)
    parts = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parts.append(f"{stars}{name}: {written(parameter.annotation)}{default}")
    text = inspect.getdoc(function)
    assert '"""' not in text
    prefix = "r" if "\\" in text else ""
    head = f"def {function.__name__}({', '.join(parts)}"
    head = textwrap.fill(head, 100, subsequent_indent="    ", break_on_hyphens=False)
    return f'{head}) -> {written(signature.return_annotation)}:\n    {prefix}"""{text}\n"""'


def is_whole(function):
    """Return whether the docstring in the source is the one at run time."""
    found = source(function.__module__).get(function.__name__)
    return isinstance(found, ast.FunctionDef) and ast.get_docstring(found) == inspect.getdoc(
        function
    )


def origin(module, name):
    """Return the statement that imports a name from where it is defined, up to the name, and it."""
    found = source(module).get(name)
    if isinstance(found, ast.Import):
        return ast.unparse(found), ""
    if isinstance(found, ast.ImportFrom):
        if found.module.split(".")[0] == "pyconv":
            return origin(found.module, name)
        module = found.module
    return f"from {module} import ", name


def statements(origins):
    """Return the lines that import all names."""
    origins = sorted(origins)
    for beginning in dict(origins):
        names = ", ".join(name for each, name in origins if each == beginning)
        yield f"{beginning}({names})" if len(beginning + names) > 100 else beginning + names


@cache
def source(module):
    """Return the statements of a module by the names that they define."""
    found = {}
    for node in ast.parse(Path(import_module(module).__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
    return found


if __name__ == "__main__":
    for each in MODULES:
        text = stub(each)
        path(each).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path(each)}: {len(text.encode())} bytes\n")
