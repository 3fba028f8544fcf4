"""The control plane of the tests itself: several at a time, from programs that are there, and none is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from ...support.cluster import until
from ...support.kubernetes_programs import find_programs
from ...support.pages import ROOT

DAEMONS = {"etcd", "kube-apiserver", "kube-controller-manager"}


class Kept:
    """What `make control-plane` keeps, and what it has written down of it."""

    def __init__(self, process: subprocess.Popen[str], kubeconfig: Path, cache: Path) -> None:
        self.process = process
        self.kubeconfig = kubeconfig
        record = json.loads((cache / f"daemons/{kubeconfig.parent.name}.json").read_text())
        self.daemons = {each["pid"] for each in record["processes"]}

    def alive(self) -> set[str]:
        """The names of its processes that have not ended."""
        return {name for pid in self.daemons if (name := name_of(pid))}

    def answers(self) -> bool:
        """Whether its API server is ready."""
        command = [find_programs().kubectl, "--kubeconfig", self.kubeconfig, "get", "--raw", "/readyz"]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def name_of(pid: int) -> str:
    """The program of a process; empty where it has ended."""
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else Path(process.cmdline()[0]).name
    except psutil.NoSuchProcess:
        return ""


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """The variables of a machine that has built nothing, and whose KUBEBUILDER_ASSETS has all that is needed."""
    programs = find_programs()
    assets = tmp_path / "assets"
    assets.mkdir()
    for program in (programs.etcd, programs.apiserver, programs.controller_manager, programs.kubectl):
        (assets / program.name).symlink_to(program)
    return os.environ | {"KUBEBUILDER_ASSETS": str(assets), "REFLECT_CACHE": str(tmp_path / "cache")}


@contextmanager
def starting(variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command behind `make control-plane`, which may take a while until its cluster is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.control_plane"],
        cwd=ROOT, env=variables, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()


def started(process: subprocess.Popen[str], variables: dict[str, str]) -> Kept:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("export KUBECONFIG="), line
    return Kept(process, Path(line.strip().partition("=")[2]), Path(variables["REFLECT_CACHE"]))


def test_they_run_side_by_side_and_one_that_was_killed_is_cleared_away_by_the_next(
    elsewhere: dict[str, str],
) -> None:
    with ExitStack() as end:
        pair = [end.enter_context(starting(elsewhere)) for _ in range(2)]
        killed, going_on = (started(process, elsewhere) for process in pair)
        assert (killed.alive(), going_on.alive()) == (DAEMONS, DAEMONS)
        assert killed.answers()
        killed.process.kill()
        killed.process.wait()
        assert killed.alive() == DAEMONS, "who was killed stops nothing"
        third = started(end.enter_context(starting(elsewhere)), elsewhere)
        until(lambda: not killed.alive(), "end of what was left behind")
        assert not killed.kubeconfig.parent.exists()
        assert going_on.alive() == DAEMONS
        assert going_on.answers()
        assert third.answers()
    assert (going_on.alive(), third.alive()) == (set(), set())
    cache = Path(elsewhere["REFLECT_CACHE"])
    assert list(cache.glob("daemons/*.json")) == []
    assert not (cache / "tools").exists(), "nothing was built"
