"""Runs of the demo for measurements."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    (dataset,) = workdir.glob("storage/*/*/round-1/verify")
    shards = sorted(dataset.glob("*.parquet"))
    result["failures"] = hashlib.sha256(b"".join(shard.read_bytes() for shard in shards)).hexdigest()
    return result


def workdir_of(name: str, settings: Mapping[str, object]) -> Path:
    """Where such a run is kept: of this commit and these settings, what others finished says nothing about it."""
    key = f"demo-{name}-{machine()['commit']}"
    if settings:
        key += f"-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]}"
    return WORK / key
