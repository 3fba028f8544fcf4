"""The report stage: gathers what the run left in storage and writes report.json and report.md."""

from __future__ import annotations

from reflection_api.contract import StageResult
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..context import StageContext
from .gather import gather
from .markdown import render_markdown


def run(context: StageContext) -> StageResult:
    """Write the report; it is made anew each time, from whatever the run left."""
    report = gather(context)
    artifacts = []
    for name, text in (("report.json", report.to_json(indent=1)), ("report.md", render_markdown(report))):
        local = context.workdir / name
        local.write_text(text, encoding="utf-8")
        artifacts.append(context.artifacts.put_file(local, context.path(Stage.REPORT, name), kind="report"))
    return StageResult(
        stage=Stage.REPORT, outcome="Succeeded", reason=Reason.COMPLETED.value, artifacts=artifacts
    )
