"""The functions that stand under others' names: ours where they take a call, else theirs."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from pyconv._patching import ledger
from pyconv._patching.acceptance import KINDS, overwrites, refusal

Function = Callable[..., Any]

#: Errors of arguments: the original is asked for its own, or for the result that it has.
REFUSALS = (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError)
#: Characters of a reason.
LONGEST = 200


class Turn(NamedTuple):
    """Whose turn it is under a name: a function of ours, and the number of its threads."""

    function: Function
    workers: AbstractContextManager[object]
    #: Whether ours take calls, too, that the original would answer sooner.
    takes_small: bool


class _Within(threading.local):
    """Whether this thread is in an original that answers for itself, helpers included."""

    original = False


_within = _Within()


class Site:
    """A function of another package and what stands in its place.

    Without a turn the stand-in is that function: so it is for whoever has kept it.
    """

    def __init__(self, name: str, original: Function, drop_in: Function) -> None:
        self.name = name
        self.original = original
        self.turn: Turn | None = None
        kind = KINDS[name]
        #: Why a call is not for ours; and if ours take small ones, too.
        self.refuses = refusal(kind, drop_in)
        self.refuses_of_any_size = refusal(kind, drop_in, takes_small=True)
        self.stand_in = _stand_in(self)


def _stand_in(site: Site) -> Function:
    name, original, is_listening = site.name, site.original, ledger.is_listening
    refuses, refuses_of_any_size = site.refuses, site.refuses_of_any_size

    # A name and a module like the original's: a pickle says where to find it, and no more.
    @functools.wraps(original)
    def call(*args: Any, **keywords: Any) -> Any:
        turn = site.turn
        if turn is None or _within.original:
            return original(*args, **keywords)
        listens = is_listening()
        begun = time.perf_counter() if listens else 0.0
        reason = (refuses_of_any_size if turn.takes_small else refuses)(args, keywords)
        if reason is None:
            try:
                with turn.workers:
                    result = turn.function(*args, **keywords)
            except REFUSALS as error:
                if overwrites(args, keywords):
                    raise
                reason = f"pyconv raises {type(error).__name__}: {error}"[:LONGEST]
            else:
                if listens:
                    ledger.tell(name, None, time.perf_counter() - begun)
                return result
        _within.original = True
        try:
            return original(*args, **keywords)
        except Exception as error:
            reason = f"the call raises {type(error).__name__}"
            raise
        finally:
            _within.original = False
            if listens:
                ledger.tell(name, reason, time.perf_counter() - begun)

    return call
