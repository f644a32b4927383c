"""Missing samples: y[i] = W · Σ_u m·x·w[u] / Σ_u m·w[u], with m = 1 for what was seen, else 0.

Both sums are correlations of the same shapes, W = Σ_u w[u]; with nothing missing y is the plain
sum. Knutsson and Westin call it normalised convolution. The quotient of the sums is the value that
fills the gaps of a window. It is a mean of samples only while weights of both signs do not cancel.

``mask`` finds what is missing. ``weights`` decides which kernels may leave it out. ``call`` is a
call that does. ``precision`` decides which results are computed once more. ``block_sums`` computes
both sums of a block of outputs at a time, and ``blocks`` cuts the outputs into blocks.
``fill`` is for kernels that may not leave samples out.
"""

from __future__ import annotations

from pyconv._calls.missing.call import coverage
from pyconv._calls.missing.fill import fill_gaps

__all__ = ["coverage", "fill_gaps"]
