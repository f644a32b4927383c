"""Processes of tests: started as a terminal would start them, and never left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap

#: After a long call has begun it takes so much processor time before it is interrupted.
UNDER_WAY = 0.2
#: Processor time of one thread from the signal to the exception.
SOON = 1.0


def without_sanitizers():
    """Return the variables for a program with a sanitizer of its own, or with none.

    The library of another one would crash it, and other options would send its reports elsewhere.
    """
    theirs = ("LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
    return {name: value for name, value in os.environ.items() if name not in theirs}


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


#: A thread of the process waits until the call is under way, and sends the process what a terminal
#: does. Its clock stands still while other processes run, and a loop that holds the interpreter is
#: interrupted later, but not judged otherwise.
INTERRUPTED = """
import json, os, signal, threading, time

def interrupted(call):
    begun, sent, done = time.process_time(), [], threading.Event()

    def interrupt():
        while time.process_time() - begun < {under_way}:
            if done.wait(0.005):
                return
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    try:
        thread.start()
        call()
        done.set()
        thread.join()
    except KeyboardInterrupt:
        return None if done.is_set() else time.process_time() - sent[0]
"""


def seconds_to_interrupt(script, call, *, after="", timeout=300, **options):
    """Return the processor time from SIGINT during a call to KeyboardInterrupt, in a new process.

    ``script`` comes before the call, ``after`` behind the interruption. A call that ends before
    it is under way, or never, fails.
    """
    code = "\n".join(
        [
            INTERRUPTED.format(under_way=UNDER_WAY),
            textwrap.dedent(script),
            f"_seconds = interrupted(lambda: {call})",
            textwrap.dedent(after),
            "print(json.dumps(_seconds))",
        ]
    )
    with started([sys.executable, "-c", code], **options) as process:
        output, errors = process.communicate(timeout=timeout)
        assert process.returncode == 0, errors[-2000:]
    seconds = json.loads(output)
    assert seconds is not None, "the call ended before it was interrupted"
    return seconds
