"""The results page of the benchmarks: `python bench/_page.py docs/results/benchmarks.md` writes what build/bench/ holds.

Those with a page of their own are left to it. What has no record there keeps its part of the page.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from _records import WORK, aims_table, write_page

TITLES = {
    "cold_demo": "The demo in a fresh clone",
    "command_line": "The command line",
    "train_step": "A training step beside TRL's own pieces",
    "rollout": "Answers per second beside bare vLLM",
    "checkpoint_upload": "Checkpoints to S3 beside boto3",
    "refill": "Refilling dead groups",
    "verify": "Judging",
    "operator_burst": "A thousand runs at once",
    "operator_latency": "From Job to Job",
    "operator_idle": "A thousand runs that wait",
    "operator_soak": "The operator in an outage",
    "training_soak": "A training that is killed again and again",
}
COMMANDS = {"operator_soak": "make soak ONLY=operator", "training_soak": "make soak ONLY=training"}
"""What measures it, where that is not `make bench ONLY=<name>`."""
NOTES = {
    "cold_demo": "Caches were empty. The set-up and its downloads depend on the line, and count by themselves.",
    "train_step": "transformers generates with the weights in training themselves. vLLM holds a copy of them, and a canary "
    "checks it after every update. No stock trainer samples by vLLM here: the figure with vLLM is that step beside itself "
    "without the canary and without what the rounds with transformers found to be ours.",
    "rollout": "Bare vLLM is the same engine with the same settings, prompts and sampling, without storage, shards and "
    "records. The two take turns. A shard of a small run holds 256 answers, one batch of the engine: at its end the batch runs "
    "empty, so that it loses more than one as large as this, whose shards are larger.",
    "checkpoint_upload": "The two uploads take turns, and so do trainings with checkpoints and without. A checkpoint of the "
    "example is small: a file of random bytes beside it makes it large enough to go up in parts. The training computes in one "
    "thread, so that on two cores the upload has one of its own.",
    "operator_soak": "In the outage every request of the operator is answered with a reset and its connections are cut; "
    "meanwhile a stage ends. The other replica is there when the leader is killed; the Lease has its usual times of 15, 10 and "
    "2 s. Watches that fall silent are not cut: nothing is passed on any more.",
    "training_soak": "A tiny model, in an S3 server on the same machine, over a connection that harms one request in fifty. "
    "Kills come before the first step, within one, while a checkpoint is on its way, and the last ones while figures and model "
    "are stored.",
    "refill": "The options resume one checkpoint with equal weights, optimizer, learning rate and place among the failures; "
    "they are compared seed by seed. The failures are the demo's: sampled from its model and judged.",
}
"""What a reader should know of how it was measured; no figures."""
BOUNDS = {
    "cold_demo": "",
    "command_line": "",
    "train_step": "The example's model makes hundreds of short texts in less than a second, and all that is ours is "
    "weighed against that: conversations rendered and tokenized, retries judged, steps written down, and with vLLM the "
    "canary. A larger model makes the step longer and leaves most of ours as it is. Rounds of equal work differ by several "
    "times what the aim leaves, so that this many of them leave an interval wider than it.",
    "rollout": "",
    "checkpoint_upload": "On average it meets the aim. Two trainings that do equal work differ by about as much as the aim "
    "asks for, so that this many pairs of them leave an interval wider than it.",
    "refill": "Many groups are dead at the checkpoint, and refill learns from more live ones in the same time. Where a low end "
    "misses its aim: what the model can do had nearly come to rest before, so that what is still learned in this time is about "
    "as much as one seed differs from the next by, and this many seeds leave an interval wider than it. On the failures that "
    "it is trained on the difference is seen first; what of it carries over to held-out questions is less sure.",
    "verify": "",
    "operator_burst": "The rate is bound by the machine: API server, etcd, controllers, operator and client share its cores, "
    "which are busy all the time, and the API server takes most of them. What the operator takes of them is spread over "
    "requests, JSON and watches; no part of it stands out. The bare client is one Python process (httpx) with 16 requests in "
    "flight: something to compare with on this machine, and no ceiling.",
    "operator_latency": "Bound by what has to be one after the other: the API server's watch tells of the end, then the "
    "status, the ConfigMap and the Job are written, each after the answer to the one before. No profile was taken of it.",
    "operator_idle": "Nothing is written, so what is left is the Lease every two seconds and, every five minutes, a list of "
    "everything in pages: these are the processor time. The memory is Python with its libraries, and of each run its resource "
    "as JSON and a few fields of its Jobs and pods.",
    "operator_soak": "",
    "training_soak": "",
}
"""What bounds it, from the profile: on the page where an aim is missed."""
ALWAYS_BOUND = ("operator_burst", "operator_latency", "operator_idle")
"""On the page of these it stands in any case."""


_HEADING = "\n## "


def main() -> int:
    """Write the page from the records that are there; 1 where an aim is missed and nothing says why."""
    (target,) = map(Path, sys.argv[1:])
    lines = [
        "# Benchmarks",
        "",
        "Each is one run of `make bench ONLY=<name>`; `python bench/_page.py docs/results/benchmarks.md` writes this page.",
        "Ratios compare two ways in the same run on the same machine; absolute figures are this machine's.",
    ]
    files = {name: WORK / f"{name}.json" for name in TITLES}
    records = {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}
    kept = written(target)
    for name, title in TITLES.items():
        lines += section(title, records[name]) if name in records else kept.get(title, [])
    write_page(target, "\n".join(lines) + "\n")
    unexplained = [name for name, record in records.items() if misses(record) and not BOUNDS[name]]
    for name in unexplained:
        print(f"{name} misses an aim: write into BOUNDS of bench/_page.py what bounds it", file=sys.stderr)
    return 1 if unexplained else 0


def written(page: Path) -> dict[str, list[str]]:
    """The parts that are on the page, by title, as `section` gives them."""
    text = page.read_text() if page.exists() else ""
    parts = [part.rstrip().splitlines() for part in text.split(_HEADING)[1:]]
    return {title: ["", f"## {title}", *lines] for title, *lines in parts}


def misses(record: dict[str, Any]) -> bool:
    """Whether one of its figures does not meet its aim."""
    return not all(row["meets"] for row in record["metrics"])


def section(title: str, record: dict[str, Any]) -> list[str]:
    """Title, origin, figures, and the sentences that belong to them."""
    name, where = record["name"], record["details"]["machine"]
    command = COMMANDS.get(name, f"make bench ONLY={name}")
    lines = [
        "",
        f"## {title}",
        "",
        f"`{command}` on {where['date']} at commit {where['commit']}: {where['cores']} cores of {where['processor']}.",
        "",
        *aims_table(record["metrics"]),
    ]
    if stated := record["details"].get("stated"):
        lines += [
            "",
            "| without an aim | |",
            "|---|---:|",
            *(f"| {what} | {value} |" for what, value in stated.items()),
        ]
    if spent := record["details"].get("processorSeconds"):
        lines += ["", *shares_table(spent)]
    if shares := record["details"].get("profile"):
        lines += ["", *profile_table(shares)]
    bound = BOUNDS[name] if name in ALWAYS_BOUND or misses(record) else ""
    for sentence in (NOTES.get(name), bound):
        lines += ["", sentence] if sentence else []
    return lines


def shares_table(spent: dict[str, dict[str, float]]) -> list[str]:
    """What each program took of the processors, a column for each way that was measured."""
    programs = sorted({name for way in spent.values() for name in way}, key=lambda name: -_most(spent, name))
    cells = [[f"{way.get(name, 0.0):.1f}" for way in spent.values()] for name in programs]
    lines = [f"| processor seconds | {' | '.join(spent)} |", f"|---|{'---:|' * len(spent)}"]
    return lines + [f"| {name} | {' | '.join(row)} |" for name, row in zip(programs, cells, strict=True)]


def profile_table(shares: dict[str, float]) -> list[str]:
    """What each package took of the time in which the program worked."""
    rows = [f"| {package} | {share:.0%} |" for package, share in shares.items()]
    return ["| of the operator's working time, under a profiler | share |", "|---|---:|", *rows]


def _most(spent: dict[str, dict[str, float]], name: str) -> float:
    return max(way.get(name, 0.0) for way in spent.values())


if __name__ == "__main__":
    sys.exit(main())
