"""Build the loops for each ISA variant, with the options and the threads that the compiler has.

Extensions that were compiled before, from the same files by the same compiler with the same flags,
are taken from a folder (`BuildExt.digest`).
"""

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NATIVE = Path("pyconv/_native")
TABLES = runpy.run_path(str(NATIVE / "isa.py"))
ISAS, FAMILIES = TABLES["ISAS"], TABLES["FAMILIES"]

# The docstrings of the loops are for readers of their sources: every variant would repeat them.
Options.docstrings = False

#: Options of GCC, Clang and their like. One that a compiler, or its linker, does not take without a
#: warning is left out (`accepted`). Never -ffast-math: linked, it sets flush-to-zero for the whole
#: process.
COMPILE_OPTIONS = [
    "-O3",
    # Python's own -g is taken back: debugging tables were four fifths of the size.
    "-g0",
    "-std=gnu11",
    # Multiply and add are fused.
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    # GCC would carry overlapping loads through the stack.
    "-fno-predictive-commoning",
    "-fvisibility=hidden",
    # Nothing unwinds these functions; their tables were 4 % of the size.
    "-fno-asynchronous-unwind-tables",
    # Hardening.
    "-fstack-protector-strong",
    "-U_FORTIFY_SOURCE",
    "-D_FORTIFY_SOURCE=2",
    "-Wformat",
    "-Wformat-security",
]
#: Clang's alone, which warns of what a family of loops does not use of the files that it includes.
CLANG_OPTIONS = ["-Wno-unused-function"]
LINK_OPTIONS = ["-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack"]
#: Symbols of functions that nobody calls by name are a tenth of the size; pages that begin anew for
#: each kind of section are a hundredth.
STRIP_OPTIONS = ["-Wl,--strip-all", "-Wl,-z,noseparate-code"]

#: ``PYCONV_SANITIZE``: sanitizers of GCC and Clang, such as ``address,undefined`` or ``thread``.
#: FORTIFY's checked functions are none that a sanitizer knows. GCC's float-divide-by-zero is no
#: part of `undefined`: IEEE defines it.
SANITIZERS = [name for name in os.environ.get("PYCONV_SANITIZE", "").split(",") if name]
SANITIZE = [
    f"-fsanitize={','.join(SANITIZERS)}",
    *(["-fsanitize=float-cast-overflow"] if "undefined" in SANITIZERS else []),
    "-fno-omit-frame-pointer",
    "-O1",
    "-g1",
    "-U_FORTIFY_SOURCE",
]
#: ``PYCONV_DEBUG=1``: red zones in workspaces, and workspaces filled with a pattern.
DEBUG = os.environ.get("PYCONV_DEBUG") == "1"
#: ``PYCONV_PORTABLE=1``: loops without the compiler's vector types, as MSVC compiles them.
PORTABLE = os.environ.get("PYCONV_PORTABLE") == "1"

#: ``PYCONV_WERROR=1``: what Cython warns of ends the build.
WARNINGS_ARE_ERRORS = os.environ.get("PYCONV_WERROR") == "1"

#: ``PYCONV_BUILD_CACHE``: the folder of compiled extensions. It may be deleted at any time.
COMPILED = Path(os.environ.get("PYCONV_BUILD_CACHE") or "build/extensions")
#: What all variants for x86-64 take to compile, for the first message (GCC 12, AMD EPYC, Zen 4).
CPU_MINUTES = 4
#: As many builds of each extension are kept: those of other flags, of another branch.
KEPT = 4
#: Variables that compilers and linkers read themselves.
COMPILER_VARIABLES = (
    "ARCHFLAGS",
    "COMPILER_PATH",
    "CPATH",
    "C_INCLUDE_PATH",
    "GCC_EXEC_PREFIX",
    "LIBRARY_PATH",
    "MACOSX_DEPLOYMENT_TARGET",
    "SDKROOT",
    "_PYTHON_HOST_PLATFORM",
)

#: Options of MSVC: `by_type.h` needs C11. clang-cl has vector types, which make loops many times
#: faster; it is told what `COMPILE_OPTIONS` tell Clang.
MSVC_OPTIONS = ["/O2", "/std:c11"]
CLANG_CL_OPTIONS = [
    f"/clang:{option}" for option in ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
]

#: What OpenMP is asked for with, by compiler family, where pyconv's own threads are not to be had.
OPENMP_FLAGS = {
    "msvc": [(["/openmp"], [])],
    "darwin": [
        (["-Xpreprocessor", "-fopenmp"], ["-lomp"]),
        (["-fopenmp"], ["-fopenmp"]),
    ],
    "unix": [(["-fopenmp"], ["-fopenmp"])],
}
OPENMP_PROGRAM = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"

#: What pyconv's own threads (`pool.c`) are asked for with.
POOL_FLAGS = (["-pthread", "-DPYCONV_POOL"], ["-pthread"])
#: It returns 0 if each of four shares has run once.
POOL_PROGRAM = """
#include "pool.h"
#include "shares.h"
static int seen[4];
static ptrdiff_t see(const void* data, int share) {
    return seen[share]++ ? 100 : *(const int*)data + share;
}
int main(void) {
    int one = 1;
    shares_use_pool((uintptr_t)pool_run);
    return run_shares(see, &one, 4) != 10;
}
"""
#: A program to try options with.
EMPTY_PROGRAM = "int main(void) { return 0; }\n"
#: What every extension includes: the C library's headers, and Python's.
LIBRARY_PROGRAM = "#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n"
PYTHON_PROGRAM = "#include <Python.h>\nint main(void) { return 0; }\n"

#: What to type where the compiler, or Python's headers, are missing.
ADVICE = {
    "Debian, Ubuntu": "sudo apt install build-essential python3-dev",
    "Fedora": "sudo dnf install gcc python3-devel",
    "macOS": "xcode-select --install",
    "Windows": 'winget install Microsoft.VisualStudio.2022.BuildTools --override "--wait --passive'
    ' --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"',
}


class BuildExt(build_ext):
    """Add the flags that depend on the compiler, which is known only now."""

    def finalize_options(self) -> None:
        """Compile the variants side by side."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        """Probe the compiler, then build; say what is done and how long it took."""
        started = time.monotonic()
        self.check_tools()
        Options.warning_errors = WARNINGS_ARE_ERRORS
        msvc = self.compiler.compiler_type == "msvc"
        msvc_options = self.msvc_options() if msvc else []
        threads = None if msvc else self.probe_pool()
        if threads is None:
            threads = self.probe_openmp(msvc)
            self.extensions = [e for e in self.extensions if not e.name.endswith(".workers")]
        self.compiler_version = "" if msvc else version_of(self.compiler.compiler_so)
        if not msvc:
            clang = "clang" in self.compiler_version
            compile_options = self.accepted([*COMPILE_OPTIONS, *(CLANG_OPTIONS if clang else [])])
            link_options = self.accepted(
                [*LINK_OPTIONS, *([] if SANITIZERS or DEBUG else STRIP_OPTIONS)], links=True
            )
        for extension in self.extensions:
            isa = next((i for i in ISAS if f".{i.name}." in extension.name), None)
            if msvc:
                extension.extra_compile_args += [*msvc_options, *(isa.msvc_flags if isa else ())]
            else:
                extension.extra_compile_args += [*compile_options, *(isa.flags if isa else ())]
                extension.extra_link_args += link_options
                if SANITIZERS:
                    extension.extra_compile_args += SANITIZE
                    extension.extra_link_args += SANITIZE[:1]
            if threads and (isa or extension.name.endswith(".workers")):
                extension.extra_compile_args += threads[0]
                extension.extra_link_args += threads[1]
        self.progress = Progress(len(self.extensions))
        compiler = (self.compiler_version or self.compiler.compiler_type).splitlines()[0]
        report(
            f"compiling {len(self.extensions)} extensions, {self.parallel} at a time, by "
            f"{compiler}; all variants take about {CPU_MINUTES} CPU minutes"
        )
        super().build_extensions()
        report(f"{self.progress} in {duration(time.monotonic() - started)}")

    def check_tools(self) -> None:
        """End the build, before anything is compiled, where it lacks a compiler or headers.

        Raises
        ------
        SystemExit
            With what to type on each system.
        """
        for what, error in (
            ("a C compiler that works", lambda: self.compiles(EMPTY_PROGRAM, [])),
            ("the headers of the C library", lambda: self.compiles(LIBRARY_PROGRAM, [], [])),
            (
                f"the headers of Python {sys.version_info[0]}.{sys.version_info[1]} (Python.h)",
                lambda: self.compiles(PYTHON_PROGRAM, []),
            ),
        ):
            if reason := error():
                raise SystemExit(missing_tool(what, reason))

    def msvc_options(self) -> list[str]:
        """Return options of MSVC, or of clang-cl, which takes its place if ``CC`` names it."""
        compiler = os.environ.get("CC", "")
        if not Path(compiler).stem.lower().startswith("clang-cl"):
            return MSVC_OPTIONS
        if not self.compiler.initialized:
            self.compiler.initialize()
        found = shutil.which(compiler)
        self.compiler.cc = found or compiler
        if found:  # the library of its OpenMP lies beside it, where the linker does not look
            self.compiler.add_library_dir(str(Path(found).parents[1] / "lib"))
        return [*MSVC_OPTIONS, *CLANG_CL_OPTIONS]

    def build_extension(self, ext: Extension) -> None:
        """Take the extension from the folder of compiled ones, or compile it and put it there."""
        built = Path(self.get_ext_fullpath(ext.name))
        kept = COMPILED / f"{ext.name}-{self.digest(ext)}{''.join(built.suffixes)}"
        started = time.monotonic()
        if kept.exists() and not self.force:
            report(f"{self.progress.step(taken=True)} {ext.name} is compiled already: {kept}")
            built.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, built)
            kept.touch()
            return
        # Neither what stands there nor C that Cython has written before may be of other inputs.
        built.unlink(missing_ok=True)
        if (source := Path(ext.sources[0])).suffix == ".pyx":
            source.with_suffix(".c").unlink(missing_ok=True)
        super().build_extension(ext)
        if self.compiler_version:  # else nobody knows what a digest leaves out
            COMPILED.mkdir(parents=True, exist_ok=True)
            part = kept.with_name(f"{kept.name}.{os.getpid()}")
            shutil.copyfile(built, part)
            part.replace(kept)
            builds = sorted(COMPILED.glob(f"{ext.name}-*"), key=lambda path: path.stat().st_mtime)
            for old in builds[:-KEPT]:
                old.unlink(missing_ok=True)
        took = duration(time.monotonic() - started)
        report(f"{self.progress.step()} {ext.name} was compiled in {took}")

    def digest(self, ext: Extension) -> str:
        """Return a digest of all that decides what the compiler makes of an extension.

        It reads contents: times and places of files, which differ from one checkout or isolated
        environment to the next, say nothing.
        """
        state = hashlib.sha256()
        for each in (
            (sys.version, sysconfig.get_platform(), sysconfig.get_config_var("EXT_SUFFIX")),
            [importlib.metadata.version(name) for name in ("Cython", "numpy", "scipy")],
            (platform.libc_ver(), self.compiler_version),
            [os.environ.get(name) for name in COMPILER_VARIABLES],
            [getattr(self.compiler, name, None) for name in ("compiler_so", "linker_so")],
            (ext.name, ext.sources, ext.define_macros, ext.undef_macros),
            (ext.extra_compile_args, ext.extra_link_args),
        ):
            state.update(repr(each).encode())
        for path in ["setup.py", *ext.sources, *ext.depends, *numpy_headers()]:
            state.update(f"{Path(path).name}\0".encode() + Path(path).read_bytes())
        return state.hexdigest()[:32]

    def compiles(
        self,
        program: str,
        compile_args: list[str],
        link_args: list[str] | None = None,
        sources: tuple[Path, ...] = (),
        runs: bool = False,
    ) -> str:
        """Return why a program does not compile, link (with ``link_args``) and run, or ""."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program)
            try:
                objects = self.compiler.compile(
                    [str(source), *map(str, sources)],
                    output_dir=folder,
                    include_dirs=[str(NATIVE)],
                    extra_postargs=compile_args,
                )
                if link_args is not None:
                    self.compiler.link_executable(
                        objects, "probe", output_dir=folder, extra_postargs=link_args
                    )
                if runs and not os.environ.get("_PYTHON_HOST_PLATFORM"):  # it names another machine
                    subprocess.run([str(Path(folder, "probe"))], check=True, timeout=60)
            except Exception as error:  # noqa: BLE001 - every compiler has its own
                return str(error) or repr(error)
        return ""

    def accepted(self, options: list[str], links: bool = False) -> list[str]:
        """Return those of some options that the compiler, or its linker, takes without a warning.

        Clang takes many options of GCC's with a warning, and ignores them.
        """

        def refuses(tried: list[str]) -> str:
            if links:
                return self.compiles(EMPTY_PROGRAM, [], [*strict, *tried])
            return self.compiles(EMPTY_PROGRAM, [*strict, *tried])

        # What Python or CFLAGS ask for may be warned of already: then errors alone decide.
        strict = ["-Werror"]
        if refuses([]):
            strict = []
        if not refuses(options):
            return options
        taken: list[str] = []
        for option in options:  # -Wformat-security is taken behind -Wformat alone
            taken += [] if refuses([*taken, option]) else [option]
        left = [option for option in options if option not in taken]
        print(f"pyconv: options that this compiler does not know: {left}", file=sys.stderr)
        return taken

    def probe_pool(self) -> tuple[list[str], list[str]] | None:
        """Return the flags with which loops run on pyconv's own threads, or None."""
        if os.environ.get("PYCONV_POOL") == "0":
            return None
        compile_args, link_args = POOL_FLAGS
        error = self.compiles(
            POOL_PROGRAM,
            ["-O2", "-std=gnu11", *compile_args],
            link_args,
            sources=(NATIVE / "pool.c",),
            runs=True,
        )
        if error:
            print(f"pyconv: threads of the compiler's OpenMP: {error}", file=sys.stderr)
        return None if error else POOL_FLAGS

    def probe_openmp(self, msvc: bool) -> tuple[list[str], list[str]] | None:
        """Return the flags with which an OpenMP program compiles and links, or None."""
        family = "msvc" if msvc else "darwin" if sys.platform == "darwin" else "unix"
        for compile_args, link_args in OPENMP_FLAGS[family]:
            error = self.compiles(OPENMP_PROGRAM, compile_args, link_args)
            if not error:
                return compile_args, link_args
            print(f"OpenMP probe with {compile_args}: {error}", file=sys.stderr)
        if os.environ.get("PYCONV_REQUIRE_OPENMP") == "1":
            raise SystemExit("PYCONV_REQUIRE_OPENMP=1, but the compiler has no working OpenMP")
        print("pyconv: OpenMP not found; the loops will run on one thread", file=sys.stderr)
        return None


class Progress:
    """How many extensions are done; threads build side by side."""

    def __init__(self, total: int) -> None:
        self.total, self.compiled, self.taken = total, 0, 0
        self.lock = threading.Lock()

    def step(self, taken: bool = False) -> str:
        """Count one more, taken from the folder or compiled, and return which one it is."""
        with self.lock:
            self.taken += taken
            self.compiled += not taken
            return f"[{self.taken + self.compiled}/{self.total}]"

    def __str__(self) -> str:
        """Return how many were compiled, and how many taken from the folder."""
        return f"{self.compiled} extensions compiled, {self.taken} taken from {COMPILED}"


def report(message: str) -> None:
    """Print a line, in one piece: two messages of threads on a line would read as one."""
    sys.stderr.write(f"pyconv: {message}\n")
    sys.stderr.flush()


def duration(seconds: float) -> str:
    """Return a time in minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def missing_tool(what: str, reason: str) -> str:
    """Return the message of a build that lacks something: what, why, and what to type."""
    width = max(map(len, ADVICE))
    lines = [f"  {system:<{width}}  {line}" for system, line in ADVICE.items()]
    return (
        f"pyconv: the build needs {what}: {' '.join(reason.split())}\n\n"
        + "\n".join(lines)
        + "\n\nCC names another compiler. A wheel needs none: "
        "pip install pyconv-nd, where one is published for this system."
    )


def version_of(compiler: list[str]) -> str:
    """Return what a compiler says of itself, or "" if it does not."""
    try:
        return subprocess.run(
            [*compiler, "--version"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


@functools.cache
def numpy_headers() -> list[Path]:
    """Return the headers of NumPy, which every extension may include."""
    return sorted(Path(np.get_include()).rglob("*.h"))


def sources_of(path: Path) -> set[Path]:
    """Return the files of the compiled room that a file includes, one way or another.

    Any name in quotes that is a file there counts: ``#define TEMPLATE "…"`` includes one, too.
    """
    found: set[Path] = set()
    for name in re.findall(r'"([\w./]+\.(?:c|h|pxd|pxi))"', path.read_text(encoding="utf-8")):
        for folder in (path.parent, NATIVE):
            included = Path(os.path.normpath(folder / name))
            if included.exists() and included not in found:
                found |= {included, *sources_of(included)}
    return found


def extension(name: str, *sources: str) -> Extension:
    """Return the extension of one .pyx of the compiled room, and perhaps of sources in C."""
    source = NATIVE / f"{name.replace('.', '/')}.pyx"
    others = [NATIVE / each for each in sources]
    return Extension(
        f"pyconv._native.{name}",
        [str(source), *map(str, others)],
        depends=sorted({str(path) for each in (source, *others) for path in sources_of(each)}),
        include_dirs=[np.get_include(), str(NATIVE)],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
            *([("PYCONV_DEBUG", "1")] if DEBUG else []),
            *([("PYCONV_PORTABLE", "1")] if PORTABLE else []),
        ],
        undef_macros=["NDEBUG"] if DEBUG else [],
    )


def built_isas() -> list[str]:
    """Return the variants to build: ``PYCONV_BUILD_ISAS``, or all that the machine may have."""
    # The machine to build for: another than this one where _PYTHON_HOST_PLATFORM names it.
    machine = sysconfig.get_platform().rpartition("-")[2]
    able = [isa.name for isa in ISAS if not isa.machines or machine in isa.machines]
    wanted = os.environ.get("PYCONV_BUILD_ISAS", "").replace(",", " ").split() or able
    if unknown := sorted(set(wanted) - set(able)):
        raise SystemExit(
            f"PYCONV_BUILD_ISAS names {', '.join(unknown)}; for this machine are {', '.join(able)}"
        )
    return wanted


def extensions() -> list[Extension]:
    """Return all that is compiled."""
    loops = [f"{isa}.{family}" for isa in built_isas() for family in FAMILIES]
    return [
        extension("workers", "pool.c"),
        *(extension(name) for name in ("cpu", "blas", "calls", "layout", *loops)),
    ]


if __name__ == "__main__":
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt})
