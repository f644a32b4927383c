"""Build the loops for 64-bit ARM on an x86-64 Debian, and run tests there by emulation.

    python tools/arm                                  # root, build, a sample of all tests
    python tools/arm --every 10 --limit 3600          # a larger sample, for an hour at most
    python tools/arm tests/test_fft.py -k direct      # whole files, with options of pytest
    python tools/arm build                            # root and build alone
    python tools/arm loops                            # what the compiler made of the inner loops

The root is a Debian with Python, NumPy and the test tools (`root.py`); loops are compiled by GCC's
cross compiler from a copy of the sources in it. Both lie in ``build/arm`` and are kept. `sample.py`
chooses the tests. Nothing here measures time: an emulator's time is not a processor's.

Debian's packages qemu-user-static, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and mmdebstrap are
needed, and an environment of Python 3.11 with the extra `test`. The user is root, for the kernel is
told of the emulator, and `chroot` enters the root. The exit status is 1 if a test fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter

import loops
import root
from root import SOURCES, WORK

PROCESSES = os.cpu_count() or 1
#: What measures the time that a signal or a warning takes.
MEASURED = ("interrupts", "benchmarks")
#: A test that takes longer than so many seconds is left out, too: the others have the time.
EACH_S = 60
#: A process may be in a test, or in an import, when the time is over.
GRACE_S = 300


def run_tests(arguments: list[str], every: int, limit: float) -> int:
    """Run every n-th test of each file in processes side by side, and say what became of them."""
    began = time.monotonic()
    reports = [SOURCES / f"report-{i}.json" for i in range(PROCESSES)]
    logs = [WORK / f"tests-{i}.log" for i in range(PROCESSES)]
    running = []
    for i, (report, log) in enumerate(zip(reports, logs, strict=True)):
        report.unlink(missing_ok=True)
        command = [
            "python3", "-X", "faulthandler", "-m", "pytest", "-p", "sample",
            "-p", "no:cacheprovider", "-n", "0", "-v", "--tb=short", "--durations=15",
            f"--of-each={every}", f"--share={i}/{PROCESSES}", f"--seconds={limit}",
            f"--each={EACH_S if limit else 0}", f"--report={report.name}", *arguments,
        ]  # fmt: skip
        with log.open("w") as output:
            running.append(
                subprocess.Popen(root.entered(command), stdout=output, stderr=subprocess.STDOUT)
            )
    counts: Counter[str] = Counter()
    left: Counter[str] = Counter()
    ended = True
    for process, report, log in zip(running, reports, logs, strict=True):
        try:
            process.wait(timeout=limit + GRACE_S if limit else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if not report.exists():  # the interpreter died, or was ended
            ended = False
            print("".join(log.read_text().splitlines(keepends=True)[-40:]))
            continue
        told = json.loads(report.read_text())
        counts.update(told["counts"])
        left.update(told["left"])
        for text in told["failures"]:
            print(text)
    print(
        f"one test in {every} of each file, emulated: {counts['passed']} passed, "
        f"{counts['failed']} failed, {counts['skipped']} skipped, "
        f"{sum(left.values())} left out for time, in {time.monotonic() - began:.0f} s; "
        f"logs: {', '.join(map(str, logs))}"
    )
    for name, n in sorted(left.items()):
        print(f"left out for time: {n} of {name}")
    if not ended:
        print("a process of tests did not end by itself")
    return int(counts["failed"] > 0 or not ended)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python tools/arm", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--every", type=int, metavar="N", help="run each N-th test of each file")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="leave out tests after that")
    options, rest = parser.parse_known_args()
    if rest[:1] == ["loops"]:
        return loops.main(*rest[1:2])
    root.make()
    root.build()
    if rest == ["build"]:
        return 0
    whole = any(each.startswith("tests") for each in rest)
    every = options.every or (1 if whole else 40)
    limit = options.limit if options.limit is not None else (0 if whole else 600)
    if not whole:
        rest += ["tests", *(f"--ignore=tests/test_{name}.py" for name in MEASURED)]
    return run_tests(rest, every, limit)


if __name__ == "__main__":
    sys.exit(main())
