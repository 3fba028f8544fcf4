"""A finished rollout whose answers are chosen by the test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reflection_api.contract import StageConfig
from reflection_trainer.engines import Completion
from reflection_trainer.prompts import Question
from reflection_trainer.provenance import settings_provenance
from reflection_trainer.rollout.shards import Attempt, Shard
from reflection_trainer.rollout.table import write_attempts
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.storage.artifacts import sha256_of
from reflection_trainer.verify.configured import task_verifier

from ...support.stage_runs import stage_config

RIGHT, WRONG, EMPTY = "3 + 4", "3 * 4", ""
_ROW = {"nums": [3, 4], "target": 7}


def verify_config(folder: Path, **changes: Any) -> StageConfig:
    return stage_config(
        "verify",
        folder=folder / "runs",
        model="file:///model",
        prompts="file:///train.jsonl",
        changes=changes,
    )


def stage_folder(folder: Path, stage: str = "verify") -> Path:
    return folder / "runs" / "default" / "tiny-01234567" / "round-1" / stage


def store_answers(
    folder: Path,
    shards: Sequence[Sequence[str]],
    *,
    count: int | None = None,
    prompts: Path | None = None,
    rows: Sequence[dict[str, Any]] = (),
    **changes: Any,
) -> None:
    """Store shards of answers to the question for 7 from 3 and 4, four attempts a question.

    Args:
        folder: where `verify_config` has its storage.
        shards: the answers of each shard.
        count: how many shards the rollout should have had.
        prompts: the file that the questions were read from; without it none is known.
        rows: the row of the questions of each shard, in the place of the usual one.
        changes: to the configuration that they were made with.
    """
    if prompts is not None:
        changes |= {"task.prompts.uri": prompts.as_uri()}
    config = verify_config(folder, **changes)
    artifacts = Artifacts(open_store(config.run_uri))
    provenance = settings_provenance(config, task_verifier(config.task))
    if prompts is not None:
        recorded = provenance.prompts | {"sha256": sha256_of(prompts)}
        provenance = provenance.model_copy(update={"prompts": recorded})
    folder.mkdir(parents=True, exist_ok=True)
    for index, answers in enumerate(shards):
        row = rows[index] if rows else _ROW
        attempts = [_attempt(index, number, row) for number in range(len(answers))]
        completions = [Completion(text, token_count=3, truncated=False) for text in answers]
        local = folder / "shard.parquet"
        write_attempts(local, attempts, completions)
        path = f"round-1/rollout/{Shard(index, count or len(shards), []).name}"
        artifacts.put_file(local, path, kind="attempts", rows=len(answers), provenance=provenance)
        local.unlink()


def _attempt(shard: int, number: int, row: dict[str, Any]) -> Attempt:
    question = Question(
        id=f"{shard:08d}-{number // 4:08d}",
        messages=[{"role": "user", "content": "make 7 from 3 4"}],
        text="make 7 from 3 4",
        row=row,
    )
    return Attempt(question, number % 4, seed=number)
