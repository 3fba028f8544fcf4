"""Runs of the demo for measurements."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from _records import ROOT, WORK, machine


def run_demo(name: str, *, seed: int = 0, settings: Mapping[str, object] | None = None) -> dict[str, Any]:
    """The demo with this seed and these settings; one that has finished is not run again.

    Returns:
        Its result.json, and as `failures` the SHA-256 of the dataset that it trained on.
    """
    workdir = workdir_of(name, settings or {})
    sets = [word for path, value in (settings or {}).items() for word in ("--set", f"{path}={value}")]
    command = [sys.executable, str(ROOT / "examples/countdown/demo.py"), "--workdir", str(workdir)]
    subprocess.run([*command, "--seed", str(seed), *sets], check=True)
    result: dict[str, Any] = json.loads((workdir / "result.json").read_text())
    shards = _shards(workdir, "verify/failures")
    result["failures"] = hashlib.sha256(b"".join(shard.read_bytes() for shard in shards)).hexdigest()
    return result


def failures_of(workdir: Path) -> Iterator[dict[str, Any]]:
    """What such a run trained on, as a training reads it."""
    for row in _rows(workdir, "verify/failures"):
        yield {name: row[name] for name in ("id", "messages", "completion")} | {"row": json.loads(row["row"])}


def held_out_failures_of(workdir: Path) -> Iterator[dict[str, Any]]:
    """The base model's wrong answers to the held-out questions, in the same form."""
    prompts = (ROOT / "examples/countdown/prompts/heldout.jsonl").read_text().splitlines()
    by_question = {row["prompt"]: row for row in map(json.loads, prompts)}
    for row in _rows(workdir, "evaluate/base-first"):
        if not row["correct"]:
            yield {
                "id": f"{row['question_id']}/{row['attempt']}",
                "messages": [{"role": "user", "content": row["question"]}],
                "completion": row["completion"],
                "row": by_question[row["question"]],
            }


def _rows(workdir: Path, name: str) -> Iterator[dict[str, Any]]:
    for shard in _shards(workdir, name):
        yield from pq.read_table(shard).to_pylist()


def _shards(workdir: Path, name: str) -> list[Path]:
    """The Parquet files of a dataset of its first round."""
    return sorted(workdir.glob(f"storage/*/*/round-1/{name}-*.parquet"))


def workdir_of(name: str, settings: Mapping[str, object]) -> Path:
    """Where such a run is kept: of this commit and these settings, what others finished says nothing about it."""
    key = f"demo-{name}-{machine()['commit']}"
    if settings:
        key += f"-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]}"
    return WORK / key
