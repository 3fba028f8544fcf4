"""The rows of an evaluation with their names. A figure that is added to the evaluation appears here by itself."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from reflection_api.evaluation import (
    Contrast,
    EvaluationResult,
    ModelContrast,
    Paired,
    PairedComparison,
    ThirdModel,
)

_NAMES = {
    "first_try": "first try",
    "second_try": "second try (cumulative)",
    "retry_success": "retry after reflection, fixed failures",
    "without_leaks": "the same, answers that the reflection gave away counted as wrong",
    "fresh_try": "control: fresh try instead",
    "shuffled": "control: reflection on another question",
    "plain_retry": "control: asked again, no reflection",
    "generic_reflection": "control: a general sentence",
    "swapped_reflection": "control: the other model's reflection",
    "reflection_against_fresh": "a fresh try",
    "reflection_against_shuffled": "reflections on other questions",
    "reflection_against_plain": "being asked again with as many tokens",
    "reflection_against_generic": "a general sentence",
    "reflection_against_base": "the base model's reflections",
}
"""Short names; a field without one goes by its description."""
_SMALLEST = 0.001
"""Below it the digits say nothing."""
_Figure = TypeVar("_Figure", PairedComparison, Contrast)


class Named(NamedTuple):
    """A comparison of base and trained model with its name."""

    name: str
    figures: PairedComparison


class Against(NamedTuple):
    """The trained model's reflections against a control, with the control's name."""

    name: str
    figures: Contrast


def comparisons(result: EvaluationResult) -> list[Named]:
    """Every comparison of base and trained model that was made, in order."""
    named = [Named(name, figures) for name, figures in _named(result, PairedComparison)]
    for row in result.pass_at_k:
        named.append(Named(f"first try, pass@{row.k}", row.first_try))
        named.append(Named(f"second try, pass@{row.k}", row.second_try))
    if (train := result.on_train_prompts) is not None:
        named += [
            Named(f"{_NAMES[name]}, training's questions", figures)
            for name in ("first_try", "second_try", "retry_success")
            if (figures := getattr(train, name)) is not None
        ]
    return named


def contrasts(result: EvaluationResult) -> list[Against]:
    """Every control that the trained model's reflections were held against, in order; the trained model retries."""
    given = result.reflection_given_to_base
    return [Against(name, figures) for name, figures in _named(result, Contrast) if figures is not given]


def whose_part(result: EvaluationResult) -> list[Against]:
    """Both models' reflections on the same failures, by the model that retries after both: whose part was the gain?"""
    rows = (
        ("the base model retries", result.reflection_given_to_base),
        ("the trained model retries", result.reflection_against_base),
    )
    return [Against(name, figures) for name, figures in rows if figures is not None]


def against_third(third: ThirdModel) -> list[tuple[str, ModelContrast]]:
    """What the trained model and a third one were put to, with names, in order."""
    found = [(name, getattr(third, name)) for name in ("first_try", "second_try", "retry_success")]
    return [(_NAMES[name], figures) for name, figures in found if figures is not None]


def p_words(row: Paired) -> str:
    """`p = 0.031` or `p < 0.001`; empty where there was no test."""
    if row.p_value is None:
        return ""
    return f"p < {_SMALLEST}" if row.p_value < _SMALLEST else f"p = {row.p_value:.3f}"


def _named(result: EvaluationResult, kind: type[_Figure]) -> list[tuple[str, _Figure]]:
    found = []
    for name, field in EvaluationResult.model_fields.items():
        value = getattr(result, name)
        if isinstance(value, kind):
            found.append((_NAMES.get(name) or _described(field.description or name), value))
    return found


def _described(description: str) -> str:
    """`Trained: its reflections against X.` as `its reflections against X`; `Control: X.` as `control: X`."""
    text = description.removeprefix("Trained: ").removesuffix(".")
    return text[:1].lower() + text[1:]
