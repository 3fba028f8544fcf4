"""The stages of a run, in order, and the exit codes that they speak."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Stage(StrEnum):
    """What one Job does. A round is rollout to evaluate; a run ends with one report.

    The clean-up is no part of a run: it comes when the resource is deleted and its artefacts are to go with it.
    """

    ROLLOUT = "rollout"
    VERIFY = "verify"
    TRAIN = "train"
    EVALUATE = "evaluate"
    REPORT = "report"
    CLEANUP = "cleanup"


ROUND_STAGES = (Stage.ROLLOUT, Stage.VERIFY, Stage.TRAIN, Stage.EVALUATE)
RUN_STAGES = (*ROUND_STAGES, Stage.REPORT)


class ExitCode(IntEnum):
    """Exit codes of a stage, from sysexits. Final ones are never retried; anything not listed here is."""

    DONE = 0
    BAD_DATA = 65
    CHECK_FAILED = 70
    """A check of our own failed: going on would give a wrong result."""
    DEPENDENCY_AWAY = 75
    """Something the stage needs did not answer: retried after a longer wait."""
    BAD_CONFIG = 78


TOLD_TO_STOP = 143
"""Exit code of a stage that was told to stop: 128 and the number of SIGTERM, as a container runtime says it."""

FINAL_EXIT_CODES = (ExitCode.BAD_DATA, ExitCode.CHECK_FAILED, ExitCode.BAD_CONFIG)
