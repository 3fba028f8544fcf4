"""`reflect run` on the countdown example with limits small enough for a test."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from reflection_api.manifests import Claim

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples/countdown/reflectiontraining.yaml"
REFLECT = Path(sys.executable).parent / "reflect"

SMALL = {
    "spec.rollout.engine": "transformers",
    "spec.rollout.attemptsPerPrompt": 4,
    "spec.task.prompts.limit": 144,  # three shards of answers
    "spec.evaluation.prompts.limit": 20,
    "spec.evaluation.attemptsPerPrompt": 1,
    "spec.evaluation.gates.minGain": -1,
    "spec.evaluation.gates.maxFirstTryLoss": 1,
    "spec.training.failuresPerStep": 4,
    "spec.training.microBatchSize": 32,
    "spec.training.maxSteps": 8,
    "spec.training.checkpoint.everySteps": 2,
}

SHARD = ".parquet.manifest.json"
MODEL = "/train/model/manifest.json"

BEGINS = {
    "RolloutJobCreated": "rollout",
    "VerifyJobCreated": "verify",
    "TrainingStarted": "train",
    "EvaluationJobCreated": "evaluate",
    "ReportJobCreated": "report",
}
"""The stage that an event's reason is the beginning of."""


class Loop:
    """One run in a folder of its own."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.workdir, self.storage = folder / "work", folder / "storage"
        self.output, self.seconds = "", 0.0
        self.resource = EXAMPLE
        self._settings = SMALL | {"spec.storage.uri": self.storage.as_uri()} | changes

    @property
    def mark(self) -> str:
        """The mark of its processes."""
        return str(self.workdir.resolve())

    @property
    def command(self) -> list[str]:
        """`reflect run` with all settings."""
        sets = [word for path, value in self._settings.items() for word in ("--set", f"{path}={value}")]
        return [str(REFLECT), "run", str(self.resource), "--workdir", str(self.workdir), *sets]

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """Start it in the background, output appended to a file."""
        # Where the tests were started in the background of a shell, Ctrl-C is ignored, and so it would be here.
        command = ["env", "--default-signal=INT", *self.command]
        with log.open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output)

    def run(self, *within: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, by way of a command that runs the one behind it, if given."""
        return subprocess.run([*within, *self.command], capture_output=True, text=True, check=False)

    @property
    def run_folder(self) -> Path:
        """The run's folder in storage."""
        (folder,) = self.storage.glob("default/countdown-*")
        return folder

    def file(self, path: str) -> Path:
        """An artefact."""
        return self.run_folder / path

    def events(self) -> list[dict[str, str]]:
        """The events so far."""
        return [json.loads(line) for line in (self.workdir / "events.jsonl").read_text().splitlines()]

    def stage(self) -> str:
        """The stage that it is at; empty before the first."""
        file = self.workdir / "resource.json"
        resource = json.loads(file.read_text()) if file.exists() else {}
        stage: str = resource.get("status", {}).get("current", {}).get("stage", "")
        return stage

    def ended(self) -> tuple[str, str]:
        """Status and reason of the condition Succeeded."""
        conditions = json.loads((self.workdir / "resource.json").read_text())["status"]["conditions"]
        [found] = [each for each in conditions if each["type"] == "Succeeded"]
        return found["status"], found["reason"]

    def lasted(self) -> dict[str, float]:
        """Seconds from the beginning of each stage to that of the next, where each began once."""
        began = [
            (BEGINS[event["reason"]], datetime.fromisoformat(event["at"]))
            for event in self.events()
            if event["reason"] in BEGINS
        ]
        return {stage: (after - at).total_seconds() for (stage, at), (_, after) in pairwise(began)}

    def dataset(self) -> dict[str, str]:
        """SHA-256 of every shard of the dataset of failures."""
        shards = sorted(self.file("round-1/verify").glob("*.parquet"))
        return {shard.name: hashlib.sha256(shard.read_bytes()).hexdigest() for shard in shards}

    def weights(self) -> str:
        """SHA-256 of the trained weights."""
        return hashlib.sha256(self.file("round-1/train/model/model.safetensors").read_bytes()).hexdigest()

    def artefacts(self) -> set[str]:
        """Relative paths of everything in storage."""
        return {
            path.relative_to(self.run_folder).as_posix()
            for path in self.run_folder.rglob("*")
            if path.is_file()
        }

    def finished(self) -> dict[str, tuple[int, int]]:
        """The manifest of every complete artefact, with inode and time: what is written again gets others."""
        found = {}
        for path in self.storage.rglob("*manifest.json"):
            with path.open() as file:
                written = os.fstat(file.fileno())
                if json.load(file)["kind"] != Claim.KIND:
                    found[path.relative_to(self.storage).as_posix()] = (written.st_ino, written.st_mtime_ns)
        return found

    def work_done(self) -> dict[str, tuple[int, int]]:
        """Of these the shards and the model: what took time to make. Summaries of them are written whenever a stage ends."""
        made = self.finished()
        return {path: when for path, when in made.items() if path.endswith((SHARD, MODEL))}

    def result(self) -> dict[str, object]:
        """evaluate/result.json of round 1."""
        value: dict[str, object] = json.loads(self.file("round-1/evaluate/result.json").read_text())
        return value
