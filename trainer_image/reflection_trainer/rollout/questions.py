"""Which questions are answered: all but those held out for evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reflection_api.reasons import Reason

from ..errors import BadData
from ..prompts import Question, held_out_split, load_questions
from ..sources.fetch import fetch_prompts

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig

    from ..verify.verifier import Verifier


def training_questions(
    config: StageConfig, prompts_file: Path, verifier: Verifier
) -> tuple[list[Question], str]:
    """The questions to sample answers to, and a note for people where the limit could not be reached.

    Evaluation's own prompts file is read too, if there is one: its faults should not wait until the training is done.

    Raises:
        BadData: a prompts file is wrong, or nothing is left to train on.
    """
    task, own = config.task, config.evaluation.prompts
    questions = load_questions(prompts_file, task, verifier)
    note = _limit_note(task.prompts.limit, len(questions), prompts_file.name)
    if own is not None:
        load_questions(fetch_prompts(own, "spec.evaluation.prompts", config.storage), task, verifier, own)
        return questions, note
    training, held_out = held_out_split(questions, task.prompts.seed)
    if not held_out:
        raise BadData(
            f"{prompts_file.name}: there is only one question, and a tenth is held out for evaluation; "
            "give at least two different questions, or set spec.evaluation.prompts",
            reason=Reason.DATASET_EMPTY,
        )
    return training, note


def _limit_note(limit: int | None, rows: int, name: str) -> str:
    if limit is None or rows >= limit:
        return ""
    return f"spec.task.prompts.limit is {limit}, {name} has {rows} rows: all are used"
