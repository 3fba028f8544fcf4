"""From judged answers to `evaluate/result.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reflection_api.evaluation import EvaluationResult, ReflectionStatistics

from .statistics import Share, compare, contrast
from .transcripts import FirstAnswer, Transcript


@dataclass(frozen=True)
class Answers:
    """What one model said."""

    first: Sequence[FirstAnswer]
    second: Sequence[Transcript]
    """On the fixed failures, and on its own failures where they are others."""

    @property
    def fixed(self) -> list[Transcript]:
        """On the base model's failures."""
        return [transcript for transcript in self.second if transcript.fixed]


def build_result(base: Answers, trained: Answers) -> EvaluationResult:
    """All comparisons. Those on failures are absent where the base model failed nowhere."""
    result = EvaluationResult(
        first_try=compare(_first(base), _first(trained)),
        second_try=compare(_second(base, own_are_fixed=True), _second(trained, own_are_fixed=False)),
        fixed_failures=len(base.fixed),
        error_classes_base=_classes(base),
        error_classes_trained=_classes(trained),
    )
    return result if not base.fixed else result.model_copy(update=_on_fixed_failures(base, trained))


def _on_fixed_failures(base: Answers, trained: Answers) -> dict[str, object]:
    retry, fresh = (
        _on_fixed(trained, lambda row: row.retry_correct),
        _on_fixed(trained, lambda row: row.fresh_correct),
    )
    shuffled = _on_fixed(trained, lambda row: row.shuffled_correct)
    return {
        "retry_success": compare(_on_fixed(base, lambda row: row.retry_correct), retry),
        "fresh_try": compare(_on_fixed(base, lambda row: row.fresh_correct), fresh),
        "shuffled": compare(_on_fixed(base, lambda row: row.shuffled_correct), shuffled),
        "reflection_against_fresh": contrast(retry, fresh),
        "reflection_against_shuffled": contrast(retry, shuffled),
        "reflections_base": _reflections(base.fixed),
        "reflections_trained": _reflections(trained.fixed),
    }


def _first(answers: Answers) -> Share:
    return Share.of([row.question_id for row in answers.first], [row.correct for row in answers.first])


def _second(answers: Answers, *, own_are_fixed: bool) -> Share:
    """Right at once, or after one reflection on the own failure."""
    own = {
        (row.question_id, row.attempt): row.retry_correct
        for row in answers.second
        if row.fixed == own_are_fixed
    }
    verdicts = [row.correct or own[row.question_id, row.attempt] for row in answers.first]
    return Share.of([row.question_id for row in answers.first], verdicts)


def _on_fixed(answers: Answers, correct: Callable[[Transcript], bool]) -> Share:
    return Share.of([row.question_id for row in answers.fixed], [correct(row) for row in answers.fixed])


def _classes(answers: Answers) -> dict[str, int]:
    return dict(sorted(Counter(row.reason for row in answers.first).items()))


def _reflections(rows: Sequence[Transcript]) -> ReflectionStatistics:
    return ReflectionStatistics(
        tokens=sum(row.reflection_tokens for row in rows) / len(rows),
        truncated=sum(row.reflection_truncated for row in rows) / len(rows),
        leaks=sum(row.leak for row in rows) / len(rows),
    )


def metrics_of(result: EvaluationResult) -> dict[str, float]:
    """The figures that the termination message carries: gates are decided from them, and the status quotes them."""
    metrics = {
        "questions": float(result.second_try.questions),
        "samples": float(result.second_try.samples),
        "fixedFailures": float(result.fixed_failures),
        "gain": result.second_try.change,
        "gainLow": result.second_try.interval[0],
        "gainHigh": result.second_try.interval[1],
        "firstTryChange": result.first_try.change,
        "firstTryLow": result.first_try.interval[0],
        "firstTryHigh": result.first_try.interval[1],
        "firstTryBase": result.first_try.base,
        "firstTryTrained": result.first_try.trained,
        "secondTryBase": result.second_try.base,
        "secondTryTrained": result.second_try.trained,
    }
    if result.retry_success is not None:
        metrics |= {
            "retryBase": result.retry_success.base,
            "retryTrained": result.retry_success.trained,
            "retryLow": result.retry_success.interval[0],
            "retryHigh": result.retry_success.interval[1],
            "retryQuestions": float(result.retry_success.questions),
            "retrySamples": float(result.retry_success.samples),
        }
    return metrics
