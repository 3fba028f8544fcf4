"""No program gets away with anything: each escape here works where the answer and its tests share a process without a lock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reflection_api.items import Item
from reflection_trainer.verify.registry import make_verifier

VERIFIER = make_verifier("code", {"cpuSeconds": 1})
TESTS = "assert add(1, 2) == 3\nassert add(2, 2) == 4"
PASSED = 0

UNLOCKED = """
import sys

def judge(tests, scope):
    exec(tests, scope)

program, tests = sys.argv[1:]
scope = {"__name__": "answer"}
exec(program, scope)
judge(tests, scope)
"""
"""How scorers without a lock do it: who comes to the end has passed."""


@pytest.fixture(autouse=True)
def secret(tmp_path, monkeypatch):
    """What a program must not find: in the environment, and in a file."""
    monkeypatch.setenv("REFLECT_TEST_SECRET", "3")
    file = tmp_path / "secret"
    file.write_text("3")
    monkeypatch.setenv("REFLECT_TEST_FILE", str(file))
    return file


def unlocked(program, tests=TESTS):
    command = [sys.executable, "-c", UNLOCKED, program, tests]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def reason(program, tests=TESTS):
    [verdict] = VERIFIER.verify([Item(id="x", completion=program, row={"tests": tests})])
    assert verdict.correct == (verdict.reason == "correct")
    assert verdict.reason in VERIFIER.reasons
    return verdict.reason


ADD = "\ndef add(a, b): return a + b"
"""Behind something that is forbidden: the program passes if that worked."""
ZERO = "\ndef add(a, b): return 0"
"""Behind something that spoils the tests: the program passes if that worked."""
ALIKE = "    def __eq__(self, other): return True\n    __hash__ = None\n"
FRAMES = """
import re, sys
def add(a, b):
    frame = sys._getframe()
    while "tests" not in frame.f_locals: frame = frame.f_back
    return int(re.search(rf"add\\({a}, {b}\\) == (.*)", frame.f_locals["tests"])[1])
"""

WORKING = {
    # Claims to be equal to everything.
    "an object": f"class E:\n{ALIKE}def add(a, b): return E()",
    "a kind of number": f"class I(int):\n{ALIKE}def add(a, b): return I(0)",
    "a kind of text": f"class S(str):\n{ALIKE}def add(a, b): return S('')",
    "a kind of list": f"class L(list):\n{ALIKE}def add(a, b): return L()",
    # Spoils what judges, or ends before it can.
    "exec that does nothing": "import builtins\nbuiltins.exec = lambda *a: None" + ZERO,
    "another judge": "import __main__\n__main__.judge = lambda *a: None" + ZERO,
    "the judge's own code": "import __main__\n__main__.judge.__code__ = (lambda tests, scope: None).__code__"
    + ZERO,
    "an end in success": "import os\nos._exit(0)",
    "an end in success when it is asked": "import os\ndef add(a, b): os._exit(0)",
    "an exit": "raise SystemExit(0)",
    "another program": "import os\nos.execv('/bin/true', ['true'])",
    "an exit at any error": "import os, sys\nsys.excepthook = lambda *a: os._exit(0)" + ZERO,
    # Reads what is expected.
    "the tests in a frame": FRAMES,
    "the tests on the command line": (
        "import re\n_tests = open('/proc/self/cmdline').read().split('\\0')[4]\n"
        "def add(a, b): return int(re.search(rf'add\\({a}, {b}\\) == (.*)', _tests)[1])"
    ),
    # Reads what is not its own. The one right answer is the secret; the other sum is right.
    "the environment": "import os\ndef add(a, b): return int(os.environ['REFLECT_TEST_SECRET']) if a < b else 4",
    "the environment by its file": (
        "_found = open('/proc/self/environ').read().split('REFLECT_TEST_SECRET=')[1][0]\n"
        "def add(a, b): return int(_found) if a < b else 4"
    ),
    "a file": "import os\ndef add(a, b): return int(open(os.environ['REFLECT_TEST_FILE']).read()) if a < b else 4",
    "a folder": "import os\nassert os.listdir('/')" + ADD,
    "what other processes there are": "import os\nassert '1' in os.listdir('/proc')" + ADD,
    # Writes.
    "a file of its own": "import os\nopen(os.environ['REFLECT_TEST_FILE'] + '.new', 'w').write('x')" + ADD,
    "a file in a folder for all": "import os\nopen('/tmp/escaped-from-code', 'w').write('x')" + ADD,
    "a link": "import os\nos.symlink('/etc', os.environ['REFLECT_TEST_FILE'] + '.link')" + ADD,
    "a file in memory": "import os\nos.write(os.memfd_create('x'), b'x')" + ADD,
    "removing a file": "import os\nos.unlink(os.environ['REFLECT_TEST_FILE'])" + ADD,
    # Multiplies, waits, talks.
    "a child": "import os\nif not os.fork(): os._exit(0)\nos.wait()" + ADD,
    "many children": "import os\nfor _ in range(50):\n    if not os.fork(): os._exit(0)\n    os.wait()" + ADD,
    "a thread": "import threading\nt = threading.Thread(target=int)\nt.start()\nt.join()" + ADD,
    "a program": "import subprocess\nsubprocess.run(['true'], check=True)" + ADD,
    "sleep": "import time\ntime.sleep(0.1)" + ADD,
    "a socket": "import socket\nsocket.create_server(('127.0.0.1', 0))" + ADD,
    "a pair of sockets": "import _socket\n_socket.socketpair()" + ADD,
    "a signal to the parent": "import os\nos.kill(os.getppid(), 0)" + ADD,
    "a signal to its group": "import os\nos.killpg(0, 0)" + ADD,
    "a socket by C": "import ctypes\nassert ctypes.CDLL(None).socket(2, 1, 0) >= 0" + ADD,
    "a file by C": "import ctypes\nassert ctypes.CDLL(None).open(b'/etc/passwd', 0) >= 0" + ADD,
    "a child by C": "import ctypes\nif not (pid := ctypes.CDLL(None).fork()): ctypes.CDLL(None)._exit(0)\nassert pid > 0"
    + ADD,
    "memory that can be executed": (
        "import ctypes\nf = ctypes.CDLL(None).mmap\nf.restype = ctypes.c_void_p\n"
        "assert f(None, 4096, 7, 34, -1, 0) not in (None, 2**64 - 1)" + ADD
    ),
    "more open files": "import os\nfor _ in range(20): os.dup(1)" + ADD,
    "another user's rights": "import os\nos.umask(0)" + ADD,
    "another folder": "import os\nos.chdir('/tmp')" + ADD,
}
"""Wrong programs, and such as are right only where they may do what they must not."""


@pytest.fixture
def clean():
    mark = Path("/tmp/escaped-from-code")
    mark.unlink(missing_ok=True)
    yield mark
    mark.unlink(missing_ok=True)


@pytest.mark.parametrize("program", WORKING.values(), ids=WORKING)
def test_what_works_without_the_lock_does_not_work_here(program, secret, clean):
    assert reason(program) != "correct"
    assert [*secret.parent.iterdir()] == [secret]
    assert not clean.exists()
    done = unlocked(program)
    assert done.returncode == PASSED, done.stderr


def test_a_right_and_a_wrong_program_are_told_apart_without_the_lock_too():
    """Else the test above would show nothing."""
    assert unlocked(ADD).returncode == PASSED
    assert unlocked(ZERO).returncode != PASSED
    assert (reason(ADD), reason(ZERO)) == ("correct", "wrong_answer")


SPOILT = {
    "len": ("import builtins\nbuiltins.len = lambda x: 2\ndef f(): return []", "assert len(f()) == 2"),
    "all": (
        "import builtins\nbuiltins.all = lambda x: True\ndef f(): return 0",
        "assert all(f() == n for n in [1, 2])",
    ),
    "math": (
        "import math\nmath.isclose = lambda *a: True\ndef f(): return 0",
        "import math\nassert math.isclose(f(), 1)",
    ),
    "random": (
        "import random\nrandom.random = lambda: 0\ndef f(x): return 0",
        "import random\nx = random.random()\nassert f(x) == x",
    ),
    "too much at once": ("def f(): return 'x' * 10 ** 7", "assert len(f()) == 10 ** 7"),
}
"""Programs that change what the tests stand on, and such tests."""


@pytest.mark.parametrize(("program", "tests"), SPOILT.values(), ids=SPOILT)
def test_what_the_tests_stand_on_is_their_own(program, tests):
    assert reason(program, tests) != "correct"
    assert unlocked(program, tests).returncode == PASSED


DESTRUCTIVE = [
    # Looks for the verdict's channel, floods it and breaks its lines.
    "import os\nfor fd in range(64):\n    try: os.write(fd, b'\"correct\"\\n' * 9)\n    except OSError: pass"
    + ZERO,
    'import os\nos.write(4, b\'{"value": {"handle": 0}, "args": {"tuple": []}}\\n\' * 9)' + ZERO,
    "import os\nos.write(4, b'[' * 100000 + b'\\n')" + ZERO,
    "import os\nos.write(4, b'x' * 10 ** 7)",
    "import sys\nfor name in list(sys.modules): sys.modules[name] = None" + ZERO,
    "import reflection_trainer.verify.code_judge as j\nj.judge = lambda *a: 'correct'" + ZERO,
    # Ends itself or others.
    "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)" + ZERO,
    "import os\nos.killpg(0, 9)",
    "import ctypes\nctypes.string_at(0)",
    "import os\nos.abort()",
    # Never ends, and takes what there is.
    "import time\ntime.sleep(10 ** 6)",
    "import os\nwhile True: os.read(3, 1)",
    "import os\nwhile True: os.fork()",
    "import threading\nwhile True: threading.Thread(target=lambda: None).start()",
    # Says much.
    "def add(a, b):\n    print('x' * 10 ** 8)\n    return 0",
    "def add(a, b): return 'x' * 10 ** 7",
    "x = []\nx.append(x)\ndef add(a, b): return x",
    "(" * 5_000 + ")" * 5_000,
    "x = " + "-" * 50_000 + "1",
    "eval('[' * 90000 + ']' * 90000)",
]
"""Nobody would run these without a lock."""


@pytest.mark.parametrize("program", DESTRUCTIVE)
def test_whatever_a_program_does_there_is_a_verdict(program):
    me, started = os.getpid(), time.monotonic()
    assert reason(program) != "correct"
    assert time.monotonic() - started < 60
    assert os.getpid() == me
