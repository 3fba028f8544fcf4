"""Runs of this machine in few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from reflection_api.evaluation import EvaluationResult, PairedComparison
from reflection_api.status import Phase, ReflectionTrainingStatus, Verdict
from reflection_operator.local.artefacts import folder_of
from reflection_operator.local.records import Records, read_json, write_json
from reflection_operator.local.resource import accept, load

ROW = PairedComparison(base=0.2, trained=0.7, change=0.5, interval=[0.4, 0.6], questions=90, samples=300)
EVALUATION = EvaluationResult(
    first_try=ROW, second_try=ROW, retry_success=ROW, fixed_failures=300, too_long=0
)


def write_task(folder: Path, *, name: str = "tiny", namespace: str = "default", **spec: Any) -> Path:
    """A resource whose files are there; the model is none that could be loaded."""
    (folder / "model").mkdir(parents=True, exist_ok=True)
    (folder / "model/config.json").write_text("{}")
    (folder / "train.jsonl").write_text('{"prompt": "make 6 from 2 3", "nums": [2, 3], "target": 6}\n')
    value = {
        "apiVersion": "reflection.training/v1alpha1",
        "kind": "ReflectionTraining",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"uri": "file://./model"},
            "task": {
                "prompts": {"uri": "file://./train.jsonl"},
                "verifier": {"builtin": {"name": "countdown"}},
            },
            "storage": {"uri": "file://./runs"},
            **spec,
        },
    }
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(value, sort_keys=False))
    return file


def finished(file: Path, records: Records, *, reason: str = "Completed") -> Path:
    """Have a run succeed; the folder of what it left in storage."""
    folder = folder_of(accept(load(file, []), records, file))
    assert folder is not None
    remember_end(records, reason=reason)
    (folder / "round-1/train/model").mkdir(parents=True)
    (folder / "round-1/train/model/manifest.json").write_text("{}")
    (folder / "round-1/evaluate").mkdir()
    (folder / "round-1/evaluate/result.json").write_text(EVALUATION.to_json())
    return folder


def remember_end(records: Records, *, phase: Phase = Phase.SUCCEEDED, reason: str = "Completed") -> None:
    """Have the folder remember that its run has ended so."""
    stored = read_json(records.resource)
    verdict = Verdict(succeeded=phase is Phase.SUCCEEDED, reason=reason, message="that is how it ended")
    status = ReflectionTrainingStatus(observed_generation=1, phase=phase, verdict=verdict)
    write_json(records.resource, stored | {"status": status.to_dict()})
