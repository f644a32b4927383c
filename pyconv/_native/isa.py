"""ISAS: the instruction-set variants that the loops are compiled for, widest last.

``setup.py`` builds a package of extensions for each row, one for each family of loops, from the
shims ``<isa>/<family>.pyx``; the loader imports the widest variant that the CPU can run. This
module imports nothing of the package, so that the build can read it.
"""

from __future__ import annotations

from typing import NamedTuple

#: The families of loops: `families/<family>.pxi` lists the files of each. A change of a loop
#: compiles the families again that include its file.
FAMILIES = ("windows", "filters", "layers")


class Isa(NamedTuple):
    """One variant of the loops."""

    name: str
    #: CPU features that must be present, as ``cpu.features()`` spells them.
    features: tuple[str, ...]
    #: Compiler flags of GCC and Clang.
    flags: tuple[str, ...]
    #: Compiler flags of MSVC.
    msvc_flags: tuple[str, ...]
    #: Machines it is built for, as ``sysconfig.get_platform()`` ends; empty for all.
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
