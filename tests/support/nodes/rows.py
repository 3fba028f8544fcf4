"""The rows of the table of faults: a record of each that was run, which bench/_faults_page.py makes a page of."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from bench._records import ROOT, machine

ROWS = "test_faults_"
"""How the files with rows begin."""
RECORDS = ROOT / "build/cluster"


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
    """Write down how a row was passed, or that it was not."""
    record = {
        "row": item.name.removeprefix("test_"),
        "passed": report.passed,
        "group": item.path.stem.removeprefix(ROWS),
        "title": _title(item),
        "seconds": round(report.duration, 1),
        "figures": dict(report.user_properties),
        "machine": _WHERE,
    }
    RECORDS.mkdir(parents=True, exist_ok=True)
    (RECORDS / f"{record['row']}.json").write_text(json.dumps(record, indent=2) + "\n")


def _title(item: pytest.Item) -> str:
    """The first line of its docstring."""
    assert isinstance(item, pytest.Function)
    return str(item.function.__doc__ or item.name).strip().splitlines()[0]
