"""How base and trained model are compared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ..base import ApiModel
from ..rules import Rule, not_local, schema_rules
from .fields import FOLDER_URI, MAX_INT32
from .model import AnyModelSpec
from .task import PromptsSpec

Control = Literal["plainRetry", "genericReflection", "swappedReflection"]
"""Comparisons beside the fresh try and the shuffled reflections, which every evaluation makes."""


class GatesSpec(ApiModel):
    """What the trained model must reach on held-out prompts. Fractions; point estimates are compared."""

    min_gain: Annotated[float, Field(ge=-1, le=1)] | None = Field(
        None, description="Least gain of the cumulative second try, trained minus base, for example 0.02."
    )
    max_first_try_loss: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Largest loss on the first try, base minus trained, for example 0.01."
    )


class DefinitionsSpec(ApiModel):
    """A folder with definitions of tasks, as lm-eval's YAML files, and the data that they name by relative paths."""

    model_config = ConfigDict(json_schema_extra=schema_rules(not_local("uri", "pvc://")))

    uri: Annotated[str, Field(min_length=6, max_length=1024, pattern=FOLDER_URI)] = Field(
        description="pvc://claim/path, or file:///folder for `reflect run`. Definitions may bring Python code, which is run: "
        "only from whom you trust."
    )


class RegressionSpec(ApiModel):
    """Benchmarks that have nothing to do with the task: what has training cost the model elsewhere?"""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            Rule(
                rule="self.tasks.all(t, self.tasks.exists_one(other, other == t))",
                message="names a task twice: write each once",
                field_path=".tasks",
            ),
        )
    )

    tasks: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128)]], Field(min_length=1, max_length=32)
    ] = Field(
        description="Tasks or groups of lm-eval, for example hellaswag. Their data come from the Hugging Face Hub."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_INT32)] | None = Field(
        None, description="Examples of each task. Default: all."
    )
    definitions: DefinitionsSpec | None = Field(None, description="Tasks of your own beside lm-eval's.")


class EvaluationSpec(ApiModel):
    """How base and trained model are compared: first and second try, a fixed set of failures, and controls."""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            Rule(
                rule="!has(self.passAtK) || self.passAtK.all(k, k <= self.attemptsPerPrompt)",
                message="needs as many answers to each question as its largest k: raise attemptsPerPrompt, or lower it",
                field_path=".passAtK",
            ),
            Rule(
                rule="!has(self.passAtK) || self.passAtK.all(k, self.passAtK.exists_one(other, other == k))",
                message="names a k twice: write each once",
                field_path=".passAtK",
            ),
            Rule(
                rule="!has(self.controls) || self.controls.all(c, self.controls.exists_one(other, other == c))",
                message="names a control twice: write each once",
                field_path=".controls",
            ),
        )
    )

    prompts: PromptsSpec | None = Field(
        None,
        description="Held-out prompts. Default: a seeded tenth of the task's prompts, which are then left out of training.",
    )
    attempts_per_prompt: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="Answers of each model to each held-out question."
    )
    train_prompts: Annotated[int, Field(ge=1, le=MAX_INT32)] | None = Field(
        None,
        description="Questions of training, a seeded sample, that base and trained model are put to as well: what is better "
        "there alone was learnt by heart. Default: none.",
    )
    pass_at_k: Annotated[list[Annotated[int, Field(ge=2, le=64)]], Field(max_length=8)] = Field(
        default_factory=list,
        description="For each k: the chance that one of k answers to a question, at least, is right; up to attemptsPerPrompt. "
        "Estimated from all answers, for first and second tries.",
    )
    controls: Annotated[list[Control], Field(max_length=3)] = Field(
        default_factory=list,
        description="Controls beside the fresh try and the shuffled reflections, each a retry more for every failure. "
        "plainRetry: asked again without a reflection, with as many tokens as reflection and retry have together. "
        "genericReflection: after one general sentence, spec.evaluation.genericReflection. "
        "swappedReflection: each model after the other one's reflections; this loads the base model twice.",
    )
    generic_reflection: Annotated[str, Field(min_length=1, max_length=2048)] = Field(
        "My answer was wrong. I will read the question once more, take care at every step, "
        "and check the answer before I give it.",
        description="Sentence of the control genericReflection: what a reflection might say, and nothing about the failure.",
    )
    compare_model: AnyModelSpec | None = Field(
        None,
        description="A third model that the trained one is held against, usually a larger one: the same held-out questions, "
        "its own second tries, and its reflections on the base model's failures. A private hf:// repository is read with the "
        "token of model.credentialsSecret.",
    )
    regression: RegressionSpec | None = Field(
        None, description="Benchmarks of lm-eval that base and trained model are put to, too."
    )
    gates: GatesSpec = Field(
        default_factory=GatesSpec,
        description="A run that misses one ends with reason GateFailed, its artefacts kept.",
    )
