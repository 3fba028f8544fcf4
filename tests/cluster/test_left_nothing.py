"""A cluster whose owner is killed without a word leaves nothing on this machine once it was taken down."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ..support.nodes import cgroups
from ..support.nodes.cluster import lacking
from ..support.nodes.init import OWN
from ..support.nodes.turn import take_turn
from ..support.pages import ROOT

PROGRAM = (sys.executable, "-m", "tests.support.nodes")
PLACES = {*OWN, *(str(Path(folder).parent) for folder in OWN), "/etc", "/opt", "/usr/libexec"}
"""Folders of this machine where programs of a cluster write by default; what is below them is looked at by name."""
OF_ITSELF = ("kernel/ns_last_pid", "kernel/perf_", "kernel/pty", "kernel/random")
"""Settings that the kernel changes while nobody does."""
_OTHERS_S = 600


@pytest.fixture
def turn() -> Iterator[None]:
    """No other cluster runs on this machine now, and what somebody has left before is not found here."""
    if problem := lacking():
        pytest.skip(problem)
    take_down(_OTHERS_S)
    yield
    take_down(_OTHERS_S)


def test_nothing_is_left_of_a_cluster_whose_owner_was_killed(turn: None) -> None:
    before, of_kernel = things(), settings()
    command = [*PROGRAM, "--nodes", "1"]
    with psutil.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        try:
            said = owner.stdout.readline()
            assert said.startswith("export KUBECONFIG="), "it ended before the node was ready"
            processes = owner.children(recursive=True)
            networks = {network(process) for process in processes} - {network(psutil.Process()), ""}
            assert "kubelet" in {process.name() for process in processes if lives(process)}
            assert len(networks) >= 2, "control plane and node"
            assert {thing.split()[0] for thing in things() - before} >= {"cgroup", "folder"}
        finally:
            owner.kill()
    assert any(map(lives, processes)), "they outlive their owner"

    take_down(0)
    assert [process for process in processes if lives(process)] == []
    assert networks.isdisjoint(map(network, psutil.process_iter()))
    assert things() - before == set()
    assert settings() - of_kernel == set()


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


def lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
