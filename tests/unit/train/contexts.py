"""A stage's configuration and context over a folder, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reflection_api.contract import RunRef, StageConfig, TrainingSettings
from reflection_api.spec import TrainingSpec
from reflection_operator.children.resolve import resolve_training
from reflection_trainer.context import StageContext
from reflection_trainer.storage import Artifacts, open_store


def training(**changes: Any) -> TrainingSettings:
    spec = TrainingSpec.model_validate(changes)
    return resolve_training(spec).model_copy(update={"generation": spec.generation or "transformers"})


def config(folder: Path, *, model: str = "hf://org/name", policy: str = "", **changes: Any) -> StageConfig:
    return StageConfig.model_validate(
        {
            "stage": "train",
            "run": RunRef(namespace="default", name="tiny", uid="0123456789"),
            "round": 1,
            "rounds": 2,
            "attempt": 1,
            "model": {"uri": model, "revision": "v1"} if model.startswith("hf://") else {"uri": model},
            "policy": {"uri": policy or model},
            "task": {
                "prompts": {"uri": "file:///prompts.jsonl"},
                "verifier": {"builtin": {"name": "exact"}},
                "templates": {"reflection": "wrong", "retry": "{{ question }}"},
            },
            "rollout": {},
            "training": training(**changes),
            "evaluation": {},
            "storage": {"uri": f"file://{folder}"},
        }
    )


def context(folder: Path, **changes: Any) -> StageContext:
    made = config(folder / "storage", **changes)
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    return StageContext(config=made, artifacts=Artifacts(open_store(made.run_uri)), workdir=work, index=0)
