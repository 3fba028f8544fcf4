"""The evaluate stage: base and trained model on held-out questions, and on questions of training where that is asked for.

The questions are cut into shards, and each model's answers to a shard are an artefact: an attempt that was stopped goes on
with the shard it was at. Memory holds one model, one shard of answers and counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from reflection_api.contract import StageResult
from reflection_api.evaluation import EvaluationResult
from reflection_api.layout import model_path
from reflection_api.manifests import Provenance
from reflection_api.reasons import Reason
from reflection_api.spec import AnyModelSpec, ModelSpec
from reflection_api.stages import Stage
from reflection_api.templates import TemplateProblem

from ..context import StageContext
from ..engines import Engine, open_engine
from ..engines.model import inspect_model
from ..errors import BadConfig, CorruptArtifact, StageFailure
from ..prompts import Question
from ..rollout.checks import check_templates
from ..rollout.room import room_needed
from ..rollout.shards import Shard
from ..sources.fetch import fetch_model
from ..verify.configured import task_verifier
from .candidate import Candidate, Failure
from .controls import SWAPPED, answers_with_controls
from .origin import answers_origin
from .part import BASE, COMPARED, CROSSED, SECOND, TRAINED, Part
from .question_sets import QuestionSet, question_sets
from .regression import Regression
from .result import build_result, metrics_of, note, on_train_prompts, summary, third_model
from .tally import Tally
from .transcripts import CrossedRetry, FirstAnswer, Transcript
from .work import Work

logger = logging.getLogger(__name__)

RESULT = "result.json"
_SECOND = 2
"""Answers to a failure: reflection and retry."""


def run(context: StageContext) -> StageResult:
    """Evaluate both models and write result.json."""
    trained_model = _trained_model(context)
    evaluation = Evaluation(context)
    asked = context.config.evaluation.regression
    regression = Regression(context, asked, evaluation.say) if asked else None
    try:
        base, *base_on_train = evaluation.answers(BASE, context.config.model)
        trained, *trained_on_train = evaluation.answers(TRAINED, trained_model, [base, *base_on_train])
        crossed = evaluation.crossed(base, trained) if SWAPPED in context.config.evaluation.controls else None
        third = context.config.evaluation.compare_model
        [compared] = evaluation.answers(COMPARED, _as_model(third), [base]) if third else [None]
    except TemplateProblem as problem:  # with some answer or reflection in it, which no check could foresee
        raise BadConfig(str(problem), reason=Reason.INVALID_TEMPLATE) from problem
    ks = context.config.evaluation.pass_at_k
    tallies = evaluation.tally(base, crossed), evaluation.tally(trained)
    result = build_result(*tallies, ks)
    update: dict[str, Any] = {}
    for parts in zip(base_on_train, trained_on_train, strict=True):
        update["on_train_prompts"] = on_train_prompts(*map(evaluation.tally, parts))
    if third and compared:
        update["compared"] = third_model(third.uri, evaluation.tally(compared), tallies[1])
    if regression:
        update["regression"] = regression.scores(context.config.model, trained_model)
    return _published(context, result.model_copy(update=update))


def _published(context: StageContext, result: EvaluationResult) -> StageResult:
    local = context.workdir / RESULT
    local.write_text(result.to_json(indent=2))
    figures = metrics_of(result)
    artifact = context.artifacts.put_file(
        local, context.path(Stage.EVALUATE, RESULT), kind="evaluation", metrics=figures
    )
    return StageResult(
        stage=Stage.EVALUATE,
        outcome="Succeeded",
        reason=Reason.COMPLETED.value,
        message=summary(result),
        note=note(result),
        metrics=figures,
        artifacts=[artifact],
    )


def _trained_model(context: StageContext) -> ModelSpec:
    """The model that this round trained.

    Raises:
        CorruptArtifact: it is not there.
    """
    path = model_path(context.config.round)
    if context.artifacts.manifest_of_folder(path) is None:
        raise CorruptArtifact(
            f"storage: {context.artifacts.store.uri(path)} holds no complete model: run the train stage"
        )
    return ModelSpec(
        uri=context.artifacts.store.uri(path), trust_remote_code=context.config.model.trust_remote_code
    )


def _as_model(third: AnyModelSpec) -> ModelSpec:
    return ModelSpec(uri=third.uri, revision=third.revision, trust_remote_code=third.trust_remote_code)


@contextmanager
def _named(who: str) -> Iterator[None]:
    """Where the third model cannot be used, its own field is named, not that of the base model."""
    try:
        yield
    except StageFailure as failure:
        if who == COMPARED:
            failure.message = failure.message.replace("spec.model.", "spec.evaluation.compareModel.")
        raise


class Evaluation:
    """The questions put to one model after the other."""

    def __init__(self, context: StageContext) -> None:
        self._context, self._config = context, context.config
        self._verifier = task_verifier(self._config.task)
        held_out, train = question_sets(self._config, self._verifier)
        self._sets = [held_out] if train is None else [held_out, train]
        self._questions = [question for asked in self._sets for question in asked.questions]
        check_templates(self._questions, self._config.task.templates)
        self._controls = frozenset(self._config.evaluation.controls)
        more = (SWAPPED in self._controls) + (self._config.evaluation.compare_model is not None)
        total = 2 * len(self._questions) + more * len(held_out.questions)
        self._work = Work(context.progress(unit="questions", total=total))

    def say(self, message: str) -> None:
        """Tell people what is going on beside the questions."""
        self._work.say(message)

    def answers(self, who: str, model: ModelSpec, base: Sequence[Part] = ()) -> list[Part]:
        """One model's answers, to the held-out questions first; without any that are missing, no engine is started.

        Args:
            who: BASE, TRAINED or COMPARED.
            model: the model.
            base: the base model's answers to the sets of questions that this one is put to, too, whose failures every model is
                tried on; nothing for the base model itself, which is put to all.
        """
        with _named(who):
            folder = fetch_model(model, self._context)
        failures: Sequence[Part | None] = base or [None] * len(self._sets)
        sets = self._sets[: len(failures)]
        parts = [
            Part(self._context, who, self._origin(model, folder, asked, fixed), asked.shards, asked.prefix)
            for asked, fixed in zip(sets, failures, strict=True)
        ]
        missing = [
            (part, shard, fixed)
            for part, fixed in zip(parts, failures, strict=True)
            for shard in part.shards
            if not part.has(shard)
        ]
        logger.info(
            "%s model: %d of %d shards to make", who, len(missing), sum(len(part.shards) for part in parts)
        )
        questions = sum(len(asked.questions) for asked in sets)
        self._work.skip(questions - sum(len(shard.questions) for _, shard, _ in missing))
        if missing:
            with _named(who), self._engine(who, model, folder) as engine:
                for part, shard, fixed in missing:
                    self._make(part, shard, engine, fixed)
        return parts

    def crossed(self, base: Part, trained: Part) -> Part:
        """The base model's retries after the trained model's reflections, for which it is loaded once more."""
        model = self._config.model
        folder = fetch_model(model, self._context)
        asked = self._sets[0]
        origin = self._origin(model, folder, asked, base)
        reflections = {"reflections": trained.digest(SECOND)}
        origin = origin.model_copy(update={"prompts": origin.prompts | reflections})
        part = Part(self._context, CROSSED, origin, asked.shards)
        missing = [shard for shard in part.shards if not part.has(shard)]
        self._work.skip(len(asked.questions) - sum(len(shard.questions) for shard in missing))
        if missing:
            with self._engine(BASE, model, folder) as engine:
                candidate = Candidate(engine, self._verifier, self._config, self._work.count)
                for shard in missing:
                    started, tokens = time.monotonic(), engine.throughput.tokens
                    rows = self._crossed_retries(shard, candidate, base, trained)
                    part.put_crossed(shard, rows, _took(engine, started, tokens))
        return part

    def tally(self, part: Part, crossed: Part | None = None) -> Tally:
        """The counts of one model's answers."""
        tally = Tally(own_are_fixed=part.who == BASE)
        for shard in part.shards:
            retries = crossed.crossed(shard) if crossed else ()
            tally.add(part.first_answers(shard), part.transcripts(shard), retries)
        return tally

    def _origin(self, model: ModelSpec, folder: Path, asked: QuestionSet, base: Part | None) -> Provenance:
        return answers_origin(
            self._config,
            self._verifier,
            model,
            model_dir=folder,
            asked=asked,
            fixed_failures=base.digest() if base else None,
        )

    @contextmanager
    def _engine(self, who: str, model: ModelSpec, folder: Path) -> Iterator[Engine]:
        self._work.say(f"loading the {who} model")
        rollout = self._config.rollout
        try:
            inspected = inspect_model(folder, uri=model.uri, trust_remote_code=model.trust_remote_code)
            engine = open_engine(
                rollout.engine,
                inspected,
                tensor_parallel_size=rollout.tensor_parallel_size,
                gpus=rollout.gpus_per_worker,
                max_model_len=room_needed(self._questions, inspected, self._config),
            )
        except BadConfig as problem:
            if who != COMPARED:
                raise
            words = problem.message.replace("spec.model.", "spec.evaluation.compareModel.")
            raise BadConfig(words, reason=problem.reason) from problem
        with closing(engine):
            yield engine

    def _make(self, part: Part, shard: Shard, engine: Engine, base: Part | None) -> None:
        started, tokens = time.monotonic(), engine.throughput.tokens
        candidate = Candidate(engine, self._verifier, self._config, self._work.count)
        if base is None:
            first, second = self._base_answers(shard, candidate)
        else:
            first, second = self._answers(
                shard, candidate, base, swapped=part.who == TRAINED and SWAPPED in self._controls
            )
        part.put(shard, first, second, _took(engine, started, tokens))

    def _base_answers(self, shard: Shard, candidate: Candidate) -> tuple[list[FirstAnswer], list[Transcript]]:
        """Every failure is one of the fixed set."""
        answers = len(shard.questions) * self._config.evaluation.attempts_per_prompt
        each = answers_with_controls(self._controls, swapped=False)
        self._work.begin(len(shard.questions), answers * (1 + each))
        first = candidate.first_answers(shard.questions)
        failures = _failures(shard.questions, first)
        self._work.count((answers - len(failures)) * each)
        return first, candidate.second_tries(failures, fixed=True)

    def _answers(
        self, shard: Shard, candidate: Candidate, base: Part, *, swapped: bool
    ) -> tuple[list[FirstAnswer], list[Transcript]]:
        """The own failures, for the second try, and the base model's, for the comparison on the same ones."""
        fixed = _failures(shard.questions, base.first_answers(shard))
        answers = len(shard.questions) * self._config.evaluation.attempts_per_prompt
        each = answers_with_controls(self._controls, swapped=swapped)
        self._work.begin(len(shard.questions), answers * (1 + _SECOND) + len(fixed) * each)
        first = candidate.first_answers(shard.questions)
        own = _failures(shard.questions, first)
        self._work.count((answers - len(own)) * _SECOND)
        others = _reflections_on(fixed, base.transcripts(shard)) if swapped else None
        on_fixed = candidate.second_tries(fixed, fixed=True, others=others)
        return first, on_fixed + candidate.second_tries(own, fixed=False)

    def _crossed_retries(
        self, shard: Shard, candidate: Candidate, base: Part, trained: Part
    ) -> list[CrossedRetry]:
        fixed = _failures(shard.questions, base.first_answers(shard))
        self._work.begin(len(shard.questions), len(fixed))
        others = _reflections_on(fixed, trained.transcripts(shard))
        retries = candidate.retries_after(fixed, others)
        return [
            CrossedRetry(
                question_id=failure.answer.question_id,
                question=failure.answer.question,
                attempt=failure.answer.attempt,
                reflection=reflection or "",
                retry=retry.text,
                retry_correct=retry.correct,
                retry_reason=retry.reason,
            )
            for failure, reflection, retry in zip(fixed, others, retries, strict=True)
        ]


def _took(engine: Engine, started: float, tokens: int) -> dict[str, float]:
    """What a shard took since then."""
    return {
        "seconds": round(time.monotonic() - started, 3),
        "tokens": engine.throughput.tokens - tokens,
    }


def _reflections_on(fixed: Sequence[Failure], rows: Sequence[Transcript]) -> list[str | None]:
    """A model's reflection on each of the fixed failures; None where there was no room for one."""
    found = {(row.question_id, row.attempt): row for row in rows if row.fixed}
    chosen = [found[failure.answer.question_id, failure.answer.attempt] for failure in fixed]
    return [row.reflection if row.reflection_tokens else None for row in chosen]


def _failures(questions: Sequence[Question], answers: Sequence[FirstAnswer]) -> list[Failure]:
    by_id = {question.id: question for question in questions}
    return [Failure(by_id[answer.question_id], answer) for answer in answers if not answer.correct]
