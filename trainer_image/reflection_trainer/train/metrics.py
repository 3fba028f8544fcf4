"""The figures of every optimizer step, as JSON lines that survive an interruption with each step standing once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from .meter import Counts

_FROM_TRL = {
    "loss": "loss",
    "grad_norm": "gradNorm",
    "learning_rate": "learningRate",
    "entropy": "entropy",
    "kl": "kl",
    "sampling/sampling_logp_difference/max": "samplingGap",
}
"""TRL's name and ours."""

WINDOW_SHARE = 0.1
"""The last part of training that headline figures are the mean of: single steps are noise."""


def step_figures(counts: Counts) -> dict[str, float]:
    """The figures of a step from the counts of all processes together. Seconds are the mean of the processes."""
    rows, retries = max(counts.rows, 1.0), max(counts.retries, 1.0)
    groups, processes = max(counts.groups, 1.0), max(counts.processes, 1.0)
    seconds = {
        name: getattr(counts, f"seconds_{name}") / processes
        for name in ("step", "reflect", "retry", "verify")
    }
    update = seconds["step"] - seconds["reflect"] - seconds["retry"] - seconds["verify"]
    return {
        "reward": counts.reward / max(counts.rewarded, 1.0),
        "groups": counts.groups,
        "deadGroupShare": counts.dead / groups,
        "allWrongShare": counts.all_wrong / groups,
        "allRightShare": counts.all_right / groups,
        "reflectionTokens": counts.reflection_tokens / rows,
        "truncatedShare": counts.truncated / rows,
        "leakShare": counts.leaks / rows,
        "retryTokens": counts.retry_tokens / retries,
        "retryTruncatedShare": counts.retries_truncated / retries,
        "tokensReflect": counts.reflection_tokens,
        "tokensRetry": counts.retry_tokens,
        "secondsReflect": seconds["reflect"],
        "secondsRetry": seconds["retry"],
        "secondsVerify": seconds["verify"],
        "secondsUpdate": max(0.0, update),
        "seconds": seconds["step"],
    }


def step_line(step: int, logs: Mapping[str, Any], ours: Mapping[str, float]) -> dict[str, float]:
    """One line of the metrics file; figures that are not numbers are left out, since JSON has no word for them."""
    line: dict[str, float] = {"step": step}
    for theirs, name in _FROM_TRL.items():
        if theirs in logs and logs[theirs] is not None:
            line[name] = float(logs[theirs])
    line.update(ours)
    return {name: value for name, value in line.items() if math.isfinite(value)}


class MetricsFile:
    """Appends lines; every line is complete on disk before the next step begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.newest: Mapping[str, float] = {}
        """The line that was added last, as it stands in the file."""

    def restart(self, step: int) -> None:
        """Keep the lines up to `step`, which training resumes from: what came after is done again."""
        kept = [line for line in read_metrics(self.path) if line["step"] <= step]
        self.path.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def append(self, line: Mapping[str, float]) -> None:
        """Add the line of a step."""
        self.newest = {name: _rounded(value) for name, value in line.items()}
        with self.path.open("a") as file:
            file.write(json.dumps(self.newest) + "\n")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """All complete lines of a metrics file; a missing file has none, and a torn last line is not there."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def summary(lines: list[dict[str, float]]) -> dict[str, float]:
    """Headline figures of a training: means over the last tenth of its steps, and the seconds of all of them."""
    window = lines[-max(1, round(len(lines) * WINDOW_SHARE)) :]
    names = ("reward", "deadGroupShare", "reflectionTokens", "truncatedShare", "leakShare", "entropy", "kl")
    means = {
        name: fmean(line[name] for line in window if name in line)
        for name in names
        if any(name in line for line in window)
    }
    seconds = sum(line.get("seconds", 0.0) for line in lines)
    return {**means, "steps": lines[-1]["step"] if lines else 0, "seconds": seconds}


def _rounded(value: float) -> float:
    """Six significant digits: enough to plot, and a line stays readable."""
    return value if isinstance(value, int) else float(f"{value:.6g}")
