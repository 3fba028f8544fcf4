"""The results page of the table of faults: made of what build/cluster/ holds.

    python bench/_faults_page.py docs/results/cluster-faults.md

Rows that were run have a record there (tests/support/nodes/rows.py). Those without one keep their line on the page; those that
did not pass lose it. Nothing is written where a record is of code that was not committed: nobody could have it again.
"""

from __future__ import annotations

import json
import re
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
    "others": "Beside the faults",
}
TABLE = [
    "| row | what happens | restarts (counted) | same weights | seconds | date | commit | machine |",
    f"|{'---|' * 8}",
]
HEAD = """# Faults on a cluster

Each row is a test on two real nodes of one machine, with the operator installed by Helm and S3 over TLS in the cluster: a small
run (rollout, verify, a training of 24 steps with a checkpoint after every second one, evaluation, report) that one fault
happens to. All of these passed: the run ended with Succeeded=True, each training step stands once in its metrics, there were as
many restarts as the table says, and, where it says so, the trained weights are those of a run that nothing happened to, to the
last bit. The last table has the other tests on these nodes; each of them says what it holds.

`make soak ONLY=cluster ROW=<row>` runs one; `python bench/_faults_page.py docs/results/cluster-faults.md` writes this page.
Seconds are those of the test, on a machine that had other work as well: they bound, and do not measure. Where an attempt ended
in training, the next one went on from a checkpoint at most one interval behind what had been done; from the one before it where
the newest was damaged. The wrong clock is made by a small library of ours, preloaded into the pod: Python's sleep fails under
libfaketime.
"""
_LINE = re.compile(r"^\| `(\w+)` \|")
_HEADING = re.compile(r"^## (.+)$")


def main() -> int:
    """Write the page from the records that are there."""
    (target,) = map(Path, sys.argv[1:])
    records = {file: json.loads(file.read_text()) for file in sorted(RECORDS.glob("*.json"))}
    if refused := [refusal(file, record) for file, record in records.items() if uncommitted(record)]:
        print("\n".join(refused), file=sys.stderr)
        return 1
    rows = written(target)
    for record in records.values():
        of_group = rows[GROUPS[record["group"]]]
        of_group.pop(record["row"], None)
        if record["passed"]:
            of_group[record["row"]] = line(record)
    lines = [HEAD.rstrip()]
    for title, of_group in rows.items():
        if of_group:
            lines += ["", f"## {title}", "", *TABLE, *(of_group[row] for row in sorted(of_group))]
    write_page(target, "\n".join(lines) + "\n")
    return 0


def uncommitted(record: dict[str, Any]) -> bool:
    """Whether a row was run with changes that no commit has."""
    return bool(record["machine"]["commit"].endswith("+"))


def refusal(file: Path, record: dict[str, Any]) -> str:
    """Why a record cannot become a line, and what to do."""
    row, commit = record["row"], record["machine"]["commit"]
    return (
        f"{file}: {row} was run at {commit}, with changes that were not committed, so nobody could run it again: commit them "
        f"and run `make soak ONLY=cluster ROW={row}`, or delete the file"
    )


def written(page: Path) -> dict[str, dict[str, str]]:
    """The lines that are on the page, by title of their group and name of their row."""
    rows: dict[str, dict[str, str]] = {title: {} for title in GROUPS.values()}
    title = ""
    for text in page.read_text().splitlines() if page.exists() else ():
        if heading := _HEADING.match(text):
            title = heading[1]
        elif found := _LINE.match(text):
            rows[title][found[1]] = text
    return rows


def line(record: dict[str, Any]) -> str:
    """What the page says of a row that has passed."""
    figures, where = record["figures"], record["machine"]
    restarts = f"{figures['restarts']} ({figures['counted']})" if "restarts" in figures else "not counted"
    return (
        f"| `{record['row']}` | {record['title']} | {restarts} | "
        f"{figures.get('same weights', 'not compared')} | {record['seconds']:.0f} | {where['date']} | {where['commit']} | "
        f"{where['cores']} cores of {where['processor']} |"
    )


if __name__ == "__main__":
    sys.exit(main())
