"""setup.py compiles again what has changed, and nothing else."""

import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import source_tree

from pyconv._native import loader

pytest.importorskip("Cython")
pytest.importorskip("setuptools")

ROOT = source_tree.required()
NATIVE = Path("pyconv/_native")
COMPILER = (os.environ.get("CC") or "cc").split()
#: That one, and each GCC and Clang of the system.
COMPILERS = [COMPILER, *([path] for name in ("gcc", "clang") if (path := shutil.which(name)))]
COMPILERS += [[path] for n in range(14, 30) if (path := shutil.which(f"clang-{n}"))]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Copy what the build reads to a folder, which is then the current one."""
    shutil.copy(ROOT / "setup.py", tmp_path)
    for path in (ROOT / NATIVE).rglob("*"):
        ours = path.suffix in (".h", ".pxi", ".pyx", ".py") or path.name == "pool.c"
        if ours:
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYCONV_BUILD_ISAS", raising=False)
    return tmp_path


@pytest.fixture
def build(tree):
    """Return the names of setup.py."""
    return runpy.run_path("setup.py", run_name="read")


def command(**changed):
    """Return what a digest reads of the command that builds."""
    compiler = SimpleNamespace(compiler_so=["cc", "-O2"], linker_so=["cc", "-shared"])
    return SimpleNamespace(**{"compiler": compiler, "compiler_version": "cc 12"} | changed)


def digest(build, extension, **changed):
    """Return the digest of an extension."""
    return build["BuildExt"].digest(command(**changed), extension)


def headers_of(extensions):
    """Return the names of the headers that the loops of extensions declare."""
    return {
        name
        for path in {path for extension in extensions for path in extension.depends}
        for name in re.findall(r'cdef extern from "(\w+\.h)"', Path(path).read_text())
        if (NATIVE / name).exists()
    }


def test_every_file_counts(build):
    """A change of any file of an extension is another digest; the time of a file is none."""
    for name in ("workers", "baseline.windows", "baseline.filters", "baseline.layers"):
        extension = build["extension"](name, *(["pool.c"] if name == "workers" else []))
        before = digest(build, extension)
        for path in map(Path, ["setup.py", *extension.sources, *extension.depends]):
            kept = path.read_bytes()
            path.write_bytes(kept + b"\n")
            assert digest(build, extension) != before, path
            path.write_bytes(kept)
            os.utime(path, (0, 0))
        assert digest(build, extension) == before


def test_every_file_of_the_room_is_known(build):
    """A header or a loop that no extension depends on would change without a build."""
    extensions = build["extensions"]()
    known = {Path(path) for e in extensions for path in (*e.sources, *e.depends)}
    there = {path for path in NATIVE.rglob("*") if path.suffix in (".h", ".pxi", ".pyx")}
    assert (
        there - known - {path for path in there if path.parent.name in ("avx2", "avx512")} == set()
    )


@pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler")
def test_the_preprocessor_reads_no_other_file(build, tree):
    """What the compiler includes, by whatever macro, is among the files that count."""
    for family in build["FAMILIES"]:
        extension = build["extension"](f"baseline.{family}")
        depends = {Path(path).name for path in extension.depends}
        headers = headers_of([extension])
        assert headers
        source = tree / "all.c"
        source.write_text("".join(f'#include "{name}"\n' for name in sorted(headers)))
        result = subprocess.run(
            [*COMPILER, "-MM", f"-I{NATIVE}", *(f"-I{path}" for path in extension.include_dirs),
             str(source)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        parts = map(Path, result.stdout.split())
        read = {path.name for path in parts if path.parent.resolve() == NATIVE.resolve()}
        assert len(read) > len(headers) / 2
        assert read <= depends


@pytest.mark.parametrize(
    "change",
    [
        {"compiler_version": "cc 13"},
        {"compiler": SimpleNamespace(compiler_so=["clang", "-O2"], linker_so=["cc", "-shared"])},
        {"compiler": SimpleNamespace(compiler_so=["cc", "-O1"], linker_so=["cc", "-shared"])},
        {"compiler": SimpleNamespace(compiler_so=["cc", "-O2"], linker_so=["cc", "-pie"])},
    ],
)
def test_the_compiler_counts(build, change):
    """Its version, its command and that of the linker, in which CC, CFLAGS and LDFLAGS are."""
    extension = build["extension"]("cpu")
    assert digest(build, extension, **change) != digest(build, extension)


@pytest.mark.parametrize("field", ["extra_compile_args", "extra_link_args", "define_macros"])
def test_flags_count(build, field):
    """Those of the variant, of OpenMP, of a sanitizer, of a debug build."""
    extension = build["extension"]("cpu")
    before = digest(build, extension)
    getattr(extension, field).append(("PYCONV_DEBUG", "1"))
    assert digest(build, extension) != before


@pytest.mark.parametrize("name", ["CPATH", "LIBRARY_PATH", "MACOSX_DEPLOYMENT_TARGET"])
def test_variables_of_the_compiler_count(build, name, monkeypatch):
    """A compiler reads them without a word in its command."""
    extension = build["extension"]("cpu")
    before = digest(build, extension)
    monkeypatch.setenv(name, "/elsewhere")
    assert digest(build, extension) != before


def test_headers_and_versions_of_others_count(build, tree, monkeypatch):
    """NumPy's headers by their content; Cython, NumPy and SciPy by their versions."""
    extension = build["extension"]("cpu")
    before = digest(build, extension)
    header = tree / "numpy.h"
    header.write_text("int a;")
    digester = build["BuildExt"].digest.__globals__
    with monkeypatch.context() as patch:
        patch.setitem(digester, "numpy_headers", lambda: [header])
        first = digest(build, extension)
        header.write_text("int b;")
        assert len({first, digest(build, extension), before}) == 3
    monkeypatch.setattr(digester["importlib"].metadata, "version", lambda name: "0")
    assert digest(build, extension) != before


PROGRAM = """
import runpy
from setuptools import setup
names = runpy.run_path("setup.py", run_name="read")
setup(
    name="tiny", packages=[], ext_modules=[names["extension"]("tiny")],
    cmdclass={"build_ext": names["BuildExt"]}, script_args=["-q", "build_ext", "--inplace"],
)
"""


@pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler")
def test_an_extension_is_compiled_again_when_it_has_to_be(tree):
    """A header behind a macro changes, with an old time; then it changes back; then a flag."""
    (NATIVE / "tiny.h").write_text('#define TEMPLATE "tiny_body.h"\n#include TEMPLATE\n')
    (NATIVE / "tiny.pyx").write_text(
        'cdef extern from "tiny.h":\n    int ANSWER\nanswer = ANSWER\n'
    )

    def compiled(answer, **variables):
        """Build; return whether something was compiled."""
        (NATIVE / "tiny_body.h").write_text(f"#ifndef ANSWER\n#define ANSWER {answer}\n#endif\n")
        os.utime(NATIVE / "tiny_body.h", (0, 0))
        environment = os.environ | {"PYCONV_POOL": "0", "PYCONV_BUILD_CACHE": ""} | variables
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        code = "import tiny; print(tiny.answer)"
        told = subprocess.run(
            [sys.executable, "-c", code], cwd=NATIVE, capture_output=True, text=True, check=True
        ).stdout
        assert told == f"{variables.get('EXPECTED', answer)}\n"
        return "is compiled already" not in result.stderr

    assert compiled(1)
    assert not compiled(1)
    assert compiled(2)
    assert not compiled(1)  # as on a branch and back
    assert compiled(1, CFLAGS="-DANSWER=3", EXPECTED="3")


@pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler")
@pytest.mark.parametrize("strict", ["", "1"])
def test_warnings_of_cython_end_a_strict_build(tree, strict):
    """An index below zero where the file promises none."""
    (NATIVE / "tiny.pyx").write_text(
        "# cython: wraparound=False\nrow = (1, 2)\nanswer = row[-2:]\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=os.environ | {"PYCONV_POOL": "0", "PYCONV_BUILD_CACHE": "", "PYCONV_WERROR": strict},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "wraparound=False" in result.stdout + result.stderr
    assert (result.returncode != 0) == (strict == "1")


@pytest.mark.parametrize("compiler", COMPILERS, ids=" ".join)
def test_our_own_c_gives_no_warning(build, tree, compiler):
    """The pool and the headers of the loops in every variant, and without vector types."""
    if not shutil.which(compiler[0]):
        pytest.skip("needs a C compiler")
    headers = sorted(headers_of(build["extensions"]()))
    everything = "".join(f'#include "{name}"\n' for name in headers)
    (tree / "all.c").write_text(f"#define PYCONV_POOL\n{everything}")
    variants = [
        i.flags for i in build["ISAS"] if not i.machines or platform.machine() in i.machines
    ]
    for source, flags in [
        (NATIVE / "pool.c", []),
        *((tree / "all.c", flags) for flags in [*variants, ["-DPYCONV_PORTABLE"]]),
    ]:
        result = subprocess.run(
            [*compiler, "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
             # Tables are written once for signed and unsigned samples, and for every family.
             "-Wno-type-limits", "-Wno-unused-function", "-Wno-unused-const-variable",
             *flags, f"-I{NATIVE}", str(source)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr[:3000]


@pytest.mark.skipif(sys.platform == "win32", reason="the variable is POSIX's")
@pytest.mark.parametrize(
    ("target", "isas"),
    [
        ("linux-aarch64", ["baseline"]),
        ("macosx-12.0-arm64", ["baseline"]),
        ("macosx-12.0-universal2", ["baseline"]),
        ("linux-x86_64", ["baseline", "avx2", "avx512"]),
    ],
)
def test_the_target_decides_the_variants(build, target, isas, monkeypatch):
    """A cross build makes the variants of the machine that it is for."""
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", target)
    assert build["built_isas"]() == isas


@pytest.mark.parametrize(
    ("cc", "used"), [("", "cl.exe"), ("clang-cl", "clang-cl"), ("cc", "cl.exe")]
)
def test_clang_cl_takes_the_place_of_msvc(build, cc, used, monkeypatch):
    """Setuptools knows MSVC alone, and finds it when it is initialised."""

    class Compiler:
        initialized, cc = False, None

        def __init__(self):
            self.folders = []

        def add_library_dir(self, folder):
            self.folders.append(folder)

        def initialize(self):
            self.initialized, self.cc = True, "cl.exe"

    compiler = Compiler()
    if cc == "clang-cl":
        used = str(Path("/llvm/bin/clang-cl.exe"))
        monkeypatch.setattr(shutil, "which", lambda name: used)
    else:
        compiler.initialize()
    monkeypatch.setenv("CC", cc)
    options = build["BuildExt"].msvc_options(SimpleNamespace(compiler=compiler))
    assert compiler.cc == used
    assert "/std:c11" in options
    assert ("/clang:-ffp-contract=fast" in options) == (cc == "clang-cl")
    assert compiler.folders == [str(Path("/llvm/lib"))] * (cc == "clang-cl")


@pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86-64 has variants")
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_lanes_without_vector_types_are_summed(build, tree, isa):
    """A variant's own vectors are wider than some plain C assumes: 64 products of ones are 64."""
    flags = next(i.flags for i in build["ISAS"] if i.name == isa)
    if isa not in loader.runnable():
        pytest.skip(f"this CPU has no {isa}")
    program = tree / "sums"
    (tree / "sums.c").write_text(
        """#include "matrix.h"
        int main(void) {
            static float a[64], c[1]; static double d[64], e[1];
            for (int i = 0; i < 64; i++) a[i] = 1, d[i] = 1;
            dots_tile(1, 1, 64, a, 64, a, 64, c, 1, 0, NULL);
            dots_tile(1, 1, 64, d, 64, d, 64, e, 1, 0, NULL);
            return !(c[0] == 64 && e[0] == 64);
        }"""
    )
    subprocess.run(
        [*COMPILER, "-std=gnu11", "-O1", "-DPYCONV_PORTABLE", *flags, f"-I{NATIVE}", "-w",
         str(tree / "sums.c"), "-o", str(program)], check=True,
    )  # fmt: skip
    assert subprocess.run([str(program)], check=False).returncode == 0


#: A compiler that takes an option with a warning, refuses another, and writes what it was told.
PICKY = """#!{python}
import os, sys
if "-fpredict" in sys.argv:
    sys.exit("unknown argument: -fpredict")
if "-Wl,-z,strange" in sys.argv:
    sys.exit("unknown option: -z")
if "-fignored" in sys.argv:
    print("warning: optimization flag is not supported", file=sys.stderr)
    if "-Werror" in sys.argv:
        sys.exit(1)
if {noisy} and "-Werror" in sys.argv:
    sys.exit("-Werror: argument unused during compilation: -g")
open(sys.argv[sys.argv.index("-o") + 1], "w").close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs scripts that run")
@pytest.mark.parametrize("noisy", [False, True])
def test_an_option_is_used_if_the_compiler_takes_it_without_a_warning(build, tree, noisy):
    """Errors alone decide for a compiler that warns of what it is told by others."""
    from setuptools._distutils.unixccompiler import UnixCCompiler

    picky = tree / "picky"
    picky.write_text(PICKY.format(python=sys.executable, noisy=noisy))
    picky.chmod(0o755)
    compiler = UnixCCompiler()
    compiler.set_executables(**dict.fromkeys(("compiler", "compiler_so", "linker_exe"), str(picky)))
    builder = SimpleNamespace(compiler=compiler)
    builder.compiles = build["BuildExt"].compiles.__get__(builder)
    accepted = build["BuildExt"].accepted.__get__(builder)
    assert accepted(["-O3", "-g0"]) == ["-O3", "-g0"]
    ignored = ["-fignored"] if noisy else []
    assert accepted(["-O3", "-fpredict", "-fignored", "-g0"]) == ["-O3", *ignored, "-g0"]
    assert accepted(["-Wl,-z,now", "-Wl,-z,strange"], links=True) == ["-Wl,-z,now"]


@pytest.mark.parametrize("compiler", COMPILERS, ids=" ".join)
def test_options_that_matter_are_known_to_every_compiler(build, tree, compiler):
    """Multiply and add are fused, symbols hidden, and the pool runs, by GCC and by Clang."""
    from setuptools._distutils.sysconfig import customize_compiler
    from setuptools._distutils.unixccompiler import UnixCCompiler

    if not shutil.which(compiler[0]):
        pytest.skip("needs a C compiler")
    unix = UnixCCompiler()
    customize_compiler(unix)
    command = " ".join(compiler)
    unix.set_executables(compiler=command, compiler_so=f"{command} -fPIC", linker_exe=command)
    builder = SimpleNamespace(compiler=unix)
    builder.compiles = build["BuildExt"].compiles.__get__(builder)
    options = build["BuildExt"].accepted(builder, build["COMPILE_OPTIONS"])
    left = set(build["COMPILE_OPTIONS"]) - set(options)
    assert left <= {"-fno-predictive-commoning"}
    if "PYCONV_POOL" not in os.environ:
        assert build["BuildExt"].probe_pool(builder) == build["POOL_FLAGS"]


def test_editable_installation_is_a_path(tmp_path, monkeypatch):
    """Type checkers and editors follow a path in a .pth file, and no import hook."""
    project = tmp_path / "project"
    for package in (ROOT / "pyconv").rglob("__init__.py"):
        copy = project / package.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(package, copy)
    for file in ("pyproject.toml", "README.md", "LICENSE", "pyconv/_version.py"):
        shutil.copy(ROOT / file, project / file)
    monkeypatch.chdir(project)
    code = "from setuptools import build_meta; print(build_meta.build_editable('..'))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    with zipfile.ZipFile(tmp_path / result.stdout.splitlines()[-1]) as wheel:
        (path,) = (name for name in wheel.namelist() if name.endswith(".pth"))
        assert Path(wheel.read(path).decode().strip()) == project


#: A build of one small extension, whose Python has its headers in the folder that is named.
LACKING = PROGRAM.replace(
    "import runpy",
    "import os, runpy\nfrom setuptools._distutils import sysconfig\n"
    'if "HEADERS" in os.environ:\n'
    '    sysconfig.get_python_inc = lambda *_, **__: os.environ["HEADERS"]',
)


def built(tree, program=PROGRAM, **variables):
    """Build one small extension; return the code, and what was printed."""
    (NATIVE / "tiny.pyx").write_text("answer = 1\n")
    environment = os.environ | {"PYCONV_POOL": "0", "PYCONV_BUILD_CACHE": ""} | variables
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, result.stderr


def says_what_to_type(error):
    return all(word in error for word in ("apt install", "dnf install", "xcode-select", "winget"))


@pytest.mark.skipif(sys.platform == "win32", reason="CC is not what MSVC is named by")
def test_a_build_without_a_compiler_ends_at_once(tree):
    """Before Cython has written anything, with what to type."""
    code, error = built(tree, CC="/nonexistent/cc")
    assert code == 1
    assert "pyconv: the build needs a C compiler that works:" in error
    assert "/nonexistent/cc" in error
    assert says_what_to_type(error)
    assert not (NATIVE / "tiny.c").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs scripts that run")
def test_a_build_whose_compiler_cannot_link_ends_at_once(tree):
    """As GCC is without the C library's development files: it compiles, and finds no headers."""
    compiler = tree / "cc"
    compiler.write_text(
        f'#!{sys.executable}\nimport os, sys\nsources = [a for a in sys.argv if a.endswith(".c")]\n'
        'if any("stdlib.h" in open(source).read() for source in sources):\n'
        '    sys.exit("stdlib.h: No such file or directory")\n'
        'open(sys.argv[sys.argv.index("-o") + 1], "w").close()\n'
    )
    compiler.chmod(0o755)
    code, error = built(tree, CC=str(compiler))
    assert code == 1
    assert "pyconv: the build needs the headers of the C library:" in error
    assert says_what_to_type(error)


@pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler")
def test_a_build_without_headers_of_python_ends_at_once(tree):
    """Where a folder of headers lacks Python.h."""
    (tree / "include").mkdir()
    code, error = built(tree, LACKING, HEADERS=str(tree / "include"))
    version = ".".join(map(str, sys.version_info[:2]))
    assert code == 1
    assert f"pyconv: the build needs the headers of Python {version} (Python.h):" in error
    assert says_what_to_type(error)
    assert not (NATIVE / "tiny.c").exists()


@pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler")
def test_a_build_says_what_it_does_and_how_long_it_took(tree):
    """And what it took from the folder of compiled extensions."""
    flags = re.MULTILINE
    code, error = built(tree, LACKING)
    assert code == 0
    assert re.search(r"^pyconv: compiling 1 extensions, \d+ at a time, by .+ CPU min", error, flags)
    assert re.search(r"^pyconv: \[1/1\] pyconv._native.tiny was compiled in \d+ s$", error, flags)
    assert re.search(r"^pyconv: 1 extensions compiled, 0 taken from \S+ in \d+ s$", error, flags)
    code, error = built(tree, LACKING)
    assert code == 0
    assert re.search(r"^pyconv: \[1/1\] pyconv._native.tiny is compiled already", error, flags)
    assert re.search(r"^pyconv: 0 extensions compiled, 1 taken from \S+ in \d+ s$", error, flags)


def test_durations_are_read(build):
    assert [build["duration"](s) for s in (0.2, 59.4, 59.6, 372)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "6 min 12 s",
    ]


@pytest.fixture
def unbuilt(tmp_path):
    """Return a function that runs Python in a copy of the package without extensions."""
    package = tmp_path / "source folder" / "pyconv"
    for path in (ROOT / "pyconv").rglob("*.py"):
        copy = package / path.relative_to(ROOT / "pyconv")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    root = package.parent

    def run(*arguments, path=""):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=root, env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{path}"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    return root, run


@pytest.mark.parametrize("there", ["setup.py", None])
def test_an_unbuilt_checkout_says_what_to_do(unbuilt, there):
    """By an import, and by the command line; in a checkout, and where there is none."""
    root, run = unbuilt
    if there:
        (root / there).touch()
        expected = f"{sys.executable} -m pip install -v -e ."
    else:
        expected = "pip install --force-reinstall pyconv-nd"
    for arguments in (["-c", "import pyconv.filters"], ["-m", "pyconv"]):
        result = run(*arguments)
        assert result.returncode == 1
        assert "ImportError: the loops of pyconv are not compiled for" in result.stderr
        assert expected in result.stderr
    assert "Traceback" not in result.stderr  # that of the command line
    assert not there or f"type in {root}:" in result.stderr


def test_an_unbuilt_checkout_in_the_way_of_an_installation_is_named(unbuilt, tmp_path):
    """As after ``pip install .``, in the source folder."""
    root, run = unbuilt
    (root / "setup.py").touch()
    native = tmp_path / "site-packages" / "pyconv" / "_native"
    native.mkdir(parents=True)
    named = f"installed in {tmp_path / 'site-packages'}. Start Python in another folder"
    assert named not in run("-c", "import pyconv", path=tmp_path / "site-packages").stderr
    (native / "cpu.cpython-399-x86_64-linux-gnu.so").touch()
    result = run("-c", "import pyconv", path=tmp_path / "site-packages")
    assert named in result.stderr
    assert "pip install -v -e ." in result.stderr


def test_a_build_for_another_python_is_named(unbuilt):
    """An editable installation, and then another environment."""
    root, run = unbuilt
    (root / "pyconv/_native/cpu.cpython-399-x86_64-linux-gnu.so").touch()
    assert "Here are loops for cpython-399-x86_64-linux-gnu." in run("-c", "import pyconv").stderr


def test_an_interrupted_build_says_what_to_do(unbuilt):
    """The first extension is there, and no variant of the loops."""
    import pyconv._native.cpu

    root, run = unbuilt
    for name in ("cpu", "blas", "calls", "layout", "workers"):
        for path in Path(pyconv._native.cpu.__file__).parent.glob(f"{name}.*"):
            if path.suffix in (".so", ".pyd"):
                shutil.copy(path, root / "pyconv/_native")
    result = run("-c", "import pyconv")
    assert "ImportError: the loops of pyconv are not compiled for" in result.stderr


def test_a_damaged_extension_is_named_as_it_is(unbuilt):
    """What the system says of a file that is no library is not hidden."""
    from importlib.machinery import EXTENSION_SUFFIXES

    root, run = unbuilt
    (root / f"pyconv/_native/cpu{EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    result = run("-c", "import pyconv")
    assert result.returncode == 1
    assert "not compiled" not in result.stderr
    assert f"cpu{EXTENSION_SUFFIXES[0]}" in result.stderr


@pytest.mark.parametrize("system", ["Debian, Ubuntu", "Fedora", "macOS", "Windows"])
def test_the_page_has_what_the_build_says(build, system):
    """What to type is one line in both."""
    page = source_tree.file("docs/installation.rst").read_text(encoding="utf-8")
    assert f"``{build['ADVICE'][system]}``" in " ".join(page.split())
