# What loops know that leave missing samples out: of gaps.h, and of one array.

cdef extern from "gaps.h":
    ctypedef int (*gaps_clear)(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                               unsigned char* seen) noexcept nogil
    ctypedef struct gaps_weights:
        double whole
        double sign
        double least
        double tiny
    ctypedef void (*gaps_divide)(void* y, const void* d, Py_ssize_t step, Py_ssize_t n, int parts,
                                 const gaps_weights* weights) noexcept nogil
    int gaps_clear_1(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                     unsigned char* seen) noexcept nogil
    int gaps_clear_2(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                     unsigned char* seen) noexcept nogil
    int gaps_clear_4(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                     unsigned char* seen) noexcept nogil
    int gaps_clear_8(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                     unsigned char* seen) noexcept nogil
    int gaps_clear_16(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                      unsigned char* seen) noexcept nogil
    int gaps_clear_half(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                        unsigned char* seen) noexcept nogil
    int gaps_clear_float(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                         unsigned char* seen) noexcept nogil
    int gaps_clear_double(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                          unsigned char* seen) noexcept nogil
    int gaps_clear_complex_float(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                                 unsigned char* seen) noexcept nogil
    int gaps_clear_complex_double(const void* x, const unsigned char* mask, Py_ssize_t n, void* out,
                                  unsigned char* seen) noexcept nogil
    int gaps_any_nan_float(const float* x, Py_ssize_t n) noexcept nogil
    int gaps_any_nan_double(const double* x, Py_ssize_t n) noexcept nogil
    int gaps_split(void* x, void* seen, Py_ssize_t n, int nan, int masked) noexcept nogil
    int gaps_split_float(float* x, float* seen, Py_ssize_t n, int nan, int masked) noexcept nogil
    int gaps_split_double(double* x, double* seen, Py_ssize_t n, int nan,
                          int masked) noexcept nogil
    void gaps_quotients(void* y, const void* d, Py_ssize_t step, Py_ssize_t n, int parts,
                        const gaps_weights* weights) noexcept nogil
    void gaps_divide_float(void* y, const void* d, Py_ssize_t step, Py_ssize_t n, int parts,
                           const gaps_weights* weights) noexcept nogil
    void gaps_divide_double(void* y, const void* d, Py_ssize_t step, Py_ssize_t n, int parts,
                            const gaps_weights* weights) noexcept nogil

cdef double NOTHING = 0         # of either type: its first bytes are a float of 0


cdef struct Gaps:
    # Samples that are missing: NaN, those under a mask, or both.
    bint nan, masked
    bint careful                    # some weights are so small that W / Σ m·w might overflow
    Source mask                     # nothing is masked outside
    Py_ssize_t z_stride, y_stride   # of the mask, in bytes
    const char* samples
    const Py_ssize_t* batch
    gaps_weights weights
