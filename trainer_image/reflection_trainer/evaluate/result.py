"""From counted answers to `evaluate/result.json` and to the figures that the stage reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reflection_api.evaluation import (
    Contrast,
    EvaluationResult,
    ModelContrast,
    OnTrainPrompts,
    PairedComparison,
    PassAtK,
    ThirdModel,
)

from .statistics import Share, at_least_one_of, compare, contrast
from .tally import Tally


def build_result(
    base: Tally,
    trained: Tally,
    pass_at_k: Sequence[int] = (),
) -> EvaluationResult:
    """All comparisons. Those on failures are absent where the base model failed nowhere."""
    return EvaluationResult(
        first_try=compare(base.first, trained.first),
        second_try=compare(base.second, trained.second),
        pass_at_k=[_pass_at(k, base, trained) for k in sorted(pass_at_k)],
        fixed_failures=base.retry.samples,
        too_long=base.too_long + trained.too_long,
        error_classes_base=dict(sorted(base.classes.items())),
        error_classes_trained=dict(sorted(trained.classes.items())),
        **_on_fixed_failures(base, trained),
    )


def on_train_prompts(base: Tally, trained: Tally) -> OnTrainPrompts:
    """Both models on questions of training."""
    return OnTrainPrompts(
        first_try=compare(base.first, trained.first),
        second_try=compare(base.second, trained.second),
        retry_success=_compared_where_any(base.retry, trained.retry),
    )


def third_model(uri: str, other: Tally, trained: Tally) -> ThirdModel:
    """The trained model against a third one on the same questions and the same failures."""
    return ThirdModel(
        uri=uri,
        first_try=_against(other.first, trained.first),
        second_try=_against(other.second, trained.second),
        retry_success=_against(other.retry, trained.retry) if other.retry.samples else None,
        reflections=other.reflections.means(),
    )


def _against(other: Share, trained: Share) -> ModelContrast:
    row = compare(other, trained)
    return ModelContrast(
        other=row.base,
        trained=row.trained,
        difference=row.change,
        interval=row.interval,
        questions=row.questions,
        samples=row.samples,
        p_value=row.p_value,
    )


def _pass_at(k: int, base: Tally, trained: Tally) -> PassAtK:
    return PassAtK(
        k=k,
        first_try=compare(at_least_one_of(base.first, k), at_least_one_of(trained.first, k)),
        second_try=compare(at_least_one_of(base.second, k), at_least_one_of(trained.second, k)),
    )


def _on_fixed_failures(base: Tally, trained: Tally) -> dict[str, Any]:
    if not base.retry.samples:
        return {}
    return {
        "retry_success": compare(base.retry, trained.retry),
        "without_leaks": compare(base.without_leaks, trained.without_leaks),
        "fresh_try": compare(base.fresh, trained.fresh),
        "shuffled": _compared_where_any(base.shuffled, trained.shuffled),
        "plain_retry": _compared_where_any(base.plain, trained.plain),
        "generic_reflection": _compared_where_any(base.generic, trained.generic),
        "swapped_reflection": _compared_where_any(base.swapped, trained.swapped),
        "reflection_against_fresh": contrast(trained.retry, trained.fresh),
        "reflection_against_shuffled": _against_where_any(trained.unshuffled, trained.shuffled),
        "reflection_against_plain": _against_where_any(trained.paired["plain"], trained.plain),
        "reflection_against_generic": _against_where_any(trained.paired["generic"], trained.generic),
        "reflection_against_base": _against_where_any(trained.paired["swapped"], trained.swapped),
        "reflection_given_to_base": _against_where_any(base.swapped, base.paired["swapped"]),
        "reflections_base": base.reflections.means(),
        "reflections_trained": trained.reflections.means(),
    }


def _compared_where_any(base: Share, trained: Share) -> PairedComparison | None:
    return compare(base, trained) if base.samples and trained.samples else None


def _against_where_any(reflection: Share, control: Share) -> Contrast | None:
    return contrast(reflection, control) if control.samples else None


def metrics_of(result: EvaluationResult) -> dict[str, float]:
    """The figures that the termination message carries: gates are decided from them, and the status quotes them."""
    metrics = {
        "questions": float(result.second_try.questions),
        "samples": float(result.second_try.samples),
        "fixedFailures": float(result.fixed_failures),
        "tooLong": float(result.too_long),
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


def summary(result: EvaluationResult) -> str:
    """The result in a sentence."""
    return (
        f"{result.second_try.questions:,} held-out questions, {result.second_try.samples:,} answers of each model: "
        f"second try {_words(result.second_try)}, first try {_words(result.first_try)}"
    )


def note(result: EvaluationResult) -> str:
    """What a reader of the result should know although nothing failed."""
    parts = []
    if not result.fixed_failures:
        parts.append("the base model failed nowhere: there is nothing to retry, and the controls are absent")
    if result.too_long:
        parts.append(
            f"{result.too_long:,} second tries count as wrong because their conversation has no room in the model's context: "
            "lower spec.rollout.sampling.maxTokens, spec.training.reflectionMaxTokens or retryMaxTokens"
        )
    return "; ".join(parts)


def _words(row: PairedComparison) -> str:
    low, high = row.interval
    return f"{row.base:.3f} -> {row.trained:.3f} ({row.change:+.3f} [{low:+.3f}, {high:+.3f}])"
