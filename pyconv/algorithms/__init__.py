"""ALGORITHMS: every way to solve a problem, in the order in which ``explain`` lists them.

To add an algorithm, add its file and one entry here. ``reference`` takes everything and
stays last.
"""

from pyconv.algorithms.base import Algorithm
from pyconv.algorithms.direct import Direct
from pyconv.algorithms.fft import Fft
from pyconv.algorithms.im2col import Im2col
from pyconv.algorithms.reference import Reference

ALGORITHMS: tuple[Algorithm, ...] = (Direct(), Fft(), Im2col(), Reference())

__all__ = ["ALGORITHMS", "Algorithm"]
