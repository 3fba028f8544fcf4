"""Processes that outlive a function call: started together, logged, stopped all, and never anybody else's.

Who starts some writes down their pids and start times. Should he be killed before he stops them, the next one who starts
some does: a pid with another start time is another process and is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from .go_tools import cache_folder, locked
from .nodes.undo import UNDO

_STOP_LIMIT_S = 10


class Daemons:
    """Processes with one folder for their logs and data, which goes when they are stopped."""

    def __init__(self, kind: str) -> None:
        records = cache_folder() / "daemons"
        records.mkdir(parents=True, exist_ok=True)
        with locked(records / "lock"):
            _clean(records)
            self.folder = Path(tempfile.mkdtemp(prefix=f"reflect-{kind}-"))
            self._record = records / f"{self.folder.name}.json"
            self._processes: list[subprocess.Popen[bytes]] = []
            self._changes: list[tuple[str, str]] = []
            self._writing = threading.Lock()
            self._write()

    def will_undo(self, kind: str, what: str) -> None:
        """Something about this machine is going to be changed, and is to be as before when these processes have ended.

        Args:
            kind: a key of `UNDO`.
            what: its argument.
        """
        with self._writing:
            self._changes.append((kind, what))
            self._write()

    def start(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        """Start a process; what it says goes into its log."""
        with self.log(name).open("ab") as log:
            # In a session of its own: Ctrl-C reaches the one who stops it, not the process itself.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        with self._writing:
            self._processes.append(process)
            self._write()
        return process

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.folder / f"{name}.log"

    def dead(self) -> bool:
        """Whether a process has ended by itself."""
        return any(process.poll() is not None for process in self._processes)

    def logs(self, lines: int = 15) -> str:
        """The end of every log."""
        tails = (
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
            for path in sorted(self.folder.glob("*.log"))
        )
        return "\n".join(tails)

    def keep_logs(self, place: Path) -> Path:
        """Copy the logs into a folder of their own below `place`, which is given back: `stop` removes them."""
        kept = place / self.folder.name
        kept.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.log"):
            shutil.copy(path, kept)
        return kept

    def stop(self) -> None:
        """End all processes and remove what they left."""
        # At once: an API server waits a minute for its watches, and nothing here is to be kept.
        _end(found for process in self._processes if (found := _alive(_identity(process.pid))))
        for process in self._processes:
            process.wait(timeout=_STOP_LIMIT_S)
        _undo(self._changes)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._record.unlink(missing_ok=True)

    def _write(self) -> None:
        record = {
            "folder": str(self.folder),
            "owner": _identity(os.getpid()),
            "processes": [_identity(process.pid) for process in self._processes],
            "changes": self._changes,
        }
        unfinished = self._record.with_suffix(".new")
        unfinished.write_text(json.dumps(record))
        unfinished.replace(self._record)


def stop_all(kind: str) -> int:
    """Have those of a kind stopped by whoever started them, or stop what he has left; how many there were."""
    records = cache_folder() / "daemons"
    found = list(records.glob(f"reflect-{kind}-*.json"))
    owners = [owner for path in found if (owner := _alive(json.loads(path.read_text())["owner"]))]
    for owner in owners:
        owner.terminate()
    psutil.wait_procs(owners, timeout=_STOP_LIMIT_S)
    with locked(records / "lock"):
        _clean(records)
    return len(found)


def _clean(records: Path) -> None:
    """Stop what was left behind by those who are no more."""
    for path in records.glob("*.json"):
        record = json.loads(path.read_text())
        if _alive(record["owner"]):
            continue
        _end(found for identity in record["processes"] if (found := _alive(identity)))
        _undo(record.get("changes", []))
        shutil.rmtree(record["folder"], ignore_errors=True)
        path.unlink()


def _end(processes: Iterable[psutil.Process]) -> None:
    """Kill processes and what they have started, and wait for the last one: until then they may write and hold things."""
    whole: list[psutil.Process] = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            whole += [*process.children(recursive=True), process]
    for process in whole:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(whole, timeout=_STOP_LIMIT_S)


def _undo(changes: Iterable[Sequence[str]]) -> None:
    for kind, what in changes:
        UNDO[kind](what)


def _identity(pid: int) -> dict[str, Any]:
    try:
        return {"pid": pid, "started": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:
        return {"pid": pid, "started": 0.0}


def _alive(identity: dict[str, Any]) -> psutil.Process | None:
    try:
        process = psutil.Process(identity["pid"])
        same = abs(process.create_time() - identity["started"]) < 1
    except psutil.NoSuchProcess:
        return None
    return process if same and process.status() != psutil.STATUS_ZOMBIE else None
