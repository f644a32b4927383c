"""What is asked of wheels: hardened extensions, and a bill of the libraries that they carry."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import source_tree

import pyconv
from tests import hardening, sbom

NATIVE = Path(pyconv.__file__).parent / "_native"
EXTENSIONS = sorted(NATIVE.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))
COMPILER = (os.environ.get("CC") or "cc").split()

elf = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("readelf"), reason="needs Linux and readelf"
)


@elf
@pytest.mark.parametrize("path", EXTENSIONS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_extension_is_hardened(path):
    """RELRO, bound at once, no executable stack, a stack protector, FORTIFY."""
    assert hardening.problems(path) == []


#: A function with an array on its stack, written to by a function that FORTIFY knows.
PROGRAM = """
#include <stdarg.h>
#include <stdio.h>
int show(const char *format, ...) {
    char text[64];
    va_list words;
    va_start(words, format);
    int count = vsnprintf(text, sizeof text, format, words);
    va_end(words);
    return count + puts(text);
}
"""
COMPILE = ("-O2", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2")
LINK = ("-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack")


@elf
@pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler")
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), None),
        (("-Wl,-z,norelro",), "no RELRO segment"),
        (("-Wl,-z,lazy",), "symbols are bound late"),
        (("-Wl,-z,execstack",), "the stack is executable"),
        (("-fno-stack-protector",), "no stack protector"),
        (("-U_FORTIFY_SOURCE",), "formatting is not checked (FORTIFY)"),
        (("-Wl,-rpath,/home/build/lib",), "libraries are sought in /home/build/lib"),
        (("-Wl,-rpath,$ORIGIN/../pyconv.libs",), None),
    ],
)
def test_what_is_left_out_is_seen(tmp_path, flags, words):
    """Each flag that undoes one of those of setup.py."""
    (tmp_path / "show.c").write_text(PROGRAM)
    library = tmp_path / "show.so"
    command = [*COMPILER, "-shared", "-fPIC", *COMPILE, *LINK, *flags, "show.c", "-o", library]
    subprocess.run(list(map(str, command)), cwd=tmp_path, check=True)
    found = hardening.problems(library)
    if words and "FORTIFY" in words and "libc.so.6" not in hardening.readelf(library, "-d"):
        pytest.skip("musl has no FORTIFY")
    assert found == ([words] if words else [])


@source_tree.needed
def test_the_flags_are_those_of_the_build():
    """What this file compiles with is what setup.py compiles with."""
    text = source_tree.file("setup.py").read_text(encoding="utf-8")
    for flag in (*COMPILE[1:], *LINK):
        assert re.search(rf'"{re.escape(flag)}"', text), flag


@elf
@pytest.mark.parametrize(
    ("carried", "status"), [(False, 0), (True, 1)], ids=["ours alone", "with a library"]
)
def test_wheel_of_linux_carries_no_library(tmp_path, capsys, carried, status):
    """Its threads are its own; a library that auditwheel copied would be none that we know."""
    wheel = tmp_path / "pyconv.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(EXTENSIONS[0], f"pyconv/{EXTENSIONS[0].name}")
        if carried:
            archive.writestr("pyconv_nd.libs/libgomp-24e2ab19.so.1.0.0", b"")
    assert hardening.main([str(wheel)]) == status
    assert ("libgomp" in capsys.readouterr().out) == carried


def test_wheel_without_extensions_is_a_failure(tmp_path):
    """Nothing was checked."""
    with zipfile.ZipFile(tmp_path / "pyconv.whl", "w"):
        pass
    assert hardening.main([str(tmp_path / "pyconv.whl")]) == 1


def test_bill_lists_what_wheels_carry(tmp_path):
    """A library of OpenMP in a wheel for macOS, and one in a wheel for Windows."""
    names = ["pyconv/.dylibs/libomp.dylib", "pyconv_nd.libs/vcomp140-a1.dll"]
    wheels = [tmp_path / "a.whl", tmp_path / "b.whl"]
    for wheel, name in zip(wheels, names, strict=True):
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(name, name)
            archive.writestr("pyconv/_native/cpu.so", b"")
    bill = tmp_path / "bill.json"
    bill.write_text(json.dumps({"bomFormat": "CycloneDX", "components": [{"name": "numpy"}]}))
    assert sbom.main([str(bill), *map(str, wheels)]) == 0
    numpy, *found = json.loads(bill.read_text())["components"]
    assert numpy == {"name": "numpy"}
    assert [each["name"] for each in found] == ["libomp.dylib", "vcomp140-a1.dll"]
    assert [each["hashes"][0]["content"] for each in found] == [
        hashlib.sha256(name.encode()).hexdigest() for name in names
    ]
