"""Which questions the models are put to: those that training never saw, and some that it did where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reflection_api.spec import PromptsSpec

from ..prompts import Question, held_out_split, load_questions
from ..prompts.split import sampled_rows
from ..rollout.shards import Shard, plan_shards
from ..seeds import derived_seed
from ..sources.fetch import fetch_prompts

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig

    from ..verify.verifier import Verifier


@dataclass(frozen=True)
class QuestionSet:
    """Questions that the models are put to, and where they come from."""

    questions: list[Question]
    file: Path
    prompts: PromptsSpec
    """The field of the resource that names the file."""
    shards: list[Shard]
    prefix: str = ""
    """Of the names of the files with answers to them."""
    sampled: int | None = None
    """How many of the questions were to be drawn; None where it is all of them."""

    @property
    def origin(self) -> dict[str, Any]:
        """What answers depend on, beside file and prompts."""
        return {} if self.sampled is None else {"trainPrompts": self.sampled}


def question_sets(config: StageConfig, verifier: Verifier) -> tuple[QuestionSet, QuestionSet | None]:
    """The held-out questions, and the sample of those of training where one is asked for.

    Held out are all questions of `spec.evaluation.prompts`; without it that side of the seeded split which is not trained on.

    Raises:
        StageFailure: a file is missing, or a row is wrong.
    """
    task, own, sample = config.task, config.evaluation.prompts, config.evaluation.train_prompts
    training: list[Question] = []
    task_file = None
    if own is None or sample is not None:
        task_file = fetch_prompts(task.prompts, "spec.task.prompts", config.storage)
        training = load_questions(task_file, task, verifier)
    if own is None:
        assert task_file is not None
        training, rest = held_out_split(training, task.prompts.seed)
        held_out = _asked(config, rest, task_file, task.prompts)
    else:
        file = fetch_prompts(own, "spec.evaluation.prompts", config.storage)
        held_out = _asked(config, load_questions(file, task, verifier, own), file, own)
    if sample is None or task_file is None:
        return held_out, None
    chosen = sampled_rows(len(training), sample, derived_seed(task.prompts.seed, "evaluate", "train prompts"))
    drawn = [question for index, question in enumerate(training) if chosen is None or index in chosen]
    return held_out, _asked(config, drawn, task_file, task.prompts, sample)


def _asked(
    config: StageConfig,
    questions: list[Question],
    file: Path,
    prompts: PromptsSpec,
    sampled: int | None = None,
) -> QuestionSet:
    shards = plan_shards(questions, config.evaluation.attempts_per_prompt, workers=1)
    return QuestionSet(questions, file, prompts, shards, "" if sampled is None else "train-", sampled)
