"""The report stage: gathers what the run left in storage and writes it for browsers, programs and people at a terminal."""

from __future__ import annotations

from reflection_api.contract import StageResult
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..context import StageContext
from .content import Report
from .gather import gather
from .html import render_html
from .markdown import render_markdown
from .settings import settings_of


def run(context: StageContext) -> StageResult:
    """Write the report; it is made anew each time, from whatever the run left."""
    config = context.config
    report = gather(context.artifacts, settings_of(config), config.round, context.workdir)
    artifacts = []
    for name, text in written_out(report, "report", page="index").items():
        local = context.workdir / name
        local.write_text(text, encoding="utf-8")
        artifacts.append(context.artifacts.put_file(local, context.path(Stage.REPORT, name), kind="report"))
    return StageResult(
        stage=Stage.REPORT, outcome="Succeeded", reason=Reason.COMPLETED.value, artifacts=artifacts
    )


def written_out(report: Report, name: str, *, page: str) -> dict[str, str]:
    """The report for browsers, programs and people: texts by the names of their files, which begin with `page` and `name`."""
    return {
        f"{page}.html": render_html(report, name),
        f"{name}.json": report.to_json(indent=1),
        f"{name}.md": render_markdown(report, name),
    }
