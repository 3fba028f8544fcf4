"""What a process learns of its machine: processors, kills for memory, the death of its parent."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest
from reflection_trainer.cpus import available_cpus
from reflection_trainer.train.oom import KillCounter, counter_file

GUARD_SECONDS = 30


@pytest.fixture
def eight_cpus(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), ("", 8), (None, 8)],
)
def test_a_containers_limit_counts(tmp_path, eight_cpus, quota, expected):
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota)
    assert available_cpus(file) == expected


@pytest.mark.parametrize(("value", "expected"), [("3", 3), ("0", 8), ("many", 8), ("", 8)])
def test_what_the_environment_says_goes_first(tmp_path, eight_cpus, monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert available_cpus(tmp_path / "none") == expected


VERSION_2 = "low 0\nhigh 0\nmax 5\noom 1\noom_kill {}\noom_group_kill 0\n"
VERSION_1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


@pytest.mark.parametrize(
    ("membership", "file", "text"),
    [
        ("0::/kubepods/pod1\n", "kubepods/pod1/memory.events", VERSION_2),
        ("0::/\n", "memory.events", VERSION_2),
        ("0::/../pod1\n", "memory.events", VERSION_2),
        ("9:name=systemd:/\n4:memory:/docker/abc\n0::/\n", "memory/docker/abc/memory.oom_control", VERSION_1),
        ("4:cpu,memory:/gone\n", "memory/memory.oom_control", VERSION_1),
    ],
)
def test_kills_of_the_own_group_are_counted_from_now_on(tmp_path, membership, file, text):
    (tmp_path / "membership").write_text(membership)
    counter = tmp_path / "cgroup" / file
    counter.parent.mkdir(parents=True)
    counter.write_text(text.format(2))
    found = counter_file(tmp_path / "membership", tmp_path / "cgroup", tmp_path / "vmstat")
    assert found == counter
    kills = KillCounter(found)
    assert not kills.killed()
    counter.write_text(text.format(3))
    assert kills.killed()


def test_without_a_group_the_machines_counter_serves(tmp_path):
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free_pages 1\noom_kill 0\n")
    assert counter_file(tmp_path / "none", tmp_path, vmstat) == vmstat
    kills = KillCounter(vmstat)
    vmstat.unlink()
    assert not kills.killed(), "a machine that does not count has killed nothing that we know of"


def test_this_machine_has_a_counter():
    assert "oom_kill" in counter_file().read_text()


CHILD = "from reflection_trainer.train.family import die_with_parent; die_with_parent(); print('ready', flush=True); input()"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
input()
"""


def test_a_child_dies_with_a_parent_that_is_killed():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs([child], timeout=GUARD_SECONDS)
    assert not alive or child.status() == psutil.STATUS_ZOMBIE
    parent.stdin.close()
    parent.stdout.close()


IN_A_CONTAINER = """
import os, subprocess
from reflection_trainer.train.family import dying_with_this_process
own, os.getpid = os.getpid, lambda: 1
before_exec = dying_with_this_process()
os.getpid = own  # a process that kills itself must not look for itself under another's number
os.getppid = lambda: {parent}
print(subprocess.Popen(["true"], preexec_fn=before_exec).wait())
"""


@pytest.mark.parametrize(("parent", "code"), [(1, 0), (7, -signal.SIGKILL)], ids=["a stage", "an orphan"])
def test_the_first_process_of_a_container_may_have_children(parent, code):
    """As which every stage runs in its pod; an orphan is given to another one."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CONTAINER.format(parent=parent)], capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (str(int(code)), "")
