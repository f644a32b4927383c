# cython: language_level=3, freethreading_compatible=True
"""The one wrapper of BLAS: C = A · B on row-major matrices, through SciPy's.

The loops take the functions by address, so that SciPy's linear algebra is imported only by
who multiplies matrices.
"""

from libc.stdint cimport uintptr_t
from scipy.linalg.cython_blas cimport dgemm, sgemm


cdef void multiply_float(int m, int n, int k, const float* a, const float* b,
                         float* c) noexcept nogil:
    """C (m × n) = A (m × k) · B (k × n); BLAS, which reads columns, is asked for Cᵀ = Bᵀ · Aᵀ."""
    cdef float one = 1, zero = 0
    sgemm("N", "N", &n, &m, &k, &one, <float*>b, &n, <float*>a, &k, &zero, c, &n)


cdef void multiply_double(int m, int n, int k, const double* a, const double* b,
                          double* c) noexcept nogil:
    """C (m × n) = A (m × k) · B (k × n)."""
    cdef double one = 1, zero = 0
    dgemm("N", "N", &n, &m, &k, &one, <double*>b, &n, <double*>a, &k, &zero, c, &n)


def multiply_address(name):
    """Return the address of the product of matrices of dtype ``name``."""
    if name == "float32":
        return <uintptr_t>&multiply_float
    if name == "float64":
        return <uintptr_t>&multiply_double
    raise TypeError(f"BLAS multiplies float32 and float64, not {name}")
