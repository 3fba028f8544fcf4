"""What the demo starts ends with it, whether it is killed or stopped by Ctrl-C, once or twice. Nothing is trained here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

GUARD = 30.0

SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
IN_ORDER = """
import os, signal, sys, time
asked = []
def ask(*_):
    asked.append(1)
    print("asked", flush=True)
    if len(asked) == int(sys.argv[1]):
        sys.exit()
signal.signal(signal.SIGINT, ask)
print(os.getpid(), flush=True)
time.sleep(600)
"""
DEMO = "import sys, demo; code, peak = demo.watched(sys.argv[1:]); assert peak > 0; sys.exit(code)"


@contextmanager
def watching(countdown: Path, *command: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """The demo's watch over this command in a process group of its own, and the process of the command, which has begun."""
    # Where the tests were started in the background of a shell, Ctrl-C is ignored, and so it would be here.
    watch = subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-c", DEMO, sys.executable, "-c", *command],
        cwd=countdown,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    child = psutil.Process(int(watch.stdout.readline()))
    try:
        yield watch, child
    finally:
        for process in (watch, child):
            try:
                process.kill()
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        watch.communicate()


def assert_gone(process: psutil.Process) -> None:
    """One that has ended may wait for its parent, which by then is the machine's first process, to take note of it."""
    _, left = psutil.wait_procs([process], timeout=GUARD)
    assert [one for one in left if one.status() != psutil.STATUS_ZOMBIE] == []


def wait_until_deaf(process: subprocess.Popen[str]) -> None:
    """Until Ctrl-C is ignored: the first one has been dealt with."""
    interrupt = 1 << (signal.SIGINT - 1)
    deadline = time.monotonic() + GUARD
    while True:
        status = Path(f"/proc/{process.pid}/status").read_text()
        [mask] = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")]
        if int(mask, 16) & interrupt:
            return
        assert time.monotonic() < deadline, "a second Ctrl-C would still interrupt it"
        time.sleep(0.02)


def test_it_is_killed_with_the_demo(countdown: Path) -> None:
    with watching(countdown, SLEEPER) as (watch, child):
        watch.kill()
        watch.wait()
        assert_gone(child)


def test_ctrl_c_waits_for_it_to_stop_in_order(countdown: Path) -> None:
    with watching(countdown, IN_ORDER, "1") as (watch, child):
        os.killpg(watch.pid, signal.SIGINT)
        output, errors = watch.communicate(timeout=GUARD)
        assert (watch.returncode, output, errors) == (130, "asked\n", "")
        assert_gone(child)


def test_ctrl_c_again_goes_to_it_alone(countdown: Path) -> None:
    with watching(countdown, IN_ORDER, "2") as (watch, child):
        os.killpg(watch.pid, signal.SIGINT)
        assert watch.stdout.readline() == "asked\n"
        wait_until_deaf(watch)
        os.killpg(watch.pid, signal.SIGINT)
        output, errors = watch.communicate(timeout=GUARD)
        assert (watch.returncode, output, errors) == (130, "asked\n", "")
        assert_gone(child)
