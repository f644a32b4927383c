"""The root of a Debian for 64-bit ARM, the sources in it, and their build by a cross compiler."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
WORK = HERE / "build" / "arm"
ROOT = WORK / "root"
SOURCES = ROOT / "src"
#: The Debian whose Python the root has.
SUITE, PYTHON = "bookworm", "3.11"
PACKAGES = (
    "base-files", "coreutils", "dash", "libgomp1", "libstdc++6",
    *(f"{name}{PYTHON}{kind}" for name, kind in
      (("python", ""), ("python", "-dev"), ("libpython", "-dev"))),
)  # fmt: skip
SITE = ROOT / f"usr/local/lib/python{PYTHON}/dist-packages"
#: What tests need; each in the version that this environment has, for NumPy's headers are both's.
WHEELS = (
    "numpy", "scipy", "hypothesis", "pytest", "pytest-benchmark", "pytest-xdist", "threadpoolctl",
    "tqdm",
)  # fmt: skip
MANYLINUX = ("2_28", "2_27", "2_26", "2_24", "2_17", "2014")
COMPILER = "aarch64-linux-gnu-gcc"
#: What the cross build asks Debian's Python about its compiler.
SYSCONFIG = "_sysconfigdata__aarch64-linux-gnu"
EMULATOR = "/usr/bin/qemu-aarch64-static"
#: Without pointer authentication, which `max` emulates slowly.
CPU = "neoverse-n1"

#: The kernel starts the programs of this header by the emulator: tests start interpreters. F opens
#: it now, so that it is found inside the root, too.
HEADER = (
    r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00",
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff",
)
REGISTRATION = f":qemu-aarch64:M::{HEADER[0]}:{HEADER[1]}:{EMULATOR}:F"
#: In a mount namespace of its own, so that nothing of it outlives the command. /dev is never
#: mounted: what removes the root would then empty the machine's own.
ENTER = """
set -e
known=/proc/sys/fs/binfmt_misc
[ -e $known/register ] || mount -t binfmt_misc binfmt_misc $known
[ -e $known/qemu-aarch64 ] || printf %s "$2" > $known/register
mount -t proc proc "$1/proc"
root=$1
shift 2
exec chroot "$root" /usr/bin/env --chdir=/src -i "$@"
"""


def run(command: list[str], **options) -> None:
    """Run a command; if it fails, so does this."""
    result = subprocess.run(command, check=False, **options)
    if result.returncode:
        raise SystemExit(f"{command[0]} has failed with status {result.returncode}")


def entered(command: list[str]) -> list[str]:
    """Return the command that runs another one in the root, beside the sources."""
    variables = {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": "/src:/src/tools/arm",
        "QEMU_CPU": CPU,
    }
    return [
        "unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh",
        str(ROOT), REGISTRATION, *(f"{name}={value}" for name, value in variables.items()),
        *command,
    ]  # fmt: skip


def needed() -> None:
    """Say what is missing before anything begins."""
    if os.geteuid():
        raise SystemExit("tools/arm has to run as root, in a container perhaps: it calls chroot")
    if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        raise SystemExit(f"tools/arm needs Python {PYTHON}: the root has Debian's {SUITE}")
    missing = [name for name in (EMULATOR, COMPILER, "mmdebstrap") if not shutil.which(name)]
    if missing:
        raise SystemExit(
            f"missing: {', '.join(missing)}. apt-get install --no-install-recommends "
            "qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross mmdebstrap"
        )


def mirror() -> str:
    """Return the archive of Debian that this machine uses, or the usual one."""
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    uris = [line.split()[0] for line in asked.stdout.splitlines() if line.endswith(f" {SUITE}")]
    return uris[0] if uris else "http://deb.debian.org/debian"


def make() -> None:
    """Make the root, if there is none of the same packages; no emulated program runs for it."""
    needed()
    wheels = [f"{name}=={importlib.metadata.version(name)}" for name in WHEELS]
    recipe = "\n".join((SUITE, *PACKAGES, *wheels)) + "\n"
    made = ROOT / "recipe.txt"
    if made.exists() and made.read_text() == recipe:
        return
    began = time.monotonic()
    if any(str(ROOT) in line for line in Path("/proc/self/mounts").read_text().splitlines()):
        raise SystemExit(f"something is mounted below {ROOT}: it is not removed")
    if ROOT.exists():
        shutil.rmtree(ROOT)
    WORK.mkdir(parents=True, exist_ok=True)
    run(
        ["mmdebstrap", "--quiet", "--variant=extract", "--architectures=arm64",
         f"--include={','.join(PACKAGES)}", SUITE, str(ROOT), mirror()]
    )  # fmt: skip
    (ROOT / "usr/bin/python3").unlink(missing_ok=True)
    (ROOT / "usr/bin/python3").symlink_to(f"python{PYTHON}")
    for path in (ROOT / "dev/shm", ROOT / "proc", ROOT / "tmp", SOURCES):
        path.mkdir(parents=True, exist_ok=True)
    run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(SITE),
         "--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}",
         *(f"--platform=manylinux{each if each == '2014' else '_' + each}_aarch64"
           for each in MANYLINUX), *wheels]
    )  # fmt: skip
    made.write_text(recipe)
    print(f"{ROOT}: made in {time.monotonic() - began:.0f} s")


def copy_sources() -> None:
    """Bring the copy in the root up to date; what is built there stays."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=HERE, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = {name for name in listed.stdout.split("\0") if name and (HERE / name).is_file()}
    kept = SOURCES / "copied.txt"
    for name in kept.read_text().splitlines() if kept.exists() else []:
        if name not in names:
            (SOURCES / name).unlink(missing_ok=True)
    for name in sorted(names):
        source, target = HERE / name, SOURCES / name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    kept.write_text("\n".join(sorted(names)) + "\n")


def build() -> None:
    """Compile what has changed, in place, for the root's Python."""
    began = time.monotonic()
    copy_sources()
    headers = (
        ROOT / f"usr/include/python{PYTHON}",
        ROOT / "usr/include",
        SITE / "numpy/_core/include",
    )
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / f"usr/lib/python{PYTHON}/{SYSCONFIG}.py", folder)
        log = WORK / "build.log"
        # The headers are part of CC: CFLAGS would replace Python's own flags.
        cross = {
            "CC": " ".join([COMPILER, *(f"-I{path}" for path in headers)]),
            "LDSHARED": f"{COMPILER} -shared",
            "PYCONV_REQUIRE_OPENMP": "1",
            "PYTHONPATH": folder,
            "_PYTHON_HOST_PLATFORM": "linux-aarch64",
            "_PYTHON_SYSCONFIGDATA_NAME": SYSCONFIG,
        }
        with log.open("w") as output:
            result = subprocess.run(
                [sys.executable, "setup.py", "build_ext", "--inplace"],
                cwd=SOURCES, env=os.environ | cross, stdout=output, stderr=subprocess.STDOUT,
                check=False,
            )  # fmt: skip
    told = log.read_text()
    if result.returncode:
        errors = re.findall(r"^.*\berror: .*$", told, re.MULTILINE)
        raise SystemExit("\n".join([*errors[:20], f"the build has failed: {log}"]))
    print(f"{SOURCES}: built in {time.monotonic() - began:.0f} s")
