"""Which questions are answered, and which are held out for evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reflection_api.reasons import Reason

from ..errors import BadData
from ..prompts import Question, held_out_split, load_questions
from ..sources.fetch import fetch_prompts

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig

    from ..verify.verifier import Verifier


class Questions(NamedTuple):
    """Both sides."""

    training: list[Question]
    """To sample answers to."""
    held_out: list[Question]
    """What evaluation asks: its faults should not wait until the training is done."""
    note: str
    """For people, where the limit could not be reached."""


def questions_of(config: StageConfig, prompts_file: Path, verifier: Verifier) -> Questions:
    """The questions of the task's file and of evaluation's own, if it has one.

    Raises:
        BadData: a prompts file is wrong, or nothing is left to train on.
    """
    task, own = config.task, config.evaluation.prompts
    questions = load_questions(prompts_file, task, verifier)
    note = _limit_note(task.prompts.limit, len(questions), prompts_file.name)
    if own is not None:
        file = fetch_prompts(own, "spec.evaluation.prompts", config.storage)
        return Questions(questions, load_questions(file, task, verifier, own), note)
    training, held_out = held_out_split(questions, task.prompts.seed)
    if not held_out:
        raise BadData(
            f"spec.task.prompts.uri: {prompts_file.name}: there is only one question, and a tenth is held out for evaluation; "
            "give at least two different questions, or set spec.evaluation.prompts",
            reason=Reason.DATASET_EMPTY,
        )
    return Questions(training, held_out, note)


def _limit_note(limit: int | None, rows: int, name: str) -> str:
    if limit is None or rows >= limit:
        return ""
    return f"spec.task.prompts.limit is {limit}, {name} has {rows} rows: all are used"
