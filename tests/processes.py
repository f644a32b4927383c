"""Processes of tests: started as a terminal would start them, and never left behind."""

import contextlib
import signal
import subprocess


@contextlib.contextmanager
def started(arguments, **options):
    """Start a process; end it in any case.

    It can be interrupted, even if the tests cannot: a shell starts what runs in the background with
    SIGINT ignored, which children inherit.
    """
    process = subprocess.Popen(
        list(map(str, arguments)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
