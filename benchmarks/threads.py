"""COUNT: the threads that every contender of this process may use, ours and the peers.

It is set before the process starts, as BLAS and OpenMP read their limits when they are loaded.
"""

import os

VARIABLE = "PYCONV_BENCHMARK_THREADS"
COUNT = int(os.environ.get(VARIABLE, "1"))

#: Read by OpenMP, the BLAS libraries, numba and libvips.
LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VIPS_CONCURRENCY",
)


def environment(count: int) -> dict[str, str]:
    """Return the variables that hold a process to ``count`` threads."""
    return dict.fromkeys((VARIABLE, *LIMITS), str(count))
