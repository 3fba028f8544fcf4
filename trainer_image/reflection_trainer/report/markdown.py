"""The report as Markdown. No number stands without an interval or a count beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reflection_api.evaluation import Contrast, EvaluationResult
from reflection_api.status import Comparison

from .content import Report, Round, Transcript

_MAX_TEXT = 400
"""Characters of one model text: the whole of it is in the transcripts' Parquet file."""


def render_markdown(report: Report) -> str:
    """The report for people."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {report.name}"
    yield ""
    yield f"{report.model['uri']} on {report.task['prompts']['uri']}, judged by {report.task['verifier']['builtin']['name']}."
    yield ""
    yield from _headline(report)
    for number in report.rounds:
        yield from _round(number)
    yield from _configuration(report)


def _headline(report: Report) -> Iterator[str]:
    result = report.final
    yield "## In short"
    yield ""
    if result is None:
        yield from _without_evaluation(report)
    else:
        yield f"- Did it learn? {_verdict(result.second_try, 'The second try')}"
        yield f"- Did it forget? {_verdict(result.first_try, 'The first try')}"
        yield f"- Was it the reflection? {_cause(result)}"
    yield ""


def _without_evaluation(report: Report) -> Iterator[str]:
    counts = report.rounds[-1].failures
    if counts.get("failures") == 0:
        yield (
            f"- Nothing to learn: all {counts.get('attempts', 0):,.0f} answers were right. Use harder prompts if the model should "
            "learn more."
        )
    else:
        yield "- The run ended before its evaluation."


def _verdict(comparison: Comparison, what: str) -> str:
    low, high = comparison.interval
    word = "rose" if low > 0 else "fell" if high < 0 else "did not change measurably"
    return (
        f"{what} {word}: {comparison.base:.3f} to {comparison.trained:.3f}, {comparison.change:+.3f} "
        f"[{low:+.3f}, {high:+.3f}] on {comparison.questions:,} questions."
    )


def _cause(result: EvaluationResult) -> str:
    fresh, shuffled = result.reflection_against_fresh, result.reflection_against_shuffled
    if fresh is None or shuffled is None:
        return "There were no failures to reflect on."
    wins = [contrast.interval[0] > 0 for contrast in (fresh, shuffled)]
    word = "Yes" if all(wins) else "Not shown"
    return f"{word}: against a fresh try {_contrast(fresh)}, against reflections of other questions {_contrast(shuffled)}."


def _contrast(contrast: Contrast) -> str:
    low, high = contrast.interval
    return f"{contrast.difference:+.3f} [{low:+.3f}, {high:+.3f}] (n = {contrast.samples:,})"


def _round(number: Round) -> Iterator[str]:
    yield f"## Round {number.round}"
    yield ""
    if number.failures:
        yield from _failures(number.failures)
    if number.training:
        yield from _training(number)
    if number.evaluation:
        yield from _evaluation(number.evaluation)
    if number.transcripts:
        yield from _transcripts(number.transcripts)


def _failures(counts: dict[str, float]) -> Iterator[str]:
    attempts, failures = counts.get("attempts", 0), counts.get("failures", 0)
    yield f"{attempts:,.0f} answers were judged: {counts.get('correct', 0):,.0f} right; {failures:,.0f} failures to learn from."
    yield ""


def _training(number: Round) -> Iterator[str]:
    training = number.training
    if training is None:
        return
    yield f"### Training ({training.steps:,} steps)"
    yield ""
    yield f"| figure | first {training.window} steps | last {training.window} steps |"
    yield "|---|---:|---:|"
    for name in sorted(training.first.keys() & training.last.keys()):
        yield f"| {name} | {training.first[name]:.4g} | {training.last[name]:.4g} |"
    yield ""


def _evaluation(result: EvaluationResult) -> Iterator[str]:
    yield "### Held-out questions"
    yield ""
    yield "| | base | trained | change [95%] | questions | samples |"
    yield "|---|---:|---:|---:|---:|---:|"
    rows = [
        ("first try", result.first_try),
        ("second try (cumulative)", result.second_try),
        ("retry after reflection, fixed failures", result.retry_success),
        ("control: fresh try instead", result.fresh_try),
        ("control: reflection of another question", result.shuffled),
    ]
    for name, comparison in rows:
        if comparison is not None:
            yield _comparison_row(name, comparison)
    yield ""
    yield from _classes(result)


def _comparison_row(name: str, row: Comparison) -> str:
    low, high = row.interval
    return (
        f"| {name} | {row.base:.3f} | {row.trained:.3f} | {row.change:+.3f} [{low:+.3f}, {high:+.3f}] "
        f"| {row.questions:,} | {row.samples:,} |"
    )


def _classes(result: EvaluationResult) -> Iterator[str]:
    yield "| first answers by verdict | base | trained |"
    yield "|---|---:|---:|"
    for name in sorted(result.error_classes_base.keys() | result.error_classes_trained.keys()):
        base, trained = result.error_classes_base.get(name, 0), result.error_classes_trained.get(name, 0)
        yield f"| {name} | {base:,} | {trained:,} |"
    yield ""
    if result.reflections_base and result.reflections_trained:
        base_text, trained_text = result.reflections_base, result.reflections_trained
        yield f"| reflections on the {result.fixed_failures:,} fixed failures | base | trained |"
        yield "|---|---:|---:|"
        yield f"| mean length in tokens | {base_text.tokens:.1f} | {trained_text.tokens:.1f} |"
        yield f"| cut off at the limit | {base_text.truncated:.1%} | {trained_text.truncated:.1%} |"
        yield f"| the retry's answer already stands in it | {base_text.leaks:.1%} | {trained_text.leaks:.1%} |"
        yield ""


def _transcripts(transcripts: list[Transcript]) -> Iterator[str]:
    yield f"### {len(transcripts)} of the fixed failures, drawn by seed"
    yield ""
    for row in transcripts:
        yield f"- question: {_inline(row.question)}, failed answer: {_inline(row.failed)}"
        for who, reflection, retry, correct in (
            ("base", row.base_reflection, row.base_retry, row.base_correct),
            ("trained", row.trained_reflection, row.trained_retry, row.trained_correct),
        ):
            yield f"  - {who}: {_inline(reflection)}, then {_inline(retry)}: {'right' if correct else 'wrong'}"
    yield ""


def _inline(text: str) -> str:
    """Model text as inline code: whatever it holds, it stays one line and markup in it has no effect."""
    line = " ".join(text.split())
    line = line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}..."
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else "(empty)"


def _configuration(report: Report) -> Iterator[str]:
    yield "## Made with"
    yield ""
    for name, version in sorted(report.versions.items()):
        yield f"- {name} {version}"
    yield ""
    yield "The settings in full are in report.json beside this file."
