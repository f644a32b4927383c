"""pyconv's functions under SciPy's names, for programs that know nothing of pyconv.

`patch_scipy` puts them there, `unpatch_scipy` takes them away; ``python -m pyconv run`` does so for
a program, and ``pytest -p pyconv.patching`` for tests.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pyconv._engine import threads
from pyconv._engine.problem import flag
from pyconv._patching import bindings, ledger
from pyconv._patching.acceptance import FUNCTIONS
from pyconv._patching.stand_ins import Function, Site, Turn

__all__ = ["patch_scipy", "unpatch_scipy"]

#: What ``-p pyconv.patching`` makes pytest import.
pytest_plugins = ("pyconv._patching.pytest_plugin",)

#: The oldest SciPy whose functions ours are like.
OLDEST = (1, 13)

#: id(function) → its site, for every function of SciPy's that was ever replaced, and its stand-in.
_sites: dict[int, Site] = {}
#: Name → the sites of the functions that it had when it was patched: SciPy may hold a function
#: twice, plain and as one that looks at its arguments first.
_places: dict[str, tuple[Site, ...]] = {}
#: The patches that are on, the last one last.
_patches: list[Patch] = []
#: Modules with names that were rebound.
_touched: list[bindings.Reference] = []
_display = ledger.Display()
#: As many threads as a call without a number has.
_AS_SET = nullcontext()


class Patch(AbstractContextManager["Patch"]):
    """Functions of ours in the place of SciPy's, until the block ends.

    Parameters
    ----------
    functions : mapping of str to callable
        Ours, by the full name of SciPy's.
    workers : context manager
        Entered for each call.
    level : int, optional
        What the log shows.
    takes_small : bool, optional
        Whether ours take calls, too, that SciPy would answer sooner.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        workers: AbstractContextManager[object] = _AS_SET,
        level: int | None = None,
        takes_small: bool = False,
    ) -> None:
        self.turns = {name: Turn(f, workers, takes_small) for name, f in functions.items()}
        self.level = level
        self._blocks = 0
        self.put_on()

    def put_on(self) -> None:
        """Put the functions in their places; if that cannot be, all is as it was."""
        with threads.no_fork():
            found = {name: _located(name) for name in self.turns}
            _patches.append(self)
            try:
                _places.update(found)
                _settle()
            except BaseException:
                _patches.remove(self)
                _settle()
                raise

    def take_off(self) -> None:
        """Take the functions away, but those that another patch has put there, too."""
        with threads.no_fork():
            if self in _patches:
                _patches.remove(self)
                _settle()

    def __enter__(self) -> Patch:
        """Enter the block; a patch that was taken off is put on again."""
        with threads.no_fork():
            self._blocks += 1
            if self not in _patches:
                self.put_on()
        return self

    def __exit__(self, *reason: object) -> None:
        """Take the functions away at the end of the outermost block."""
        with threads.no_fork():
            self._blocks -= 1
            if self._blocks <= 0:
                self.take_off()

    def __repr__(self) -> str:
        """Return how many functions are replaced, and whether they are."""
        state = "on" if self in _patches else "off"
        return f"<patch of {len(self.turns)} functions of SciPy, {state}>"


def _located(name: str) -> tuple[Site, ...]:
    """Return the sites of a name; those that it has while it is patched."""
    if name in _places:
        return _places[name]
    module, _, function = name.rpartition(".")
    theirs = getattr(importlib.import_module(module), function, None)
    if not callable(theirs):
        version = importlib.import_module("scipy").__version__
        raise ImportError(
            f"{name} is not where patch_scipy looks for it in SciPy {version}; nothing is patched"
        )
    sites = []
    while theirs is not None:
        site = _sites.get(id(theirs))
        if site is None:
            site = Site(name, theirs, drop_in(name))
            _sites[id(theirs)] = _sites[id(site.stand_in)] = site
        sites.append(site)
        theirs = getattr(site.original, "__wrapped__", None)
    return tuple(sites)


def _settle() -> None:
    """Make the names what the patches that are on say."""
    turns: dict[str, Turn] = {}
    for patch in _patches:
        turns |= patch.turns
    for name in turns:
        for site in _places[name]:
            site.turn = turns[name]
    on = {id(site): site for name in turns for site in _places[name]}
    # Those of all times: somebody may have put one of ours back that was taken away.
    off = [site for site in _sites.values() if id(site) not in on]
    for site in off:
        site.turn = None
    pairs = [(site.original, site.stand_in) for site in on.values()]
    pairs += [(site.stand_in, site.original) for site in off]
    if pairs:
        exchange = bindings.exchange_of(pairs)
        bindings.rebind_in(_touched, exchange)
        _touched.extend(bindings.rebind(exchange))
    for name in _places.keys() - turns.keys():
        del _places[name]
    if not turns:
        _touched.clear()
    levels = [patch.level for patch in _patches if patch.level is not None]
    _display.show(min(levels, default=None))


def drop_in(name: str) -> Function:
    """Return our function for one of SciPy's."""
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module.replace("scipy", "pyconv", 1)), function)


def _chosen(only: str | Iterable[str] | None) -> list[str]:
    """Return full names of functions that words name: ``sobel``, ``ndimage.sobel``, ``ndimage``."""
    if only is None:
        return list(FUNCTIONS)
    try:
        words = [only] if isinstance(only, str) else list(only)
    except TypeError:
        raise TypeError(f"only={only!r}: names of functions or modules are allowed") from None
    chosen: dict[str, None] = {}
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"only={only!r}: names of functions or modules are allowed")
        dotted = f".{word}."
        found = [name for name in FUNCTIONS if dotted in f".{name}." and word != "scipy"]
        if not found:
            raise ValueError(
                f"only={word!r}: allowed are scipy.ndimage, scipy.signal and {', '.join(FUNCTIONS)}"
            )
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _check_scipy() -> None:
    """Raise ImportError for a SciPy that is too old."""
    version = importlib.import_module("scipy").__version__
    parts = tuple(int(part) for part in version.split(".")[:2])
    if parts < OLDEST:
        raise ImportError(
            f"SciPy {version} is too old for patch_scipy, which needs "
            f"{'.'.join(map(str, OLDEST))} or later; nothing is patched"
        )


def patch_scipy(
    *,
    only: str | Iterable[str] | None = None,
    workers: int | None = 1,
    verbose: bool = False,
) -> AbstractContextManager[Any]:
    """Put pyconv's functions in the place of SciPy's, for every module of the process.

    The functions of `pyconv.ndimage` and `pyconv.signal` get the names that theirs have in
    `scipy.ndimage` and `scipy.signal`, in every module that has bound them, SciPy's own included,
    and in those that will import them. Calls that they do not take go on to SciPy's functions.

    Parameters
    ----------
    only : str or iterable of str, optional
        What is replaced: modules (``scipy.signal``) and functions (``scipy.ndimage.sobel`` or
        ``sobel``); by default all.
    workers : int, optional
        Threads of each call, as `pyconv.set_workers` takes them: 1, as SciPy's functions use. None
        is what `pyconv.get_workers` says at the time of a call.
    verbose : bool, optional
        Show on standard error, for each call, which function ran, and why if it was SciPy's.

    Returns
    -------
    context manager
        The functions are in their places at once; SciPy's are back when its block ends. A name that
        two patches hold is SciPy's again when both have ended.

    Raises
    ------
    ImportError
        For a SciPy that is too old, or lacks a function: the message says which.
    TypeError, ValueError
        For names that are not replaced, and numbers of workers that are not allowed.

    In all cases the names are then what they were.

    See Also
    --------
    unpatch_scipy : all of SciPy's functions back in their places.

    Notes
    -----
    What is promised is what `pyconv.ndimage` and `pyconv.signal` promise. SciPy's functions answer
    where ours do not take the arguments: masked arrays, quantities and other subclasses of arrays,
    arrays of other libraries, lists in the place of an image, objects, float16 and longdouble,
    kernels of more than three dimensions, keywords that ours do not know, and whatever raises an
    error. So they do where they are faster: for small arrays.

    The logger ``pyconv.patching`` tells of each call at the level INFO; the environment variable
    ``PYCONV_LOG`` (``1``, or a level) shows that without `verbose`.

    Functions that are kept elsewhere than under a name of a module, in a class or as a default, are
    not replaced.

    Examples
    --------
    >>> import pyconv
    >>> from scipy import ndimage
    >>> plain = {"sobel": ndimage.sobel}
    >>> with pyconv.patch_scipy(only="scipy.ndimage"):
    ...     ndimage.sobel is plain["sobel"], ndimage.sobel([0, 1, 4])
    (False, array([1, 4, 3]))
    >>> ndimage.sobel is plain["sobel"]
    True
    """
    names, verbose = _chosen(only), flag(verbose, "verbose")
    number = _AS_SET if workers is None else threads.block(workers)
    level = ledger.wanted_level()
    if verbose:
        level = min(logging.INFO, level or logging.INFO)
    _check_scipy()
    return Patch({name: drop_in(name) for name in names}, number, level)


def unpatch_scipy() -> None:
    """Put all of SciPy's functions back in their places, however often they were replaced.

    Every name that was bound to a function of SciPy's is bound to that function again. Patches
    whose blocks go on end here.

    See Also
    --------
    patch_scipy : pyconv's functions in the place of SciPy's.

    Examples
    --------
    >>> import pyconv
    >>> from scipy import signal
    >>> plain = [signal.fftconvolve]
    >>> patch = pyconv.patch_scipy()
    >>> signal.fftconvolve in plain
    False
    >>> pyconv.unpatch_scipy()
    >>> signal.fftconvolve in plain
    True
    """
    with threads.no_fork():
        _patches.clear()
        _settle()
