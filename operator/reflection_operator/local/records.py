"""What the local runner remembers, as files in its working folder.

<workdir>/resource.json             the resource as it was accepted, with its status
<workdir>/events.jsonl              one event a line
<workdir>/jobs/<job>/objects.json   the rendered manifests and when they were created
<workdir>/jobs/<job>/<i>/           one pod: config/, exit.json, termination.json, progress.json, scratch/
<workdir>/logs/<job>-<i>.log        one log per process
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class WorkdirUnusable(Exception):
    """The working folder cannot be written, or is not one of ours."""


def write_json(path: Path, value: Any) -> None:
    """Replace a file by this JSON, so that a reader (or the next start after a kill) never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any | None:
    """The JSON in a file; None where there is none or only half of one."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
        return json.loads(path.read_text())
    return None


class Records:
    """The files of one run below its working folder.

    Raises:
        WorkdirUnusable: there can be no such folder.
    """

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self.logs = workdir / "logs"
        with self.writing():
            self.logs.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Say of what cannot be written which option it comes from.

        Raises:
            WorkdirUnusable: the file system refuses.
        """
        try:
            yield
        except OSError as error:
            place = self.workdir if error.filename is None else error.filename
            raise WorkdirUnusable(
                f"--workdir {self.workdir}: cannot write {place}: {error.strerror}; give a folder that can be written, on a "
                "disk with room"
            ) from error

    @property
    def resource(self) -> Path:
        """The accepted resource with its status."""
        return self.workdir / "resource.json"

    @property
    def events(self) -> Path:
        """The events, one a line."""
        return self.workdir / "events.jsonl"

    def job(self, name: str) -> Path:
        """Folder of a Job."""
        return self.workdir / "jobs" / name

    def pod(self, job: str, index: int) -> Path:
        """Folder of a Job's pod."""
        return self.job(job) / str(index)

    def log(self, job: str, index: int) -> Path:
        """Log of a pod's process."""
        return self.logs / f"{job}-{index}.log"

    def jobs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and stored objects of every Job, oldest first."""
        folders = (self.workdir / "jobs").glob("*")
        found = [
            (folder.name, stored) for folder in folders if (stored := read_json(folder / "objects.json"))
        ]
        yield from sorted(found, key=lambda pair: str(pair[1]["createdAt"]))

    def forget_jobs(self) -> None:
        """Remove all Jobs; artefacts in storage stay."""
        shutil.rmtree(self.workdir / "jobs", ignore_errors=True)
