"""ISAS: the instruction-set variants that the loops are compiled for, widest last.

``setup.py`` builds one extension a row from the shim ``<name>.pyx``; the loader imports the
widest one that the CPU can run. This module imports nothing of the package, so that the build
can read it.
"""

from typing import NamedTuple


class Isa(NamedTuple):
    """One variant of the loops."""

    name: str
    #: CPU features that must be present, as ``cpu.features()`` spells them.
    features: tuple[str, ...]
    #: Compiler flags of GCC and Clang.
    flags: tuple[str, ...]
    #: Compiler flags of MSVC.
    msvc_flags: tuple[str, ...]
    #: Machines it is built for, as ``platform.machine()`` spells them; empty for all.
    machines: tuple[str, ...]


_X86_64 = ("x86_64", "AMD64", "amd64")

ISAS: tuple[Isa, ...] = (
    Isa("baseline", (), (), (), ()),
    Isa("avx2", ("avx2", "fma"), ("-mavx2", "-mfma"), ("/arch:AVX2",), _X86_64),
    Isa(
        "avx512",
        ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"),
        (
            "-mavx2",
            "-mfma",
            "-mavx512f",
            "-mavx512bw",
            "-mavx512dq",
            "-mavx512vl",
            "-mprefer-vector-width=512",
        ),
        ("/arch:AVX512",),
        _X86_64,
    ),
)
