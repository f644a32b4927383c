"""Docstrings of functions that share paragraphs: each paragraph is written once.

A docstring with placeholders is completed when its module is imported, so that `help` shows all of
it. ``$name`` alone on a line stands for a paragraph, and several names on a line for one paragraph
after another; ``$name`` or ``${name}`` within a line stands for words. Editors read the completed
text in stubs, which ``python -m tests.stubs`` writes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

HEADING = re.compile(r"^\$(\w+):\n", re.MULTILINE)
LINE = re.compile(r"( *)(\$\w+(?: \$\w+)*)")
WORD = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
#: What a docstring calls the functions for one, two and three axes, their arrays and kernels.
AXES = tuple(
    {"n": str(n), "nd": f"{n}d", "images": images, "spatial": spatial, "kernel": kernel}
    for n, images, spatial, kernel in (
        (1, "signals", "L", "length of the kernel"),
        (2, "images", "H, W", "height, width of the kernel"),
        (3, "volumes", "D, H, W", "depth, height, width of the kernel"),
    )
)


def paragraphs(text: str) -> dict[str, str]:
    """Return paragraphs by name; a line ``$name:`` stands above each."""
    _, *parts = HEADING.split(inspect.cleandoc(text) + "\n")
    return {name: part.strip("\n") for name, part in zip(parts[::2], parts[1::2], strict=True)}


def complete(text: str, words: Mapping[str, str]) -> str:
    """Return a text in which every placeholder has become what it stands for.

    Raises
    ------
    KeyError
        If a placeholder stands for nothing.
    """
    return "\n".join(_completed(inspect.cleandoc(text), words))


def _completed(text: str, words: Mapping[str, str]) -> Iterator[str]:
    for line in text.split("\n"):
        if "$" not in line:
            yield line
        elif found := LINE.fullmatch(line):
            for name in found[2].split():
                for part in _completed(words[name[1:]], words):
                    yield found[1] + part if part else part
        else:
            yield from _completed(WORD.sub(lambda word: words[word[1] or word[2]], line), words)


def documented(words: Mapping[str, str], **more: str) -> Callable[[Function], Function]:
    """Return a decorator that completes a docstring; ``$name`` is the name of the function."""

    def decorate(function: Function) -> Function:
        if function.__doc__:  # there is none under `python -OO`
            named = {"name": function.__name__, **words, **more}
            function.__doc__ = complete(function.__doc__, named)
        return function

    return decorate


def for_each_ndim(
    define: Callable[[int], Function],
    name: str,
    words: Mapping[str, str],
    **more: tuple[str, str, str],
) -> tuple[Function, Function, Function]:
    """Return three functions that differ in the number of their spatial axes.

    Parameters
    ----------
    define : callable
        Defines a function for a number of axes, and returns it.
    name : str
        The name of the functions, with ``${nd}`` for 1d, 2d and 3d.
    words : mapping
        What placeholders stand for, beside `AXES`.
    **more : tuple of str
        What other placeholders stand for: one text for each of the functions.

    Returns
    -------
    tuple of function
        Each has its own name in tracebacks, too, and can be pickled.
    """

    def make(n: int) -> Function:
        own = {**words, **AXES[n - 1]}
        own.update((key, inspect.cleandoc(texts[n - 1])) for key, texts in more.items())
        made: Any = define(n)
        made.__name__ = made.__qualname__ = complete(name, own)
        made.__code__ = made.__code__.replace(co_name=made.__name__, co_qualname=made.__name__)
        return documented(own)(made)

    return make(1), make(2), make(3)
