"""Hostile code in a locked-down child: it reaches nothing, and it is ended within its limits.

The code runs in the child with everything that Python has, as if a parser had executed it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from reflection_trainer.confine.batch import BROKEN, LATE, Batch
from reflection_trainer.confine.cells import CannotConfine, Cells
from reflection_trainer.confine.talk import Allowance, Refused, ask

SUPPORT = str(Path(__file__).parents[2] / "support")
EPERM = "[Errno 1] Operation not permitted"


@pytest.fixture(scope="module", autouse=True)
def several_lanes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "3")
        yield


@pytest.fixture(scope="module")
def batch():
    sys.path.insert(0, SUPPORT)
    try:
        batch = Batch("cell_for_tests", 1.0)
        assert batch.ask(["result = 6 * 7"]) == ["42"]
        yield batch
    finally:
        sys.path.remove(SUPPORT)
    batch._cells.close()


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd')",
        "open('/proc/self/environ')",
        "open(f'/proc/{os.getppid()}/environ')",
        "open('/tmp/escaped', 'w')",
        "os.listdir('/')",
        "os.stat('/')",
        "os.mkdir('/tmp/escaped')",
        "os.unlink('/tmp/escaped')",
        "os.memfd_create('x')",
        "os.pipe()",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "os.kill(1, 9)",
        "os.kill(os.getpid(), 9)",
        "os.kill(0, 9)",
        "os.killpg(0, 9)",
        "os.setpgid(0, 0)",
        "os.nice(-5)",
        "os.unshare(0x10000000) if hasattr(os, 'unshare') else os.fork()",
        "import socket; socket.socket()",
        "import socket; socket.socketpair()",
        "import resource; resource.prlimit(0, resource.RLIMIT_AS, (-1, -1))",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "import signal; signal.setitimer(signal.ITIMER_REAL, 1)",
        "import time; time.sleep(3600)",
        "import select; select.select([], [], [], 3600)",
    ],
)
def test_nothing_outside_is_reached(batch, code):
    (answer,) = batch.ask([code])
    assert EPERM in answer
    assert not Path("/tmp/escaped").exists()


def test_there_is_no_thread_and_no_environment(batch):
    os.environ["REFLECT_TEST_SECRET"] = "hunter2"
    try:
        answers = batch.ask(
            ["import threading; threading.Thread(target=print).start()", "result = dict(os.environ)"]
        )
        assert answers == ["RuntimeError: can't start new thread", "{}"]
    finally:
        del os.environ["REFLECT_TEST_SECRET"]


def test_native_code_reaches_nothing_either(batch):
    """Python's own checks are no part of the lock: system calls by number, as injected code would make them."""
    call = (
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); result = (l.syscall({}), ctypes.get_errno())"
    )
    executable = "import ctypes; m = ctypes.CDLL(None).mmap; m.restype = ctypes.c_long; result = m(0, 4096, {}, 0x22, -1, 0)"
    opening = call.format("257, -100, b'/etc/passwd', 0")
    killing = call.format("62, 1, 9")
    assert batch.ask([opening, killing]) == ["(-1, 1)", "(-1, 1)"]
    assert [int(answer) > 0 for answer in batch.ask([executable.format(3), executable.format(7)])] == [
        True,
        False,
    ]


def test_no_descriptor_but_the_two_pipes(batch):
    probe = """
found = []
for number in range(4096):
    try:
        os.lseek(number, 0, os.SEEK_CUR)
        found.append(number)
    except OSError as error:
        if error.errno != 9:
            found.append(number)
result = found
"""
    assert batch.ask([probe]) == ["[0, 1, 2, 3, 4]"]


def test_time_memory_and_output_are_bounded(batch):
    started = time.monotonic()
    answers = batch.ask(
        [
            "while True: pass",
            "result = len('x' * 10**10)",
            "while True: os.write(replies, b'x' * 65536)",
            "print('x' * 10**8)",
            "os.read(3, 10**6)",
            "os._exit(0)",
            "result = 'still here'",
        ]
    )
    assert answers == [LATE, "MemoryError: ", BROKEN, "done", LATE, BROKEN, "still here"]
    assert time.monotonic() - started < 60


def test_a_child_that_died_takes_no_other_answer_with_it(batch):
    codes = [f"result = {n}" if n % 3 else "os._exit(1)" for n in range(60)]
    assert batch.ask(codes) == [str(n) if n % 3 else BROKEN for n in range(60)]


def test_threads_may_share_it(batch):
    answers: dict[int, list[str]] = {}

    def work(lane: int) -> None:
        answers[lane] = batch.ask([f"result = {lane * 100 + n}" for n in range(50)])

    lanes = [threading.Thread(target=work, args=[lane]) for lane in range(4)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    assert answers == {lane: [str(lane * 100 + n) for n in range(50)] for lane in range(4)}


def test_children_and_server_end_with_the_parent(tmp_path):
    """Even when it is killed while a child runs."""
    code = f"""
import sys; sys.path.insert(0, {SUPPORT!r})
from reflection_trainer.confine.batch import Batch
batch = Batch("cell_for_tests", 60)
batch.ask(["1"])
print(batch._cells._server.pid, flush=True)
batch.ask(["while True: pass"])
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        deadline = time.monotonic() + 60
        while not server.children():
            assert time.monotonic() < deadline
        (child,) = server.children()
        parent.kill()
    _, alive = psutil.wait_procs([server, child], timeout=60)
    assert not alive, alive


def test_the_server_killed_takes_its_children_along():
    sys.path.insert(0, SUPPORT)
    try:
        cells = Cells("cell_for_tests")
        theirs, writer = os.pipe()
        reader, theirs_out = os.pipe()
        child = cells.spawn("batch", [theirs, theirs_out], 60)
    finally:
        sys.path.remove(SUPPORT)
    os.set_blocking(writer, False)
    assert ask([child], writer, b'"result = 1"', reader, Allowance.of(5)) == b"1"
    os.kill(cells._server.pid, signal.SIGKILL)
    with pytest.raises(Refused):
        ask([child], writer, b'"while True: pass"', reader, Allowance.of(30))
    with pytest.raises(CannotConfine, match="the server of cell_for_tests has died"):
        cells.spawn("batch", [], 60)
    cells.close()
    os.close(writer)
    os.close(reader)


def test_a_server_that_cannot_start_says_why():
    with pytest.raises(CannotConfine, match="No module named 'no_such_module'"):
        Batch("no_such_module", 1.0).ask(["1"])


def test_without_seccomp_nothing_runs(monkeypatch, tmp_path):
    """A kernel that refuses the filter, played by a machine name that the filter does not know."""
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.machine = lambda: 'vax'\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), SUPPORT, *sys.path])
    with pytest.raises(CannotConfine, match="no filter for vax: known are x86_64, aarch64"):
        Batch("cell_for_tests", 1.0).ask(["result = 1"])


def test_works_without_privileges():
    """As a user without rights, as in a pod under the restricted Pod Security Standard.

    Where the tests run as root, Python may lie in root's own folder: the right to read it is all that is kept.
    """
    code = f"""
import sys; sys.path.insert(0, {SUPPORT!r})
from reflection_trainer.confine.batch import Batch
print(Batch("cell_for_tests", 5).ask(["result = 6 * 7", "open('/etc/passwd')", "os.fork()"]))
"""
    rights = "+dac_read_search"
    drop = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all,+dac_read_search",
    ]
    drop += [f"--inh-caps={rights}", f"--ambient-caps={rights}"]
    command = [*(drop if os.getuid() == 0 else []), sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("['42', "), done.stderr[-2000:]
    assert done.stdout.count(EPERM) == 2
