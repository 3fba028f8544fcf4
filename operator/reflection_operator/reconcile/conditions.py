"""The conditions of a run. All of them are written every time, so that the first status already says everything.

kstatus reads them: exactly one of Ready=True, Reconciling=True and Stalled=True holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from reflection_api.conditions import Condition, ConditionType
from reflection_api.reasons import Reason
from reflection_api.stages import Stage
from reflection_api.status import Cursor, ReflectionTrainingStatus, Verdict

from .cursor import passed
from .observed import Observed
from .situation import Situation

_STAGES = {
    ConditionType.ROLLOUTS_COMPLETE: Stage.ROLLOUT,
    ConditionType.FAILURES_VERIFIED: Stage.VERIFY,
    ConditionType.TRAINING_COMPLETE: Stage.TRAIN,
    ConditionType.EVALUATION_COMPLETE: Stage.EVALUATE,
}
_ORDER = list(Stage)
_FOR_KSTATUS = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)

Truth = Literal["True", "False", "Unknown"]


class Wanted(NamedTuple):
    """What a condition is to say."""

    type: ConditionType
    status: Truth
    reason: str
    message: str


def going_on(
    run: Observed, status: ReflectionTrainingStatus, cursor: Cursor, now: Situation
) -> list[Condition]:
    """The conditions of a run that goes on."""
    return _merged(run, status, [*_situation(now), *_stages(status, cursor, _round(run, cursor))])


def at_the_end(
    run: Observed, status: ReflectionTrainingStatus, cursor: Cursor, verdict: Verdict
) -> list[Condition]:
    """The conditions of a run that has ended."""
    return _merged(run, status, [*_end(verdict), *_stages(status, cursor, _round(run, cursor))])


def replaced(
    conditions: Sequence[Condition], generation: int, now: datetime, *wanted: Wanted
) -> list[Condition]:
    """The conditions with others in the place of those that kstatus reads; all else that was observed stays."""
    kept = [each for each in conditions if each.type not in _FOR_KSTATUS]
    return [*(_condition(conditions, each, generation, now) for each in wanted), *kept]


def completed(
    status: ReflectionTrainingStatus, cursor: Cursor, generation: int, now: datetime
) -> list[Condition]:
    """The conditions with those that are missing, as a run has them that has not ended; the spec need not be understood."""
    defaults = (*_going_on(), *_stages(status, cursor, f"round {cursor.round}"))
    there = {each.type for each in status.conditions}
    missing = [each for each in defaults if each.type not in there]
    return [*status.conditions, *(_condition((), each, generation, now) for each in missing)]


def condition(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of a type."""
    return next((each for each in conditions if each.type == kind), None)


def is_true(conditions: Iterable[Condition], kind: ConditionType) -> bool:
    """Whether a condition holds."""
    found = condition(conditions, kind)
    return found is not None and found.status == "True"


def became_true(kind: ConditionType, old: ReflectionTrainingStatus, new: ReflectionTrainingStatus) -> bool:
    """Whether a condition holds now and did not before."""
    return is_true(new.conditions, kind) and not is_true(old.conditions, kind)


def has_ended(conditions: Iterable[Condition]) -> bool:
    """Whether Succeeded has become True or False, which is for good."""
    found = condition(conditions, ConditionType.SUCCEEDED)
    return found is not None and found.status != "Unknown"


def stage_told(conditions: Iterable[Condition]) -> Stage | None:
    """The stage at which the conditions of the stages were written; None where they do not tell."""
    listed = list(conditions)
    found = [condition(listed, kind) for kind in _STAGES]
    if any(each is not None and each.reason == Reason.NO_FAILURES for each in found):
        return Stage.REPORT
    done = [each is not None and each.status == "True" for each in found]
    told = None not in found and done == sorted(done, reverse=True)
    return _ORDER[sum(done)] if told else None


def observed_again(conditions: Sequence[Condition], generation: int) -> list[Condition]:
    """The conditions of a run that has ended, for a newer spec: nothing that can still be changed alters them."""
    return [each.model_copy(update={"observed_generation": generation}) for each in conditions]


def _situation(now: Situation) -> Iterator[Wanted]:
    yield Wanted(ConditionType.READY, _truth(now.ready), now.reason, now.message)
    if not now.ready:
        kind = ConditionType.STALLED if now.stalled else ConditionType.RECONCILING
        yield Wanted(kind, "True", now.reason, now.message)
    for each, holds in zip(_going_on(), (False, now.suspended, now.queued), strict=True):
        yield each._replace(status="True", reason=now.reason) if holds else each


def _going_on() -> tuple[Wanted, Wanted, Wanted]:
    """What is so of a run that goes on, unless it is suspended or queued."""
    return (
        Wanted(ConditionType.SUCCEEDED, "Unknown", Reason.PROGRESSING, "the run has not ended"),
        Wanted(ConditionType.SUSPENDED, "False", Reason.PROGRESSING, ""),
        Wanted(ConditionType.QUEUED, "False", Reason.PROGRESSING, ""),
    )


def _end(verdict: Verdict) -> Iterator[Wanted]:
    yield Wanted(ConditionType.READY, _truth(verdict.succeeded), verdict.reason, verdict.message)
    if not verdict.succeeded:
        yield Wanted(ConditionType.STALLED, "True", verdict.reason, verdict.message)
    yield Wanted(ConditionType.SUCCEEDED, _truth(verdict.succeeded), verdict.reason, verdict.message)
    yield Wanted(ConditionType.SUSPENDED, "False", verdict.reason, "")
    yield Wanted(ConditionType.QUEUED, "False", verdict.reason, "")


def _round(run: Observed, cursor: Cursor) -> str:
    return f"round {cursor.round} of {run.resource.spec.rounds}"


def _stages(status: ReflectionTrainingStatus, cursor: Cursor, round_words: str) -> Iterator[Wanted]:
    for kind, stage in _STAGES.items():
        done, reason = _stage(stage, cursor, status.verdict)
        yield Wanted(kind, _truth(done), reason, round_words)
    checkpoint = status.checkpoint
    words = f"step {checkpoint.step}: {checkpoint.uri}" if checkpoint else "no checkpoint is complete yet"
    reason = Reason.CHECKPOINT_SAVED if checkpoint else Reason.PENDING
    yield Wanted(ConditionType.CHECKPOINT_AVAILABLE, _truth(checkpoint is not None), reason, words)


def _stage(stage: Stage, cursor: Cursor, verdict: Verdict | None) -> tuple[bool, str]:
    """Whether a stage of the current round is complete, and why or why not."""
    if verdict and verdict.reason == Reason.NO_FAILURES and stage in (Stage.TRAIN, Stage.EVALUATE):
        return False, verdict.reason
    if _ORDER.index(cursor.stage) > _ORDER.index(stage):
        return True, Reason.COMPLETED
    if verdict:
        return False, verdict.reason
    return False, Reason.PROGRESSING if cursor.stage is stage else Reason.PENDING


def _merged(run: Observed, status: ReflectionTrainingStatus, wanted: Iterable[Wanted]) -> list[Condition]:
    return [_condition(status.conditions, each, run.resource.metadata.generation, run.now) for each in wanted]


def _condition(before: Iterable[Condition], wanted: Wanted, generation: int, now: datetime) -> Condition:
    """A condition whose transition time moves only with its status."""
    old = condition(before, wanted.type)
    unchanged = old is not None and old.status == wanted.status
    return Condition(
        type=wanted.type,
        status=wanted.status,
        reason=wanted.reason,
        message=wanted.message,
        last_transition_time=passed(old.last_transition_time, now) if old and unchanged else now,
        observed_generation=generation,
    )


def _truth(value: bool) -> Truth:
    return "True" if value else "False"
