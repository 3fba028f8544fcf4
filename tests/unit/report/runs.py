"""What a run leaves in storage, written by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from reflection_api.evaluation import EvaluationResult
from reflection_api.manifests import Provenance
from reflection_api.stages import Stage
from reflection_api.status import AuditStatus
from reflection_trainer.context import StageContext
from reflection_trainer.evaluate.part import BASE, TRAINED, Part
from reflection_trainer.evaluate.result import build_result
from reflection_trainer.evaluate.transcripts import FirstAnswer, Transcript
from reflection_trainer.rollout.shards import plan_shards
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.verify.audit_file import AuditRecord, keep_record

from ..evaluate.scripted import config, question
from ..evaluate.test_result import tallies


def context_of(folder: Path, round_number: int = 1, **changes: Any) -> StageContext:
    settings = config(folder, **{"stage": "report", "round": round_number, "rounds": 2} | changes)
    work = folder / f"work-{round_number}"
    work.mkdir(parents=True, exist_ok=True)
    return StageContext(settings, Artifacts(open_store(settings.run_uri)), work, 0)


def leave_rollout(
    context: StageContext,
    number: int = 1,
    *,
    made_with: dict[str, str] | None = None,
    provenance: Provenance | None = None,
) -> None:
    for index in range(2):
        local = context.workdir / "attempts.parquet"
        local.write_bytes(b"rows")
        context.artifacts.put_file(
            local,
            context.path(Stage.ROLLOUT, f"attempts-{index:05d}-of-00002.parquet", round_number=number),
            kind="attempts",
            metrics={"tokens": 700, "truncated": 1, "seconds": 2.5},
            made_with=made_with,
            provenance=provenance,
        )


def leave_failures(
    context: StageContext,
    number: int = 1,
    *,
    attempts: int = 400,
    failures: int = 150,
    seconds: float | None = None,
) -> None:
    if seconds is not None:
        local = context.workdir / "failures.parquet"
        local.write_bytes(b"rows")
        path = context.path(Stage.VERIFY, "failures-00000-of-00001.parquet", round_number=number)
        context.artifacts.put_file(
            local, path, kind="failures", metrics={"attempts": attempts, "seconds": seconds}
        )
    counts = {"attempts": attempts, "correct": attempts - failures, "failures": failures, "duplicates": 0}
    reasons = {"reason.wrong_value": failures - 10, "reason.no_answer": 10} if failures else {}
    context.artifacts.seal_folder(
        context.path(Stage.VERIFY, round_number=number), [], kind="failures", metrics=counts | reasons
    )


def leave_audit(context: StageContext, number: int = 1, *, fault: str | None = None) -> None:
    figures = AuditStatus(
        sample=200, flaky=0, gold=0, gold_refused=0, canaries=200, canaries_accepted=50 if fault else 0
    )
    folder = context.path(Stage.VERIFY, round_number=number)
    record = AuditRecord(figures=figures, fault=fault)
    keep_record(context.artifacts, folder, context.workdir, record, 0.5, Provenance())


def leave_training(
    context: StageContext,
    number: int = 1,
    *,
    steps: int = 40,
    shares: dict[str, float] | None = None,
    made_with: dict[str, str] | None = None,
    provenance: Provenance | None = None,
) -> None:
    lines = [
        {
            "step": step,
            "reward": step / steps,
            "deadGroupShare": 0.5,
            "seconds": 0.25,
            "tokensReflect": 60.0,
            "tokensRetry": 40.0,
            **(shares or {}),
        }
        for step in range(1, steps + 1)
    ]
    local = context.workdir / "metrics.jsonl"
    local.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = context.path(Stage.TRAIN, "metrics.jsonl", round_number=number)
    context.artifacts.put_file(local, path, kind="metrics", made_with=made_with, provenance=provenance)
    model = context.workdir / "model"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text("{}")
    path = context.path(Stage.TRAIN, "model", round_number=number)
    context.artifacts.put_folder(model, path, kind="model", made_with=made_with, provenance=provenance)


def leave_evaluation(
    context: StageContext,
    number: int = 1,
    *,
    failures: int = 30,
    text: str = "plain",
    result: EvaluationResult | None = None,
) -> EvaluationResult:
    """`failures` fixed failures in two shards; the trained model gets every second one right."""
    inner = replace(context, config=context.config.model_copy(update={"round": number}))
    shards = plan_shards([question(n) for n in range(1, 131)], attempts_per_prompt=4, workers=2)
    for who in (BASE, TRAINED):
        part = Part(inner, who, Provenance(model={"who": who}), shards)
        if any(part.has(shard) for shard in shards):
            continue
        for shard in shards:
            rows = [said(n, who, text) for n in range(failures) if n % len(shards) == shard.index]
            part.put(
                shard, [FirstAnswer("q", "q", 0, "a", True, "correct")], rows, {"seconds": 1.5, "tokens": 100}
            )
    result = result or build_result(*tallies())
    local = context.workdir / "result.json"
    local.write_text(result.to_json())
    path = context.path(Stage.EVALUATE, "result.json", round_number=number)
    context.artifacts.put_file(local, path, kind="evaluation")
    return result


def said(number: int, who: str, text: str) -> Transcript:
    right = who == TRAINED and number % 2 == 0
    return Transcript(
        question_id=f"q{number:03d}", question=f"question {number} {text}", attempt=0, failed=f"failed {text}",
        reason="wrong_value", fixed=True, reflection=f"{who} reflects {text}", reflection_tokens=3,
        reflection_truncated=False, retry=f"{who} retries {text}", retry_correct=right,
        retry_reason="correct" if right else "wrong_value", leak=False, fresh="f", fresh_correct=False,
        shuffled_retry="s", shuffled_correct=False,
    )  # fmt: skip
