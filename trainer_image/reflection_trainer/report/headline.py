"""The report's first lines: did it learn, did it forget, can I trust it, what did it cost."""

from __future__ import annotations

from collections.abc import Iterator

from reflection_api.evaluation import Contrast, EvaluationResult
from reflection_api.status import Comparison

from .content import Report, Round


def headline(report: Report) -> Iterator[str]:
    """The answers as a list, from the newest round that was evaluated."""
    final = report.final
    if final is None or final.evaluation is None:
        yield _without_evaluation(report.rounds[-1])
    else:
        yield from _answers(report, final, final.evaluation)
    costs = _costs(report)
    if costs:
        yield f"- What did it cost? {costs}."


def _answers(report: Report, final: Round, result: EvaluationResult) -> Iterator[str]:
    yield f"- Did it learn? {_verdict(result.second_try, 'The second try')}"
    yield f"- Did it forget? {_verdict(result.first_try, 'The first try')}"
    yield f"- Was it the reflection? {_cause(result)}"
    yield from _caveats(result)
    if report.evaluation.get("gates"):
        yield f"- Gates: {'; '.join(final.missed_gates) + ' (GateFailed)' if final.missed_gates else 'all met'}."
    last = report.rounds[-1]
    if last is not final:
        yield f"- These are the figures of round {final.round}. Round {last.round}: {_unfinished(last)}"


def _without_evaluation(last: Round) -> str:
    return f"- {_unfinished(last)}"


def _unfinished(last: Round) -> str:
    attempts = last.failures.get("attempts", 0)
    if attempts and last.failures.get("failures") == 0:
        return (
            f"Nothing to learn (NoFailures): all {attempts:,.0f} answers were right. "
            "Use harder prompts if the model should learn more."
        )
    return "It ended before its evaluation."


def _verdict(comparison: Comparison, what: str) -> str:
    low, high = comparison.interval
    word = "rose" if low > 0 else "fell" if high < 0 else "did not change measurably"
    return (
        f"{what} {word}: {comparison.base:.3f} to {comparison.trained:.3f}, {comparison.change:+.3f} "
        f"[{low:+.3f}, {high:+.3f}] on {comparison.questions:,} questions."
    )


def _cause(result: EvaluationResult) -> str:
    fresh, shuffled = result.reflection_against_fresh, result.reflection_against_shuffled
    if fresh is None:
        return "There were no failures to reflect on."
    if shuffled is None:
        return (
            f"Not shown: against a fresh try {_contrast(fresh)}; there was no other question to shuffle with."
        )
    word = "Yes" if fresh.interval[0] > 0 and shuffled.interval[0] > 0 else "Not shown"
    return f"{word}: against a fresh try {_contrast(fresh)}, against reflections on other questions {_contrast(shuffled)}."


def _contrast(contrast: Contrast) -> str:
    low, high = contrast.interval
    return f"{contrast.difference:+.3f} [{low:+.3f}, {high:+.3f}] (n = {contrast.samples:,})"


def _caveats(result: EvaluationResult) -> Iterator[str]:
    base, trained = result.reflections_base, result.reflections_trained
    if base and trained:
        yield (
            f"- Does it give the answer away? The retry's answer already stood in {trained.leaks:.1%} of the trained model's "
            f"reflections, {base.leaks:.1%} of the base model's (n = {result.fixed_failures:,})."
        )
    if result.too_long:
        yield (
            f"- {result.too_long:,} second tries had no room in the model's context and count as wrong: lower "
            "maxTokens, reflectionMaxTokens or retryMaxTokens."
        )


def _costs(report: Report) -> str:
    costs = [cost for number in report.rounds for cost in number.costs]
    seconds = sum(cost.seconds or 0.0 for cost in costs)
    tokens = sum(cost.tokens or 0 for cost in costs)
    stages = dict.fromkeys(cost.stage.value for cost in costs if cost.seconds is not None)
    if not stages:
        return f"{tokens:,} tokens written" if tokens else ""
    return f"{seconds:,.0f} s of {', '.join(stages)}; {tokens:,} tokens written"
