"""Check the C that Cython makes of the loops, as compilers of other systems read it.

    python tools/syntax_check.py
    python tools/syntax_check.py --only windows

The package ``ziglang`` has a Clang and the headers of C libraries; nothing is linked or run. The
headers of Python and NumPy are those of this environment, with the sizes of the other system. MSVC
itself is not here: Clang stands in for it, without vector types, in C11 without GNU's extensions.
The exit status is 1 if a target has errors or warnings.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
NATIVE = Path("pyconv", "_native")
TABLES = runpy.run_path(str(ROOT / NATIVE / "isa.py"))

#: What Python's PC/pyconfig.h says of 64-bit Windows, as far as its headers ask.
WINDOWS_PYCONFIG = """
#include <io.h>
#include <basetsd.h>
#define MS_WIN32
#define MS_WIN64
#define MS_WINDOWS
#define NT_THREADS
#define PLATFORM "win32"
#define HAVE_PY_SSIZE_T 1
typedef __int64 Py_ssize_t;
#define PY_SSIZE_T_MAX 9223372036854775807LL
#define PY_LLONG_MIN (-9223372036854775807LL - 1)
#define PY_LLONG_MAX 9223372036854775807LL
#define PY_ULLONG_MAX 18446744073709551615ULL
#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define SIZEOF_VOID_P 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_OFF_T 4
#define SIZEOF_FPOS_T 8
#define SIZEOF_PID_T 4
#define SIZEOF_WCHAR_T 2
#define ALIGNOF_LONG 4
#define ALIGNOF_SIZE_T 8
#define HAVE_STDINT_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_STDDEF_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_WCHAR_H 1
#define HAVE_DECL_ISNAN 1
#define STDC_HEADERS 1
#define WITH_THREAD
"""
#: NumPy's configuration: what is of another size on Windows.
WINDOWS_SIZES = {"LONG": 4, "OFF_T": 4, "WCHAR_T": 2, "LONGDOUBLE": 8}
#: Macros of Linux in the headers of Python and NumPy.
LINUX_ONLY = r"^#define (?:HAVE_(?:ENDIAN_H|SYS_RANDOM_H)|NPY_HAVE_ENDIAN_H)\b.*$"

#: Clang's options. Loops are compiled once for each type, so that much is unused; Cython's
#: temporaries are not const.
COMMON = (
    "-fsyntax-only", "-nostdinc", "-O2", "-DNDEBUG", "-Wall", "-Wno-unused-function",
    "-Wno-incompatible-pointer-types-discards-qualifiers", "-Wno-unused-but-set-variable",
)  # fmt: skip
GNU = ("-std=gnu11",)
MINGW = (*GNU, "-fms-extensions", "-D_UCRT", "-D__MSVCRT_VERSION__=0xE00")
#: The headers of Windows here are MinGW's. They are read as by MinGW's compilers, and what follows
#: as by clang-cl or MSVC.
WINDOWS_HEADERS = """
#include <Python.h>
#include <numpy/arrayobject.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <intrin.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif
#define __INTRIN_H
#undef __GNUC__
#undef _MSC_VER
#define _MSC_VER 1940
"""
CLANG_CL = """
#ifdef __x86_64__
#undef _M_X64
#define _M_X64 100
void __cpuidex(int [4], int, int);
#endif
"""
#: What MSVC has no word for is an error.
MSVC = (
    CLANG_CL
    + """
#undef __clang__
#undef __x86_64__
#undef __SSE4_1__
#undef __declspec
#undef __forceinline
#define __forceinline inline
#define CYTHON_FALLTHROUGH
#undef _Py_NO_RETURN
#define _Py_NO_RETURN
#define __attribute__(words) no attributes here
#define __asm__ no assembler here
#define __builtin_prefetch no built-in function here
"""
)
X86_64, OTHERS = tuple(isa.name for isa in TABLES["ISAS"]), ("baseline",)


class Target(NamedTuple):
    """A system, and the compiler that reads the loops there."""

    triple: str
    #: Folders of a C library, in `lib/libc/include` of the package.
    headers: tuple[str, ...]
    #: Whose the headers of Python and NumPy are: "linux", "macos" or "windows".
    system: str
    variants: tuple[str, ...]
    options: tuple[str, ...] = GNU
    #: What is read between the headers of the system and the loops.
    prelude: str = ""


LINUX = ("any-linux-any",)
TARGETS = {
    "linux-arm64": Target(
        "aarch64-linux-gnu",
        ("aarch64-linux-gnu", "generic-glibc", "aarch64-linux-any", *LINUX),
        "linux", OTHERS,
    ),
    "musl-x86_64": Target(
        "x86_64-linux-musl",
        ("x86_64-linux-musl", "x86-linux-musl", "generic-musl", "x86-linux-any", *LINUX),
        "linux", X86_64,
    ),
    "musl-arm64": Target(
        "aarch64-linux-musl", ("aarch64-linux-musl", "generic-musl", *LINUX), "linux", OTHERS
    ),
    "macos-arm64": Target("arm64-apple-macosx12", ("any-darwin-any",), "macos", OTHERS),
    "macos-x86_64": Target("x86_64-apple-macosx12", ("any-darwin-any",), "macos", X86_64),
    "windows-x86_64": Target(
        "x86_64-w64-mingw32", ("any-windows-any",), "windows", X86_64, MINGW, CLANG_CL
    ),
    "windows-arm64": Target(
        "aarch64-w64-mingw32", ("any-windows-any",), "windows", OTHERS, MINGW, CLANG_CL
    ),
    "windows-x86_64-msvc": Target(
        "x86_64-w64-mingw32", ("any-windows-any",), "windows", X86_64, (*MINGW, "-mxsave"), MSVC
    ),
}  # fmt: skip


def edited(path: Path, pattern: str, text: str) -> None:
    """Replace what a pattern matches in a file."""
    path.write_text(re.sub(pattern, text, path.read_text(), flags=re.MULTILINE))


def headers_of(system: str, folder: Path) -> list[Path]:
    """Return where Python's and NumPy's headers are, as they are on another system."""
    if system == "linux":
        return [Path(sysconfig.get_paths()["include"]), Path(np.get_include())]
    python, numpy = folder / f"python-{system}", folder / f"numpy-{system}"
    shutil.copytree(sysconfig.get_paths()["include"], python)
    shutil.copytree(np.get_include(), numpy)
    sizes = numpy / "numpy" / "_numpyconfig.h"
    edited(sizes, LINUX_ONLY, "")
    if system == "windows":
        (python / "pyconfig.h").write_text(WINDOWS_PYCONFIG)
        for name, size in WINDOWS_SIZES.items():
            edited(sizes, rf"^#define NPY_SIZEOF_{name} .*$", f"#define NPY_SIZEOF_{name} {size}")
    else:
        edited(python / "pyconfig.h", LINUX_ONLY, "")
    return [python, numpy]


def translate(name: str, folder: Path) -> Path:
    """Return the C that Cython makes of a file of the compiled room."""
    c = folder / f"{name.replace('/', '-')}.c"
    command = [sys.executable, "-m", "cython", "-3", str(NATIVE / f"{name}.pyx"), "-o", str(c)]
    subprocess.run(command, cwd=ROOT, check=True)
    return c


def check(
    zig: Path, target: Target, headers: list[Path], prelude: Path, variant: str, source: Path
) -> str:
    """Return what Clang says of a file."""
    library = zig.parent / "lib"
    includes = [library / "include", *(library / "libc" / "include" / n for n in target.headers)]
    isa = next(isa for isa in TABLES["ISAS"] if isa.name == variant)
    result = subprocess.run(
        [str(zig), "clang", f"--target={target.triple}", *COMMON, *target.options, *isa.flags,
         "-include", str(prelude),
         "-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION", f"-I{ROOT / NATIVE}",
         *(f"-isystem{path}" for path in [*includes, *headers]), str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return result.stderr or ("" if result.returncode == 0 else f"status {result.returncode}\n")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="targets whose name begins so")
    options = parser.parse_args()
    package = find_spec("ziglang")
    if package is None or package.origin is None:
        raise SystemExit("needs the package ziglang: pip install '.[targets]'")
    zig = Path(package.origin).with_name("zig.exe" if os.name == "nt" else "zig")
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        folder = Path(name)
        headers = {s: headers_of(s, folder) for s in {t.system for t in TARGETS.values()}}
        families = [f"baseline/{family}" for family in TABLES["FAMILIES"]]
        names = [*families, "cpu", "calls", "layout", "blas"]
        sources = dict(zip(names, pool.map(lambda n: translate(n, folder), names), strict=True))
        sources["pool"] = ROOT / NATIVE / "pool.c"
        preludes = {label: folder / f"{label}.h" for label in TARGETS}
        for label, target in TARGETS.items():
            text = WINDOWS_HEADERS + target.prelude if target.prelude else ""
            preludes[label].write_text(text)
        jobs = [
            (label, variant, name)
            for label, target in TARGETS.items()
            if label.startswith(options.only)
            for variant in target.variants
            for name in sources
            if (name in families or variant == "baseline")
            and not (name == "pool" and target.system == "windows")  # it needs pthreads
        ]
        told = pool.map(
            lambda job: check(
                zig,
                TARGETS[job[0]],
                headers[TARGETS[job[0]].system],
                preludes[job[0]],
                job[1],
                sources[job[2]],
            ),
            jobs,
        )
        bad = 0
        for (label, variant, name), text in zip(jobs, told, strict=True):
            if text:
                bad += 1
                print(f"--- {label}, {variant}, {name}\n{text[:3000]}")
    print(
        f"{len(jobs)} files for other systems, {bad} of them bad: {time.monotonic() - began:.0f} s"
    )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
