"""In which order the files of tests take their turn, and which of them one process takes together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

# What needs Kubernetes or Helm, which are built beside the other tests; first the one that takes longest.
BUILT_MEANWHILE = ("cluster", "integration/install", "integration/operator")


def turns(files: Sequence[Path]) -> dict[Path, float]:
    """The place of each file, given by path below tests/.

    What is built meanwhile is needed from a third of the way on. The tests that need it mostly wait, for an API server to
    answer or a deadline to pass, and the others compute: taken in turn they share the processors best.
    """
    waiting = sorted(
        (file for file in files if _built_meanwhile(file)), key=lambda file: file.parts[0] != "cluster"
    )
    computing = [file for file in files if not _built_meanwhile(file)]
    begin = len(computing) / 3
    step = (len(computing) - begin) / max(len(waiting), 1)
    places: dict[Path, float] = {file: place for place, file in enumerate(computing)}
    return places | {file: begin - 0.5 + place * step for place, file in enumerate(waiting)}


def _built_meanwhile(file: Path) -> bool:
    return any(file.is_relative_to(room) for room in BUILT_MEANWHILE)


class FileByFile(LoadFileScheduling):
    """A process takes one file after the other, and those of tests/cluster all at once: a machine runs one such cluster."""

    def _split_scope(self, nodeid: str) -> str:
        room = "tests/cluster"
        return room if nodeid.startswith(f"{room}/") else super()._split_scope(nodeid)
