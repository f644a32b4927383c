"""pyconv's functions under SciPy's and astropy's names, for programs that know nothing of pyconv.

`patch_scipy` puts them there, `unpatch_scipy` takes them away; ``python -m pyconv run`` does so for
a program, and ``pytest -p pyconv.patching`` for tests. `patch_astropy` and `unpatch_astropy` do the
same with the convolutions of astropy, ``--astropy`` and ``--pyconv-astropy`` for those two.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from pyconv._engine import threads
from pyconv._engine.problem import flag
from pyconv._patching import bindings, ledger
from pyconv._patching.acceptance import ASTROPY_FUNCTIONS, FUNCTIONS, Kind
from pyconv._patching.stand_ins import Function, Site, Turn

__all__ = ["patch_astropy", "patch_scipy", "unpatch_astropy", "unpatch_scipy"]

#: What ``-p pyconv.patching`` makes pytest import.
pytest_plugins = ("pyconv._patching.pytest_plugin",)


class Library(NamedTuple):
    """A package whose functions ours take the place of."""

    package: str
    #: The oldest version whose functions ours are like.
    oldest: tuple[int, int]
    functions: Mapping[str, Kind]
    #: Its modules with such functions.
    modules: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name of the package as it is written."""
        return ledger.TITLES[self.package]

    def version(self) -> str:
        """Return the version that is installed; ImportError for none."""
        version: str = importlib.import_module(self.package).__version__
        return version

    def check(self) -> None:
        """Raise ImportError for a version that is too old, or none."""
        try:
            version = self.version()
        except ModuleNotFoundError as error:
            if error.name != self.package:
                raise
            raise ImportError(
                f"patch_{self.package} needs {self.package}: pip install "
                f"'pyconv-nd[{self.package}]'; nothing is patched"
            ) from error
        if tuple(int(part) for part in version.split(".")[:2]) < self.oldest:
            raise ImportError(
                f"{self.title} {version} is too old for patch_{self.package}, which needs "
                f"{'.'.join(map(str, self.oldest))} or later; nothing is patched"
            )

    def chosen(self, only: str | Iterable[str] | None) -> list[str]:
        """Return full names of functions that words name: ``ndimage.sobel``, ``ndimage``."""
        if only is None:
            return list(self.functions)
        try:
            words = [only] if isinstance(only, str) else list(only)
        except TypeError:
            raise TypeError(f"only={only!r}: names of functions or modules are allowed") from None
        chosen: dict[str, None] = {}
        for word in words:
            if not isinstance(word, str):
                raise TypeError(f"only={only!r}: names of functions or modules are allowed")
            dotted = f".{word}."
            found = [n for n in self.functions if dotted in f".{n}." and word != self.package]
            if not found:
                raise ValueError(
                    f"only={word!r}: allowed are {', '.join((*self.modules, *self.functions))}"
                )
            chosen |= dict.fromkeys(found)
        return list(chosen)


SCIPY = Library("scipy", (1, 13), FUNCTIONS, ("scipy.ndimage", "scipy.signal"))
ASTROPY = Library("astropy", (6, 0), ASTROPY_FUNCTIONS, ("astropy.convolution",))

#: id(function) → its site, for every function that was ever replaced, and its stand-in.
_sites: dict[int, Site] = {}
#: Name → the sites of the functions that it had when it was patched: a package may hold a function
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
    """Functions of ours in the place of another package's, until the block ends.

    Parameters
    ----------
    functions : mapping of str to callable
        Ours, by the full name of the others.
    workers : context manager
        Entered for each call.
    level : int, optional
        What the log shows.
    takes_small : bool, optional
        Whether ours take calls, too, that the others would answer sooner.
    library : Library, optional
        Whose functions they are.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        workers: AbstractContextManager[object] = _AS_SET,
        level: int | None = None,
        takes_small: bool = False,
        library: Library = SCIPY,
    ) -> None:
        self.library = library
        self.turns = {name: Turn(f, workers, takes_small) for name, f in functions.items()}
        self.level = level
        self._blocks = 0
        self.put_on()

    def put_on(self) -> None:
        """Put the functions in their places; if that cannot be, all is as it was."""
        with threads.no_fork():
            found = {name: _located(name, self.library) for name in self.turns}
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
        return f"<patch of {len(self.turns)} functions of {self.library.title}, {state}>"


def _located(name: str, library: Library) -> tuple[Site, ...]:
    """Return the sites of a name; those that it has while it is patched."""
    if name in _places:
        return _places[name]
    # Ours know the originals: they are imported before anything is in their place.
    ours = drop_in(name)
    module, _, function = name.rpartition(".")
    theirs = getattr(importlib.import_module(module), function, None)
    if not callable(theirs):
        raise ImportError(
            f"{name} is not where patch_{library.package} looks for it in {library.title} "
            f"{library.version()}; nothing is patched"
        )
    sites = []
    while theirs is not None:
        site = _sites.get(id(theirs))
        if site is None:
            site = Site(name, theirs, ours)
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
    """Return our function for one of SciPy's or astropy's."""
    module, _, function = name.rpartition(".")
    if module == "astropy.convolution":
        importlib.import_module("pyconv._astropy.theirs")
        return getattr(importlib.import_module("pyconv.astropy"), function)
    return getattr(importlib.import_module(module.replace("scipy", "pyconv", 1)), function)


def _patched(
    library: Library, only: str | Iterable[str] | None, workers: int | None, verbose: bool
) -> Patch:
    """Return a patch that is on, of functions that words name."""
    names, verbose = library.chosen(only), flag(verbose, "verbose")
    number = _AS_SET if workers is None else threads.block(workers)
    level = ledger.wanted_level()
    if verbose:
        level = min(logging.INFO, level or logging.INFO)
    library.check()
    return Patch({name: drop_in(name) for name in names}, number, level, library=library)


def _unpatched(library: Library) -> None:
    """Take all patches of a package away."""
    with threads.no_fork():
        _patches[:] = [patch for patch in _patches if patch.library is not library]
        _settle()


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
    return _patched(SCIPY, only, workers, verbose)


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
    _unpatched(SCIPY)


def patch_astropy(
    *,
    only: str | Iterable[str] | None = None,
    workers: int | None = 1,
    verbose: bool = False,
) -> AbstractContextManager[Any]:
    """Put pyconv's functions in the place of astropy's convolutions, for every module.

    The functions of `pyconv.astropy` get the names that theirs have in `astropy.convolution`, in
    every module that has bound them, and in those that will import them. Calls that they do not
    take go on to astropy's functions.

    Parameters
    ----------
    only : str or iterable of str, optional
        What is replaced: ``convolve``, ``convolve_fft``, ``interpolate_replace_nans``, or full
        names; by default all.
    workers : int, optional
        Threads of each call, as for `patch_scipy`: 1, as astropy's functions use.
    verbose : bool, optional
        Show on standard error, for each call, which function ran, and why if it was astropy's.

    Returns
    -------
    context manager
        As `patch_scipy` returns it: the functions are in their places at once, and astropy's are
        back when its block ends.

    Raises
    ------
    ImportError
        Without astropy, or with one that is too old or lacks a function.
    TypeError, ValueError
        For names that are not replaced, and numbers of workers that are not allowed.

    See Also
    --------
    unpatch_astropy : astropy's functions back in their places.
    patch_scipy : the same for SciPy's functions.

    Notes
    -----
    astropy's functions answer what only ours allow (other boundaries, `axes`), whatever raises an
    error, and small calls, which they answer sooner.

    Examples
    --------
    >>> import pyconv
    >>> import astropy.convolution
    >>> plain = [astropy.convolution.convolve]
    >>> with pyconv.patch_astropy():
    ...     astropy.convolution.convolve in plain
    False
    >>> astropy.convolution.convolve in plain
    True
    """
    return _patched(ASTROPY, only, workers, verbose)


def unpatch_astropy() -> None:
    """Put all of astropy's functions back in their places, however often they were replaced.

    See Also
    --------
    patch_astropy : pyconv's functions in the place of astropy's.

    Examples
    --------
    >>> import pyconv
    >>> import astropy.convolution
    >>> patch = pyconv.patch_astropy()
    >>> pyconv.unpatch_astropy()
    >>> patch
    <patch of 3 functions of astropy, off>
    """
    _unpatched(ASTROPY)
