"""Of clusters with nodes one runs at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ...support.nodes.turn import Occupied, take_turn

ROOT = Path(__file__).parents[3]
HOLDS = """
import os, signal
from tests.support.nodes.turn import take_turn
turn = take_turn(0)
print(flush=True)
signal.pause()
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFLECT_CACHE", str(tmp_path / "cache"))


def test_the_second_is_refused_and_told_who_runs_one() -> None:
    first = take_turn(0)
    with pytest.raises(Occupied, match=rf"started by process {os.getpid()}, .*make cluster-down"):
        take_turn(0)
    first.close()
    take_turn(0).close()


def test_whoever_waits_has_the_next_turn_also_after_one_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            with pytest.raises(Occupied, match=f"process {holder.pid},"):
                take_turn(0)
        finally:
            holder.kill()
        take_turn(60).close()
