"""The page of the table of faults: a line for each row that has passed when it was run last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import _faults_page
import pytest

MACHINE = {"date": "2026-01-01", "commit": "abc", "cores": 2, "processor": "a processor"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_faults_page, "RECORDS", tmp_path)
    monkeypatch.setattr("sys.argv", ["_faults_page.py", str(tmp_path / "page.md")])
    return tmp_path


def record(
    folder: Path, row: str, group: str, *, passed: bool = True, commit: str = "abc", **figures: Any
) -> None:
    whole = {
        "row": row, "passed": passed, "group": group, "title": row, "seconds": 61.7, "figures": figures,
        "machine": MACHINE | {"commit": commit},
    }  # fmt: skip
    (folder / f"{row}.json").write_text(json.dumps(whole))


def page(folder: Path) -> str:
    assert _faults_page.main() == 0
    return (folder / "page.md").read_text()


def test_rows_stand_in_their_groups(folder: Path) -> None:
    record(folder, "node_drained", "nodes", **{"restarts": 1, "counted": 0, "same weights": "yes"})
    record(folder, "pod_deleted", "pods", restarts=1, counted=1)
    text = page(folder)
    first, second = text.index("## Pods"), text.index("## Nodes")
    assert "| `pod_deleted` | pod_deleted | 1 (1) | not compared | 62 |" in text[first:second]
    assert (
        "| `node_drained` | node_drained | 1 (0) | yes | 62 | 2026-01-01 | abc | 2 cores of a processor |"
        in text[second:]
    )
    assert "## Storage" not in text


def test_rows_that_are_not_run_again_stay_and_those_that_fail_go(folder: Path) -> None:
    for row in ("first", "second", "third"):
        record(folder, row, "pods", restarts=0, counted=0)
    before = page(folder)
    (folder / "first.json").unlink()
    record(folder, "second", "pods", restarts=3, counted=2)
    record(folder, "third", "pods", passed=False)
    after = page(folder)
    assert "| `first` |" in after
    assert "| `first` | first | 0 (0) |" in before
    assert "| `second` | second | 3 (2) |" in after
    assert "`third`" not in after


@pytest.mark.parametrize("passed", [True, False])
def test_a_record_of_changes_that_no_commit_has_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], passed: bool
) -> None:
    record(folder, "first", "pods", restarts=0, counted=0)
    before = page(folder)
    record(folder, "first", "pods", restarts=1, counted=1)
    record(folder, "second", "pods", passed=passed, commit="abc+", restarts=0, counted=0)
    capsys.readouterr()
    assert _faults_page.main() == 1
    assert capsys.readouterr().err == (
        f"{folder}/second.json: second was run at abc+, with changes that were not committed, so nobody could run it again: "
        "commit them and run `make soak ONLY=cluster ROW=second`, or delete the file\n"
    )
    assert (folder / "page.md").read_text() == before


def test_a_line_of_old_changes_stays_until_its_row_is_run_again(folder: Path) -> None:
    record(folder, "first", "pods", restarts=0, counted=0)
    old = page(folder).replace("| abc |", "| abc+ |")
    (folder / "page.md").write_text(old)
    (folder / "first.json").unlink()
    assert page(folder) == old
    record(folder, "first", "pods", restarts=0, counted=0)
    assert "| abc |" in page(folder)
