"""From the remains of the training processes to what the stage reports."""

from __future__ import annotations

from collections.abc import Sequence

from reflection_api.reasons import Reason
from reflection_api.stages import TOLD_TO_STOP

from ..errors import DependencyAway, StageFailure
from .launch import NOT_MET
from .order import Outcome

_SIGKILLED = 137
"""As a container runtime reports it: 128 + the signal."""


class Interrupted(StageFailure):
    """The training was asked to stop, and has saved what it had."""

    exit_code = TOLD_TO_STOP

    def __init__(self, step: int, total: int) -> None:
        super().__init__(
            f"stopped on request after step {step:,} of {total:,}, which is saved", reason=Reason.DISRUPTED
        )


class StoppedEarly(StageFailure):
    """The training was asked to stop before it had anything to save."""

    exit_code = TOLD_TO_STOP

    def __init__(self) -> None:
        super().__init__(
            "stopped on request before the first step of this attempt: there is nothing to save",
            reason=Reason.DISRUPTED,
        )


class Killed(StageFailure):
    """A training process ended without a word."""

    exit_code = _SIGKILLED


class Failed(StageFailure):
    """A training process said why it failed."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message, reason=Reason(outcome.reason))
        self.exit_code = outcome.exit_code


def conclude(
    outcomes: Sequence[Outcome], *, processes: int, exit_code: int, out_of_memory: bool, max_steps: int
) -> Outcome:
    """The outcome of this machine's training, where it is complete.

    Args:
        outcomes: what the processes left, the earliest first.
        processes: how many were started.
        exit_code: of accelerate's launcher.
        out_of_memory: whether the kernel killed a process of this container for memory meanwhile.
        max_steps: steps of the whole training.

    Raises:
        StageFailure: it failed, was killed, or was interrupted.
    """
    failed = next((outcome for outcome in outcomes if outcome.ended == "failed"), None)
    if failed is not None:
        raise Failed(failed)
    if exit_code == NOT_MET:
        raise DependencyAway(
            "the pods of the training did not all come together in time: do all of them run, and reach the first one?",
            reason=Reason.DEPENDENCY_UNAVAILABLE,
        )
    if len(outcomes) < processes or exit_code != 0:
        raise _killed(processes - len(outcomes), processes, exit_code, out_of_memory)
    interrupted = next((outcome for outcome in outcomes if outcome.ended == "interrupted"), None)
    if interrupted is not None:
        raise Interrupted(interrupted.step, max_steps)
    # Only the process that has prepared the failures has anything to say about them.
    return next((outcome for outcome in outcomes if outcome.note), outcomes[0])


def _killed(missing: int, processes: int, exit_code: int, out_of_memory: bool) -> Killed:
    who = f"{missing} of {processes} training processes" if processes > 1 else "the training process"
    if out_of_memory:
        return Killed(
            f"{who} was killed for memory; lower spec.training.microBatchSize or the token limits, or raise the memory limit "
            "in spec.pods.training",
            reason=Reason.OUT_OF_MEMORY,
        )
    return Killed(
        f"{who} ended without a word (exit code {exit_code} of the launcher): killed, or crashed outside Python; "
        "see the end of the log",
        reason=Reason.TRAINER_CRASHED,
    )
