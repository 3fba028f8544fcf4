"""What a model's answers to some questions were made from: answers of another origin are refused, never mixed in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reflection_api.manifests import Provenance
from reflection_api.spec import ModelSpec

from ..provenance import dataset_provenance
from .controls import GENERIC, tokens_without_reflection
from .question_sets import QuestionSet

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig

    from ..verify.verifier import Verifier


def answers_origin(
    config: StageConfig,
    verifier: Verifier,
    model: ModelSpec,
    *,
    model_dir: Path,
    asked: QuestionSet,
    fixed_failures: str | None,
) -> Provenance:
    """The origin of one model's answers.

    Args:
        config: the stage's.
        verifier: judges the answers.
        model: whose answers they are.
        model_dir: the model's files.
        asked: the questions.
        fixed_failures: hash of the failures that the model is tried on; None where they are its own.
    """
    task = config.task.model_copy(update={"prompts": asked.prompts})
    settings = config.model_copy(update={"policy": model, "task": task})
    origin = dataset_provenance(settings, verifier, model_dir=model_dir, prompts_file=asked.file)
    fixed = {} if fixed_failures is None else {"fixedFailures": fixed_failures}
    prompts = origin.prompts | asked.origin | fixed
    return origin.model_copy(update={"prompts": prompts, "sampling": origin.sampling | _sampling(config)})


def _sampling(config: StageConfig) -> dict[str, Any]:
    training = config.training
    asked = config.evaluation.controls
    controls: dict[str, Any] = {"controls": sorted(asked)} if asked else {}
    if GENERIC in asked:
        controls["genericReflection"] = config.evaluation.generic_reflection
    return controls | {
        "attemptsPerPrompt": config.evaluation.attempts_per_prompt,
        "reflectionTemperature": training.method.temperature,
        "reflectionMaxTokens": training.reflection_max_tokens,
        "retryMaxTokens": training.retry_max_tokens,
        "freshMaxTokens": tokens_without_reflection(config),
    }
