"""Processes that tests start are stopped, also after a test run that was killed, and nobody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ...support.cluster import until
from ...support.daemons import Daemons

ROOT = Path(__file__).parents[3]
KILLED = """
import os, signal, sys
from tests.support.daemons import Daemons
started = Daemons("killed")
process = started.start("sleeper", ["sleep", "600"])
print(process.pid, started.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFLECT_CACHE", str(tmp_path))
    return tmp_path


def test_stopping_ends_the_processes_and_removes_the_folder(own_cache: Path) -> None:
    started = Daemons("test")
    process = started.start("sleeper", ["sleep", "600"])
    started.stop()
    assert process.poll() is not None
    assert not started.folder.exists()
    assert list((own_cache / "daemons").glob("*.json")) == []


def test_what_a_process_has_started_ends_with_it(tmp_path: Path) -> None:
    started = Daemons("test")
    process = started.start("parent", ["sh", "-c", "sleep 600 & wait"])
    (child,) = until(psutil.Process(process.pid).children, "child")
    started.stop()
    # One that nobody asks for its exit code yet.
    assert not child.is_running() or child.status() == "zombie"


def test_logs_that_are_kept_outlive_the_folder(tmp_path: Path) -> None:
    started = Daemons("test")
    started.start("speaker", ["echo", "what happened"]).wait()
    kept = started.keep_logs(tmp_path / "kept")
    started.stop()
    assert [path.read_text() for path in kept.iterdir()] == ["what happened\n"]


def test_what_a_killed_run_left_goes_with_the_next_start() -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=ROOT, text=True, capture_output=True, check=False
    )
    pid, folder = killed.stdout.split()
    assert psutil.pid_exists(int(pid))
    assert Path(folder).exists()
    Daemons("next").stop()
    until(
        lambda: not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == "zombie", "end of it"
    )
    assert not Path(folder).exists()


def test_what_a_run_that_goes_on_started_stays() -> None:
    going_on = Daemons("going-on")
    process = going_on.start("sleeper", ["sleep", "600"])
    Daemons("next").stop()
    assert process.poll() is None
    going_on.stop()


def test_a_process_that_got_the_same_number_later_is_left_alone(own_cache: Path, tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "600"])
    try:
        folder = tmp_path / "left"
        folder.mkdir()
        (own_cache / "daemons").mkdir()
        record = {
            "folder": str(folder),
            "owner": {"pid": 2**22 + 1, "started": 1.0},
            "processes": [{"pid": other.pid, "started": 1.0}],
        }
        (own_cache / "daemons" / "old.json").write_text(json.dumps(record))
        Daemons("next").stop()
        assert other.poll() is None
        assert not folder.exists()
    finally:
        other.kill()
        other.wait()


def test_the_logs_of_all_are_shown_together() -> None:
    started = Daemons("test")
    process = started.start("speaker", ["echo", "hello"])
    process.wait()
    assert "--- speaker.log\nhello" in started.logs()
    assert started.dead()
    started.stop()
