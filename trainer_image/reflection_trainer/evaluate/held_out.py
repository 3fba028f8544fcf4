"""Which questions the models are compared on: those that training never saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reflection_api.spec import PromptsSpec

from ..prompts import Question, held_out_split, load_questions
from ..sources.fetch import fetch_prompts

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig

    from ..verify.verifier import Verifier


def held_out_prompts(config: StageConfig) -> PromptsSpec:
    """The file that the questions come from: evaluation's own, else the task's."""
    return config.evaluation.prompts or config.task.prompts


def held_out_questions(config: StageConfig, verifier: Verifier) -> tuple[list[Question], Path]:
    """The held-out questions and the file they stand in.

    All questions of `spec.evaluation.prompts`; without it the side of the seeded split that the rollout leaves out.

    Raises:
        StageFailure: the file is missing, or a row is wrong.
    """
    task, own = config.task, config.evaluation.prompts
    if own is not None:
        file = fetch_prompts(own, "spec.evaluation.prompts", config.storage)
        return load_questions(file, task, verifier, own), file
    file = fetch_prompts(task.prompts, "spec.task.prompts", config.storage)
    return held_out_split(load_questions(file, task, verifier), task.prompts.seed)[1], file
