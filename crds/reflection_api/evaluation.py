"""`evaluate/result.json`: what status, report and demo quote."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import ApiModel
from .status import Comparison


class Paired(ApiModel):
    """What a figure has where both sides answered the same questions."""

    p_value: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Two-sided p-value of a sign-flip test over the differences of the questions. Absent where both sides did "
        "not see the same questions, or fewer than two of them differ.",
    )


class PairedComparison(Comparison, Paired):
    """The same with its test."""


class Contrast(Paired):
    """One model's retry success with the trained model's reflections against a control, on the same failures. Fractions."""

    reflection: float = Field(
        description="Retry success after the trained model's reflection on this failure."
    )
    control: float = Field(description="Success of the control.")
    difference: float = Field(description="Reflection minus control.")
    interval: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        description="95% interval of the difference, paired and clustered by question."
    )
    questions: int
    samples: int


class ReflectionStatistics(ApiModel):
    """What one model's reflections on the fixed failures look like."""

    tokens: float = Field(description="Mean length in tokens.")
    truncated: float = Field(description="Share cut off at the token limit.")
    leaks: float = Field(description="Share in which the retry's answer already stands.")
    other_script: float | None = Field(
        None,
        description="Share with letters of a script that the question has none of: a change of language.",
    )


class PassAtK(ApiModel):
    """The chance that one of k answers to a question, at least, is right: a mean over the questions, each of equal weight."""

    k: int
    first_try: PairedComparison
    second_try: PairedComparison = Field(
        description="Of tries with a reflection on the own failure (cumulative)."
    )


class ModelContrast(Paired):
    """The trained model against a third one. Fractions."""

    other: float
    trained: float
    difference: float = Field(description="Trained minus other.")
    interval: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        description="95% interval of the difference, paired and clustered by question."
    )
    questions: int
    samples: int


class ThirdModel(ApiModel):
    """What the model of spec.evaluation.compareModel does on the same questions."""

    uri: str
    first_try: ModelContrast
    second_try: ModelContrast = Field(description="Right at once or after one reflection on the own failure.")
    retry_success: ModelContrast | None = Field(
        None, description="Right after a reflection of its own, on the fixed failures."
    )
    reflections: ReflectionStatistics | None = None


class RegressionScore(ApiModel):
    """One figure of a benchmark of spec.evaluation.regression."""

    task: str
    metric: str
    base: float
    trained: float
    change: float = Field(description="Trained minus base.")
    interval: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="95% interval of the change from both standard errors, where lm-eval gives them."
    )
    samples: int
    higher_is_better: bool


class OnTrainPrompts(ApiModel):
    """Base and trained model on questions of training, where answers may have been learnt by heart."""

    first_try: PairedComparison
    second_try: PairedComparison = Field(
        description="Right at once or after one reflection on the own failure."
    )
    retry_success: PairedComparison | None = Field(
        None, description="Right after a reflection, on the base model's failures there."
    )


class EvaluationResult(ApiModel):
    """Base and trained model on held-out questions. Every comparison is trained minus base."""

    first_try: PairedComparison = Field(description="Right at once.")
    second_try: PairedComparison = Field(
        description="Right at once or after one reflection on the own failure (cumulative)."
    )
    pass_at_k: list[PassAtK] = Field(
        default_factory=list, description="For each k of spec.evaluation.passAtK."
    )
    on_train_prompts: OnTrainPrompts | None = Field(
        None, description="The same on questions of training, where spec.evaluation.trainPrompts asks for it."
    )
    retry_success: PairedComparison | None = Field(
        None, description="Right after a reflection, on the fixed failures."
    )
    without_leaks: PairedComparison | None = Field(
        None,
        description="The same where a retry whose answer already stands in the reflection counts as wrong: "
        "the reflection has to help, not to answer.",
    )
    fresh_try: PairedComparison | None = Field(
        None,
        description="Control: a new answer to the fixed failures' questions, with as many tokens as reflection and retry have "
        "together.",
    )
    shuffled: PairedComparison | None = Field(
        None, description="Control: retry after a reflection that was written for another question."
    )
    plain_retry: PairedComparison | None = Field(
        None,
        description="Control: asked again without a reflection, with as many tokens as reflection and retry have together.",
    )
    generic_reflection: PairedComparison | None = Field(
        None, description="Control: retry after one general sentence in the reflection's place."
    )
    swapped_reflection: PairedComparison | None = Field(
        None, description="Control: retry of each model after the other model's reflection."
    )
    reflection_against_fresh: Contrast | None = Field(
        None, description="Trained: its reflections against a fresh try."
    )
    reflection_against_shuffled: Contrast | None = Field(
        None, description="Trained: its reflections against the same ones shuffled between questions."
    )
    reflection_against_plain: Contrast | None = Field(
        None, description="Trained: its reflections against being asked again with as many tokens."
    )
    reflection_against_generic: Contrast | None = Field(
        None, description="Trained: its reflections against one general sentence."
    )
    reflection_against_base: Contrast | None = Field(
        None, description="Trained: its reflections against the base model's, with its own retry after both."
    )
    reflection_given_to_base: Contrast | None = Field(
        None,
        description="The trained model's reflections against the base model's; the base model retries after both.",
    )
    compared: ThirdModel | None = Field(None, description="The third model, where one was asked for.")
    regression: list[RegressionScore] = Field(
        default_factory=list, description="Benchmarks of lm-eval, where they were asked for."
    )
    reflections_base: ReflectionStatistics | None = None
    reflections_trained: ReflectionStatistics | None = None
    fixed_failures: int = Field(description="Wrong first answers of the base model: the fixed set.")
    too_long: int = Field(
        0,
        description="Second tries of both models whose conversation has no room in the model's context: they count as wrong.",
    )
    error_classes_base: dict[str, int] = Field(
        default_factory=dict, description="First answers by the verifier's reason."
    )
    error_classes_trained: dict[str, int] = Field(
        default_factory=dict, description="First answers by the verifier's reason."
    )
