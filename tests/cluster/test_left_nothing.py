"""A cluster whose owner is killed without a word, with a pod running, leaves nothing on this machine in the end."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from ..support.kubernetes_programs import find_programs
from ..support.nodes import cgroups
from ..support.nodes.cluster import lacking
from ..support.nodes.init import OWN
from ..support.nodes.node import PAUSE
from ..support.nodes.turn import take_turn
from ..support.pages import ROOT

PROGRAM = (sys.executable, "-m", "tests.support.nodes")
PLACES = {*OWN, *(str(Path(folder).parent) for folder in OWN), "/etc", "/opt", "/usr/libexec"}
"""Folders of this machine where programs of a cluster write by default; what is below them is looked at by name."""
OF_ITSELF = ("kernel/ns_last_pid", "kernel/perf_", "kernel/pty", "kernel/random")
"""Settings that the kernel changes while nobody does."""
OF_PODS = {"pause", "containerd-shim-runc-v2"}
"""What runs for a pod that does nothing."""
_OTHERS_S = 600
_READY_S = 120


@pytest.fixture
def turn() -> Iterator[None]:
    """No other cluster runs on this machine now, and what somebody has left before is not found here."""
    if problem := lacking():
        pytest.skip(problem)
    take_down(_OTHERS_S)
    yield
    take_down(_OTHERS_S)


def test_nothing_is_left_after_make_cluster_down(turn: None) -> None:
    """Owner of a cluster killed, and the cluster taken down"""
    with killed() as processes:
        take_down(0)
        assert [process for process in processes if lives(process)] == []


def test_nothing_is_left_after_the_next_start(turn: None) -> None:
    """Owner of a cluster killed, and another one started and stopped"""
    with killed() as processes, started() as owner:
        kubeconfig(owner)
        assert [process for process in processes if lives(process)] == []
        owner.stdin.close()


@contextmanager
def killed() -> Iterator[set[psutil.Process]]:
    """The processes of a cluster whose owner was killed; at the end nothing is left of it."""
    before, of_kernel, others = things(), settings(), set(psutil.process_iter())
    with started() as owner:
        try:
            start_pod(kubeconfig(owner))
            # A container's processes are nobody's children: their shim has left its parent.
            in_pods = {each for each in psutil.process_iter() if named(each) in OF_PODS} - others
            processes = {*owner.children(recursive=True), *in_pods}
            networks = {network(process) for process in processes} - {network(psutil.Process()), ""}
            assert {"kubelet", *OF_PODS} <= {named(process) for process in processes if lives(process)}
            assert len(networks) >= 3, "control plane, node and pod"
            assert {thing.split()[0] for thing in things() - before} >= {"cgroup", "folder"}
        finally:
            owner.kill()
    assert any(map(lives, processes)), "they outlive their owner"

    yield processes
    assert networks.isdisjoint(map(network, psutil.process_iter()))
    assert things() - before == set()
    assert settings() - of_kernel == set()


def started() -> psutil.Popen:
    """A cluster with one node, as `make cluster` starts it; it ends with its input."""
    command = [*PROGRAM, "--nodes", "1"]
    return psutil.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def kubeconfig(owner: psutil.Popen) -> Path:
    """Where it says that its administrator's is, as soon as its node is ready."""
    said = owner.stdout.readline()
    assert said.startswith("export KUBECONFIG="), "it ended before the node was ready"
    return Path(said.strip().partition("=")[2])


def start_pod(config: Path) -> None:
    """Run a pod that does nothing, of the one image that every node has."""
    wait = ("wait", f"--timeout={_READY_S}s")
    for words in (
        (*wait, "--for=create", "serviceaccount/default"),
        ("run", "idle", "--image", PAUSE, "--image-pull-policy", "Never"),
        (*wait, "--for=condition=Ready", "pod/idle"),
    ):
        subprocess.run([find_programs().kubectl, "--kubeconfig", config, *words], check=True)


def take_down(patience: float) -> None:
    """As `make cluster-down`, and while it is nobody else's turn: it would end his."""
    with take_turn(patience):
        subprocess.run([*PROGRAM, "--down"], cwd=ROOT, check=True)


def things() -> set[str]:
    """What is on this machine that a cluster may add to, by name."""
    mounts = {f"mount {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    groups = {f"cgroup {folder}" for top in cgroups.hierarchies() for folder in top.glob("*/")}
    files = {f"file {file}" for folder in PLACES if Path(folder).is_dir() for file in Path(folder).iterdir()}
    folders = {f"folder {folder}" for folder in Path(tempfile.gettempdir()).glob("reflect-cluster-*")}
    return mounts | groups | files | folders


def settings() -> set[str]:
    """Settings of the kernel that no namespace has of its own, as `name=value`: those that may be written."""
    root = Path("/proc/sys")
    found = set()
    for file in (*root.glob("vm/**/*"), *root.glob("kernel/**/*")):
        name = str(file.relative_to(root))
        if file.is_file() and file.stat().st_mode & 0o200 and not name.startswith(OF_ITSELF):
            # Some may be written only.
            with suppress(OSError):
                found.add(f"{name}={file.read_text().strip()}")
    return found


def network(process: psutil.Process) -> str:
    """The network namespace that it is in; empty where it has ended."""
    with suppress(OSError):
        return str(Path(f"/proc/{process.pid}/ns/net").readlink())
    return ""


def named(process: psutil.Process) -> str:
    """What it is called; empty where it has ended."""
    with suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


def lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
