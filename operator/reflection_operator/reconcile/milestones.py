"""What there is to tell about the stages themselves: that one starts, and what it made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reflection_api.conditions import ConditionType
from reflection_api.reasons import EventReason
from reflection_api.resource import ReflectionTraining
from reflection_api.spec import ReflectionTrainingSpec
from reflection_api.stages import Stage
from reflection_api.status import Comparison, Cursor, ReflectionTrainingStatus

from .conditions import became_true
from .decision import EventRecord
from .text import many, number, sentence

STARTS = (
    EventReason.ROLLOUT_JOB_CREATED,
    EventReason.VERIFY_JOB_CREATED,
    EventReason.TRAINING_STARTED,
    EventReason.EVALUATION_JOB_CREATED,
    EventReason.REPORT_JOB_CREATED,
)
"""Not to be told where the Job could not be created."""


def started(
    resource: ReflectionTraining, old: ReflectionTrainingStatus, new: ReflectionTrainingStatus
) -> Iterator[EventRecord]:
    """That the first Job of a stage is created."""
    at, before = new.current, old.current
    if at is None or at.started_at is None:
        return
    if before and before.started_at and (before.round, before.stage) == (at.round, at.stage):
        return
    yield EventRecord("Normal", *_start(resource, at))


def _start(resource: ReflectionTraining, at: Cursor) -> tuple[EventReason, str]:
    reason, words = _START[at.stage](resource.spec)
    return (
        reason,
        words if at.stage is Stage.REPORT else f"round {at.round} of {resource.spec.rounds}: {words}",
    )


def _rollout(spec: ReflectionTrainingSpec) -> tuple[EventReason, str]:
    words = f"{many(spec.rollout.workers, 'worker')}, {many(spec.rollout.attempts_per_prompt, 'attempt')} per prompt"
    return EventReason.ROLLOUT_JOB_CREATED, words


def _verify(spec: ReflectionTrainingSpec) -> tuple[EventReason, str]:
    return EventReason.VERIFY_JOB_CREATED, f"verifier {spec.task.verifier.words}"


def _train(spec: ReflectionTrainingSpec) -> tuple[EventReason, str]:
    training = spec.training
    devices = many(training.gpus_per_node, "GPU") if training.gpus_per_node else "CPU"
    spread = "" if training.strategy == "ddp" else f", {training.strategy}"
    return (
        EventReason.TRAINING_STARTED,
        f"{many(training.nodes, 'node')} x {devices}{spread}, {many(training.max_steps, 'step')}",
    )


def _evaluate(spec: ReflectionTrainingSpec) -> tuple[EventReason, str]:
    words = f"{many(spec.evaluation.attempts_per_prompt, 'attempt')} per held-out prompt"
    return EventReason.EVALUATION_JOB_CREATED, words


def _report(_spec: ReflectionTrainingSpec) -> tuple[EventReason, str]:
    return EventReason.REPORT_JOB_CREATED, "the report is being written"


_START: dict[Stage, Callable[[ReflectionTrainingSpec], tuple[EventReason, str]]] = {
    Stage.ROLLOUT: _rollout,
    Stage.VERIFY: _verify,
    Stage.TRAIN: _train,
    Stage.EVALUATE: _evaluate,
    Stage.REPORT: _report,
}


def results(old: ReflectionTrainingStatus, new: ReflectionTrainingStatus) -> Iterator[EventRecord]:
    """What the stages made."""
    if became_true(ConditionType.ROLLOUTS_COMPLETE, old, new):
        answers = new.metrics.get("attempts")
        words = f"{number(answers)} answers" if answers is not None else "all shards are written"
        yield EventRecord("Normal", EventReason.ROLLOUTS_COMPLETE, sentence(words, _note(new, Stage.ROLLOUT)))
    if new.dataset and new.dataset != old.dataset:
        data = new.dataset
        share = f" ({data.failures / data.attempts:.0%})" if data.attempts else ""
        counts = f"{number(data.attempts)} attempts, {number(data.failures)} failures{share}"
        words = f"{sentence(counts, _note(new, Stage.VERIFY))} -> {data.uri}"
        yield EventRecord("Normal", EventReason.FAILURES_DATASET_WRITTEN, words)
    if new.checkpoint and new.checkpoint != old.checkpoint:
        words = f"step {new.checkpoint.step} -> {new.checkpoint.uri}"
        yield EventRecord("Normal", EventReason.CHECKPOINT_SAVED, words)
    if became_true(ConditionType.TRAINING_COMPLETE, old, new):
        yield EventRecord(
            "Normal", EventReason.TRAINING_COMPLETE, sentence("the model is written", _note(new, Stage.TRAIN))
        )
    if new.evaluation and new.evaluation != old.evaluation:
        words = sentence(
            _figures("second try", new.evaluation.second_try),
            _figures("first try", new.evaluation.first_try),
            _note(new, Stage.EVALUATE),
            new.evaluation.uri,
        )
        yield EventRecord("Normal", EventReason.EVALUATION_COMPLETE, words)
    if new.report_uri and new.report_uri != old.report_uri:
        yield EventRecord("Normal", EventReason.REPORT_WRITTEN, new.report_uri)


def _note(status: ReflectionTrainingStatus, stage: Stage) -> str:
    return status.notes.get(stage, "")


def _figures(label: str, figures: Comparison | None) -> str:
    if figures is None:
        return ""
    low, high = figures.interval
    return f"{label} {figures.base:.3f} -> {figures.trained:.3f} ({figures.change:+.3f} [{low:+.3f}, {high:+.3f}])"
