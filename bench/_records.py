"""What the measurements share: figures with their aims, the machine, and the folder of the records."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "bench"


def metric(name: str, value: float, unit: str, op: str, aim: float) -> dict[str, Any]:
    """One figure with its aim."""
    meets = {">=": value >= aim, "<=": value <= aim, ">": value > aim, "<": value < aim}[op]
    return {"name": name, "value": value, "unit": unit, "aim": {"op": op, "value": aim}, "meets": meets}


def write(name: str, metrics: list[dict[str, Any]], details: dict[str, Any]) -> None:
    """Write build/bench/<name>.json and print the figures."""
    record = {"name": name, "metrics": metrics, "details": details | {"machine": machine()}}
    WORK.mkdir(parents=True, exist_ok=True)
    target = WORK / f"{name}.json"
    target.write_text(json.dumps(record, indent=2) + "\n")
    for figure in metrics:
        aim = f"aim {figure['aim']['op']} {figure['aim']['value']}"
        print(
            f"{figure['name']}: {figure['value']:.4g} {figure['unit']} ({aim}: {'met' if figure['meets'] else 'missed'})"
        )
    print(target)


def made_by(command: str) -> str:
    """The sentence of a results page that says what made it, and where."""
    where = machine()
    return (
        f"Made by `{command}` on {where['date']} at commit {where['commit']}: {where['cores']} cores of {where['processor']}, "
        f"Python {where['python']}."
    )


def aims_table(metrics: list[dict[str, Any]]) -> list[str]:
    """Figures and their aims as lines of a results page."""
    lines = ["| | value | aim | met |", "|---|---:|---:|---|"]
    for row in metrics:
        aim = f"{row['aim']['op']} {row['aim']['value']:g}"
        met = "yes" if row["meets"] else "no"
        lines.append(f"| {row['name']} | {row['value']:,.4g} {row['unit']} | {aim} | {met} |")
    return lines


def write_page(file: Path, text: str) -> None:
    """Write a results page and say so."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    print(file)


def machine() -> dict[str, Any]:
    """Where the figures were measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    model = said.get("model name") or platform.processor()
    if "model" in said:  # a virtual machine's name often is the same for years of processors
        model += f" (family {said.get('cpu family')}, model {said['model']})"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - whichever git the reader has
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
