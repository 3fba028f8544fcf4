"""In which order the files of tests take their turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# What needs Kubernetes or Helm, which are built beside the other tests.
BUILT_MEANWHILE = frozenset({"integration/install", "integration/operator"})


def turns(files: Sequence[Path]) -> dict[Path, float]:
    """The place of each file, given by path below tests/.

    What is built meanwhile is needed from a third of the way on. The tests that need it mostly wait, for an API server to
    answer or a deadline to pass, and the others compute: taken in turn they share the processors best.
    """
    waiting = [file for file in files if not BUILT_MEANWHILE.isdisjoint(map(str, file.parents))]
    computing = [file for file in files if file not in set(waiting)]
    begin = len(computing) / 3
    step = (len(computing) - begin) / max(len(waiting), 1)
    places: dict[Path, float] = {file: place for place, file in enumerate(computing)}
    return places | {file: begin - 0.5 + place * step for place, file in enumerate(waiting)}
