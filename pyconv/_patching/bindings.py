"""Every name of every module that is bound to a function, and the exchange of that function.

Names are changed in the dictionaries of modules: no attribute is asked for, so that modules which
import others when they are asked for something do not. What other threads see is one or the other.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: Packages whose names keep what they are bound to.
KEPT = frozenset(("pyconv",))
#: Walks at most: while one goes on, another thread may import a module that binds a name.
WALKS = 4
#: Packages whose functions are exchanged: others get their names from there.
SOURCES = frozenset(("scipy", "astropy"))

#: id(value) → the value, and what takes its place.
Exchange = Mapping[int, tuple[Any, Any]]
#: Returns a module, or None where it is gone.
Reference = weakref.ref[Any]


def exchange_of(pairs: Iterable[tuple[Any, Any]]) -> Exchange:
    """Return the exchange of the first of each pair for the second."""
    return {id(old): (old, new) for old, new in pairs}


def _namespace(module: object) -> dict[str, Any] | None:
    """Return the dictionary of a module, which may be any object, without waking a lazy one."""
    try:
        namespace = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    return namespace if type(namespace) is dict else None


def _modules() -> Iterator[tuple[object, dict[str, Any]]]:
    """Yield the modules of the process, those first that others get their names from."""
    named = sorted(
        sys.modules.copy().items(), key=lambda item: item[0].partition(".")[0] not in SOURCES
    )
    for name, module in named:
        if name.partition(".")[0] not in KEPT:
            namespace = _namespace(module)
            if namespace is not None:
                yield module, namespace


def rebind(exchange: Exchange) -> list[Reference]:
    """Exchange what names of modules are bound to; return the modules that had such names."""
    touched: dict[int, Reference] = {}
    for _ in range(WALKS):
        found = False
        for module, namespace in _modules():
            if _rebind_in(namespace, exchange):
                found = True
                touched[id(module)] = _reference(module)
        if not found:
            break
    return list(touched.values())


def rebind_in(modules: Iterable[Reference], exchange: Exchange) -> None:
    """Exchange what names are bound to in modules that the process may have forgotten."""
    for reference in modules:
        namespace = _namespace(reference())
        if namespace is not None:
            _rebind_in(namespace, exchange)


def _rebind_in(namespace: dict[str, Any], exchange: Exchange) -> bool:
    if exchange.keys().isdisjoint(map(id, list(namespace.values()))):
        return False
    found = False
    for name, value in namespace.copy().items():
        old, new = exchange.get(id(value), (None, None))
        if old is not None and old is value:
            namespace[name] = new
            found = True
    return found


def _reference(module: object) -> Any:
    try:
        return weakref.ref(module)
    except TypeError:  # an object that stands in the place of a module
        return lambda: module
