"""The page of the table of faults: a line for each row that has left a record."""

from __future__ import annotations

import json

import _faults_page

MACHINE = {"date": "2026-01-01", "commit": "abc", "cores": 2, "processor": "a processor"}


def test_rows_stand_in_their_groups(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_faults_page, "RECORDS", tmp_path)
    for row, group, figures in (
        ("node_drained", "nodes", {"restarts": 1, "counted": 0, "same weights": "yes"}),
        ("pod_deleted", "pods", {"restarts": 1, "counted": 1}),
    ):
        record = {
            "row": row,
            "group": group,
            "title": row,
            "seconds": 61.7,
            "figures": figures,
            "machine": MACHINE,
        }
        (tmp_path / f"{row}.json").write_text(json.dumps(record))
    monkeypatch.setattr("sys.argv", ["_faults_page.py", str(tmp_path / "page.md")])
    assert _faults_page.main() == 0
    page = (tmp_path / "page.md").read_text()
    first, second = page.index("## Pods"), page.index("## Nodes")
    assert "| `pod_deleted` | pod_deleted | 1 (1) | not compared | 62 |" in page[first:second]
    assert (
        "| `node_drained` | node_drained | 1 (0) | yes | 62 | 2026-01-01 | abc | 2 cores of a processor |"
        in page[second:]
    )
    assert "## Storage" not in page
