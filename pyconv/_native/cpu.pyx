# cython: freethreading_compatible=True
"""Who made this CPU, and its features that the variants of the loops ask for."""

cdef extern from "cpu.h":
    int cpu_has_avx2() noexcept nogil
    int cpu_has_fma() noexcept nogil
    int cpu_has_avx512f() noexcept nogil
    int cpu_has_avx512bw() noexcept nogil
    int cpu_has_avx512dq() noexcept nogil
    int cpu_has_avx512vl() noexcept nogil
    void cpu_vendor(char* letters) noexcept nogil


def features():
    """Return the names of the features that CPU and operating system both support."""
    present = {
        "avx2": cpu_has_avx2(),
        "fma": cpu_has_fma(),
        "avx512f": cpu_has_avx512f(),
        "avx512bw": cpu_has_avx512bw(),
        "avx512dq": cpu_has_avx512dq(),
        "avx512vl": cpu_has_avx512vl(),
    }
    return [name for name, has in present.items() if has]


def vendor():
    """Return the vendor as the CPU spells it, like ``AuthenticAMD``, or an empty text."""
    cdef char letters[12]
    cpu_vendor(letters)
    return letters[:12].decode("ascii", "replace").strip("\0")
