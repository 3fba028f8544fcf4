"""A status stays under 10 kB, whatever pods and users put into it."""

from __future__ import annotations

from collections.abc import Callable

from reflection_api.status import ReflectionTrainingStatus

from .text import one_line

MAX_BYTES = 10_000
_BRIEF = 400
_SHORT = 120

_Shrink = Callable[[ReflectionTrainingStatus], ReflectionTrainingStatus]


def fitting(status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    """The status with its least important words cut until it fits.

    What is carried over from look to look is cut first, so that the next look finds nothing more to cut.
    """
    for shrink in (
        _attempts_in_short,
        _newest_attempt_only,
        _in_brief,
        _without_metrics,
        _without_notes,
        _without_attempts,
        _in_short,
    ):
        if len(status.to_json().encode()) <= MAX_BYTES:
            break
        status = shrink(status)
    return status


def _attempts_in_short(status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    attempts = [
        each.model_copy(update={"message": one_line(each.message, _SHORT)}) for each in status.attempts
    ]
    return status.model_copy(update={"attempts": attempts})


def _newest_attempt_only(status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    return status.model_copy(update={"attempts": status.attempts[-1:]})


def _without_attempts(status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    return status.model_copy(update={"attempts": []})


def _without_metrics(status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    return status.model_copy(update={"metrics": {}})


def _without_notes(status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    return status.model_copy(update={"notes": {}})


def _in_brief(status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    return _cut(status, _BRIEF)


def _in_short(status: ReflectionTrainingStatus) -> ReflectionTrainingStatus:
    return _cut(status, _SHORT)


def _cut(status: ReflectionTrainingStatus, limit: int) -> ReflectionTrainingStatus:
    conditions = [
        each.model_copy(update={"message": one_line(each.message, limit)}) for each in status.conditions
    ]
    verdict = status.verdict
    if verdict:
        verdict = verdict.model_copy(update={"message": one_line(verdict.message, limit)})
    return status.model_copy(update={"conditions": conditions, "verdict": verdict})
