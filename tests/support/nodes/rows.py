"""Tests on nodes: a record of each that was run, which bench/_faults_page.py makes a page of."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench._records import ROOT, machine

_FAULTS = "test_faults_"
"""How the files with the rows of the table of faults begin."""
OTHERS = "others"
"""The group of the other tests."""
RECORDS = ROOT / "build/cluster"
PASSED_ALREADY = "passed at this commit already; delete build/cluster to run it again"


def _where() -> dict[str, Any]:
    """The machine, and the commit of what is run; a `+` stands for changes that are not committed."""
    where = machine()
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    where["commit"] += "+" if changed.stdout else ""
    return where


_WHERE = _where()
"""As it is when the tests are read: somebody may commit while they run."""


def keep(item: pytest.Item, report: pytest.TestReport) -> None:
    """Write down that a row was passed, or that it was not: what comes before it or after it may fail, too."""
    if not (report.failed or (report.passed and report.when == "call")):
        return
    record = {
        "row": _row(item),
        "passed": report.passed,
        "group": group(item.path),
        "title": _title(item),
        "seconds": round(report.duration, 1),
        "figures": dict(report.user_properties),
        "machine": _WHERE,
    }
    RECORDS.mkdir(parents=True, exist_ok=True)
    _file(item).write_text(json.dumps(record, indent=2) + "\n")


def skip_what_has_passed(item: pytest.Item) -> None:
    """Have a row left out that was passed by the code that is here, so that the table goes on where it was left."""
    file = _file(item)
    if file.exists() and passed_at(json.loads(file.read_text()), _WHERE["commit"]):
        item.add_marker(pytest.mark.skip(reason=PASSED_ALREADY))


def group(file: Path) -> str:
    """The group on the page that the tests of a file are in."""
    return file.stem.removeprefix(_FAULTS) if file.stem.startswith(_FAULTS) else OTHERS


def passed_at(record: dict[str, Any], commit: str) -> bool:
    """Whether a row was passed at a commit; changes that are not committed may be any."""
    clean = bool(commit) and not commit.endswith("+")
    return clean and record["passed"] and record["machine"]["commit"] == commit


def _file(item: pytest.Item) -> Path:
    return RECORDS / f"{_row(item)}.json"


def _row(item: pytest.Item) -> str:
    return item.name.removeprefix("test_")


def _title(item: pytest.Item) -> str:
    """The first line of its docstring."""
    assert isinstance(item, pytest.Function)
    return str(item.function.__doc__ or item.name).strip().splitlines()[0]
