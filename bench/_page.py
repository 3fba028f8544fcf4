"""The results page of the benchmarks: `python bench/_page.py docs/results/benchmarks.md` writes what build/bench/ holds.

Those with a page of their own are left to it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from _records import WORK, aims_table, write_page

TITLES = {
    "train_step": "A training step beside TRL's own pieces",
    "rollout": "Answers per second beside bare vLLM",
    "checkpoint_upload": "Checkpoints to S3 beside boto3",
    "refill": "Refilling dead groups",
    "verify": "Judging",
    "operator_burst": "A thousand runs at once",
    "operator_latency": "From Job to Job",
    "operator_idle": "A thousand runs that wait",
}
BOUNDS = {
    "operator_burst": "The rate itself is bound by the machine: API server, etcd, controllers, operator and client share its "
    "cores, and a client that writes the same objects without a thought is hardly faster.",
}
"""Where an aim is missed: what bounds it."""


def main() -> int:
    """Write the page from the records that are there."""
    (target,) = map(Path, sys.argv[1:])
    lines = [
        "# Benchmarks",
        "",
        "Each is one run of `make bench ONLY=<name>`; `python bench/_page.py docs/results/benchmarks.md` writes this page.",
        "Ratios compare two ways in the same run on the same machine; absolute figures are this machine's.",
    ]
    for name, title in TITLES.items():
        file = WORK / f"{name}.json"
        if file.exists():
            lines += _section(title, json.loads(file.read_text()))
    write_page(target, "\n".join(lines) + "\n")
    return 0


def _section(title: str, record: dict[str, Any]) -> list[str]:
    where = record["details"]["machine"]
    lines = [
        "",
        f"## {title}",
        "",
        f"`make bench ONLY={record['name']}` on {where['date']} at commit {where['commit']}: {where['cores']} cores of "
        f"{where['processor']}.",
        "",
        *aims_table(record["metrics"]),
    ]
    if record["name"] in BOUNDS:
        lines += ["", BOUNDS[record["name"]]]
    return lines


if __name__ == "__main__":
    sys.exit(main())
