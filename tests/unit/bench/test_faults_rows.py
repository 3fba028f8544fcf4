"""The table of faults: its page has a line for each of its tests, and their records tell how they ended last."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import _faults_page
import pytest

from ...support.nodes import rows
from ...support.pages import ROOT

PAGE = ROOT / "docs/results/cluster-faults.md"


def rows_of(file: Path) -> dict[str, str]:
    """Names and titles of the rows of a file, read and not imported."""
    return {
        each.name.removeprefix("test_"): (ast.get_docstring(each) or "").partition("\n")[0]
        for each in ast.parse(file.read_text()).body
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    }


def test_the_page_has_the_rows_that_there_are_rows_of() -> None:
    tests: dict[str, dict[str, str]] = {}
    for file in (ROOT / "tests/cluster").glob("test_*.py"):
        tests.setdefault(_faults_page.GROUPS[rows.group(file)], {}).update(rows_of(file))
    on_page = {
        title: {row: text.split(" | ")[1] for row, text in of_group.items()}
        for title, of_group in _faults_page.written(PAGE).items()
    }
    assert on_page == tests


def report(when: str, outcome: str) -> Any:
    return SimpleNamespace(
        when=when,
        passed=outcome == "passed",
        failed=outcome == "failed",
        duration=1.0,
        user_properties=[("restarts", 1)],
    )


@pytest.fixture
def row(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Item:
    monkeypatch.setattr(rows, "RECORDS", tmp_path)
    item = request.node
    assert isinstance(item, pytest.Item)
    return item


@pytest.mark.parametrize(
    ("phases", "passed"),
    [
        ({"setup": "passed", "call": "passed", "teardown": "passed"}, True),
        ({"setup": "failed"}, False),
        ({"setup": "passed", "call": "failed", "teardown": "passed"}, False),
        ({"setup": "passed", "call": "passed", "teardown": "failed"}, False),
        # What is left out says nothing about the time before.
        ({"setup": "skipped"}, True),
        ({"setup": "passed", "call": "skipped", "teardown": "passed"}, True),
    ],
)
def test_a_record_tells_how_it_ended_last(
    row: pytest.Item, tmp_path: Path, phases: dict[str, str], passed: bool
) -> None:
    rows.keep(row, report("call", "passed"))
    for when, outcome in phases.items():
        rows.keep(row, report(when, outcome))
    (file,) = tmp_path.iterdir()
    record = json.loads(file.read_text())
    assert (record["passed"], record["figures"]) == (passed, {"restarts": 1})


@pytest.mark.parametrize(
    ("passed", "then", "now", "skipped"),
    [
        (True, "abc", "abc", True),
        (False, "abc", "abc", False),
        (True, "abc", "def", False),
        (True, "abc+", "abc+", False),
        (True, "abc", "abc+", False),
        (True, "", "", False),
    ],
)
def test_what_has_passed_at_this_commit_is_not_run_again(
    passed: bool, then: str, now: str, skipped: bool
) -> None:
    assert rows.passed_at({"passed": passed, "machine": {"commit": then}}, now) is skipped
