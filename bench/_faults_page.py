"""The results page of the table of faults: made of what build/cluster/ holds.

    python bench/_faults_page.py docs/results/cluster-faults.md

Only rows that have passed have a record there (tests/support/nodes/rows.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from _records import ROOT, write_page

RECORDS = ROOT / "build/cluster"
GROUPS = {
    "processes": "Processes",
    "pods": "Pods",
    "nodes": "Nodes",
    "control_plane": "Control plane",
    "storage": "Storage",
}
HEAD = """# Faults on a cluster

Each row is a test on two real nodes of one machine, with the operator installed by Helm and S3 over TLS in the cluster: a small
run (rollout, verify, a training of 24 steps with a checkpoint after every second one, evaluation, report) that one fault
happens to. All of these passed: the run ended with Succeeded=True, each training step stands once in its metrics, there were as
many restarts as the table says, and, where it says so, the trained weights are those of a run that nothing happened to, to the
last bit.

`make soak ONLY=cluster ROW=<row>` runs one; `python bench/_faults_page.py docs/results/cluster-faults.md` writes this page.
A `+` behind a commit stands for changes that were not committed yet.
"""


def main() -> int:
    """Write the page from the records that are there."""
    (target,) = map(Path, sys.argv[1:])
    records = [json.loads(file.read_text()) for file in sorted(RECORDS.glob("*.json"))]
    lines = [HEAD.rstrip()]
    for group, title in GROUPS.items():
        if rows := [record for record in records if record["group"] == group]:
            lines += ["", f"## {title}", "", *table(rows)]
    write_page(target, "\n".join(lines) + "\n")
    return 0


def table(records: list[dict[str, Any]]) -> list[str]:
    """A line for each row."""
    lines = [
        "| row | fault | restarts (counted) | same weights | seconds | date | commit | machine |",
        f"|{'---|' * 8}",
    ]
    for record in records:
        figures, where = record["figures"], record["machine"]
        lines.append(
            f"| `{record['row']}` | {record['title']} | {figures['restarts']} ({figures['counted']}) | "
            f"{figures.get('same weights', 'not compared')} | {record['seconds']:.0f} | {where['date']} | {where['commit']} | "
            f"{where['cores']} cores of {where['processor']} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
