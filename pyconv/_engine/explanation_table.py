"""The table of the algorithms that could answer a call, and of the one that runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Candidate:
    """One algorithm beside a call; a row of the table. Numbers are None where it cannot run."""

    #: The word for ``method=``.
    algorithm: str
    #: Why it cannot answer the call, None if it can.
    rejected: str | None
    chosen: bool
    #: Bytes that one thread needs besides the arrays.
    workspace: int | None
    #: The proven bound on max|y − exact| / (max|x| · Σ|w|); of a layer, of Σ|x||w| of a window.
    error_bound: float | None
    #: Predicted time on one thread.
    seconds: float | None


class Explanation:
    """What would run for a call, and why; its ``str`` is a table. `explain` makes it.

    Parameters
    ----------
    call : str
        The shapes and dtypes of the call.
    options : str
        What else decides.
    candidates : tuple of Candidate
        A row for each algorithm.
    flops, nbytes : int
        Operations of the definition, and bytes of the arrays.
    sums : dtype
        In which dtype products are summed.
    instead : str, optional
        What is summed in the place of the call as written, if something is.
    most_sums : int, optional
        How many sums the call makes at most.

    Attributes
    ----------
    algorithm : str
        The name of the algorithm that runs.
    candidates : tuple
        A row for each algorithm, with the attributes ``algorithm``, ``rejected`` (why it cannot
        run, or None), ``chosen``, ``workspace`` (bytes of one thread), ``error_bound`` (proven,
        as a part of ``max|x| * sum|w|``) and ``seconds`` (predicted, on one thread).
    flops : int
        Operations of the definition: a multiplication and an addition for each weight of each
        result.
    nbytes : int
        Bytes of the array, the weights and the result, which every algorithm reads or writes.
    sums : dtype
        In which dtype products are summed.
    instead : str
        What is summed in the place of the call as written, and by which algorithm: a kernel that is
        longer than the array is cut to the weights that read samples, or exchanged with the array.
        Rows are of the call as written, which also runs where the data do not allow for the other
        (NaN and infinity). Empty where the call is summed as written.
    most_sums : int
        How many sums like that of a row the call makes at most: 1; where samples may be left out
        4 (of samples and of weights) or 6 (of their magnitudes, too, where weights have both
        signs), half of them only if little was seen of the weights of a result.

    See Also
    --------
    explain : make one.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> w = np.arange(31 * 31, dtype="float32").reshape(31, 31)
    >>> why = pyconv.explain(shape=(512, 512), w=w % 7, rtol=0)
    >>> why.algorithm
    'direct'
    >>> [row.rejected for row in why.candidates if row.algorithm == "fft"]
    ['its proven error bound of ... is more than rtol=0']
    """

    __slots__ = (
        "_call", "_options", "algorithm", "candidates", "flops", "instead", "most_sums", "nbytes",
        "sums",
    )  # fmt: skip

    def __init__(
        self,
        call: str,
        options: str,
        candidates: tuple[Candidate, ...],
        flops: int,
        nbytes: int,
        sums: np.dtype,
        instead: str = "",
        most_sums: int = 1,
    ) -> None:
        self._call = call
        self._options = options
        self.algorithm = next(c.algorithm for c in candidates if c.chosen)
        self.candidates = candidates
        self.flops = flops
        self.nbytes = nbytes
        self.sums = sums
        self.instead = instead
        self.most_sums = most_sums

    def __reduce__(self) -> tuple[object, ...]:
        """Return the arguments that made it, for copies and pickles."""
        call = (self._call, self._options, self.candidates, self.flops, self.nbytes, self.sums)
        return Explanation, (*call, self.instead, self.most_sums)

    def __str__(self) -> str:
        """Return the table."""
        head = (
            f"{self._call}, summed in {self.sums}\n"
            f"by definition {scaled(self.flops)}flop; arrays {scaled(self.nbytes)}B; "
            f"{self._options}\n"
        )
        if self.instead:
            head += f"in its place: {self.instead}\n"
        lines = [head]
        rows = [("", "algorithm", "predicted", "flop/s", "workspace", "error bound", "")]
        rows += [self._words(c) for c in self.candidates]
        widths = [max(len(row[i]) for row in rows) for i in range(6)]
        for row in rows:
            cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
            cells += [row[i].rjust(widths[i]) for i in range(2, 6)]
            lines.append("  ".join([*cells, row[6]]).rstrip())
        return "\n".join(lines)

    def _words(self, row: Candidate) -> tuple[str, str, str, str, str, str, str]:
        mark = "->" if row.chosen else ""
        if row.seconds is None or row.workspace is None or row.error_bound is None:
            return (mark, row.algorithm, "-", "-", "-", "-", f"cannot: {row.rejected}")
        reason = "chosen" if row.chosen else f"cannot: {row.rejected}" if row.rejected else ""
        return (
            mark,
            row.algorithm,
            f"{scaled(row.seconds)}s",
            f"{scaled(self.flops / row.seconds)}" if row.seconds else "-",
            f"{scaled(row.workspace)}B",
            f"{row.error_bound:.2g}" if row.error_bound else "exact",
            reason,
        )

    def __repr__(self) -> str:
        """Return the table, so that a prompt shows it."""
        return str(self)


def scaled(value: float) -> str:
    """Return a number with a prefix: 0.0012 → '1.2 m'."""
    if value == 0:
        return "0 "
    prefixes = {-3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"}
    power = max(-3, min(5, math.floor(math.log10(abs(value)) / 3)))
    return f"{value / 1000.0**power:.3g} {prefixes[power]}"
