"""The operator as it is measured: with the packages of its image and no others, and with a profile where one is wanted."""

from __future__ import annotations

import os
import pstats
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from _records import ROOT

sys.path.insert(0, str(ROOT))
from scripts.image import site_packages
from tests.support.cluster import Cluster
from tests.support.operator_process import OperatorProcess, Started

_IDLE = "<method 'poll' of 'select.epoll' objects>"
_OWNER = re.compile(r"(?:of '|built-in method |function )_?(\w+)\.")
_SHOWN = 10


class MeasuredOperator(OperatorProcess):
    """A development environment holds ten times as many packages, and some libraries import whatever they find."""

    def __init__(self, cluster: Cluster, namespace: str, log: Path, profile: Path | None = None) -> None:
        """With `profile` it leaves one there when it is stopped, and is slower."""
        super().__init__(cluster, namespace, log)
        self.site = site_packages(log.parent)
        self._profile = profile

    def _launch(self, words: list[str]) -> Started:
        # Without its environment and without what the system has installed.
        python = [str(Path(sys.executable).resolve()), "-S"]
        profiled = ["-m", "cProfile", "-o", str(self._profile)] if self._profile else []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*python, *profiled, "-m", "reflection_operator", *words],
                stdout=log,
                stderr=log,
                env=kept | {"PYTHONPATH": str(self.site), "PYTHONUNBUFFERED": "1"},
            )


def shares_of_packages(profile: Path, site: Path) -> dict[str, float]:
    """What each package took of the time in which the operator did not wait, its calls of others not counted."""
    spent: Counter[str] = Counter()
    for (file, _, name), (_, _, seconds, _, _) in pstats.Stats(str(profile)).stats.items():  # type: ignore[attr-defined]
        if name != _IDLE:
            spent[_package(file, name, site)] += seconds
    total = sum(spent.values())
    return {package: round(seconds / total, 3) for package, seconds in spent.most_common(_SHOWN)}


def _package(file: str, name: str, site: Path) -> str:
    """To whom a function belongs: a package of the image, or a module of Python."""
    path = Path(file)
    if path.is_relative_to(site):
        return path.relative_to(site).parts[0].removesuffix(".py")
    if file == "~":
        owner = _OWNER.search(name)
        return owner[1] if owner else "Python itself"
    return path.stem if path.parent.name.startswith("python3") else path.parent.name
