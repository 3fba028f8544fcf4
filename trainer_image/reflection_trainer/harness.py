"""Runs a stage: reads its configuration, and turns whatever happens into an exit code and a termination message."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from reflection_api.contract import (
    MAX_TERMINATION_MESSAGE,
    TERMINATION_LOG_VARIABLE,
    StageConfig,
    StageResult,
)
from reflection_api.reasons import CRASHED, Reason
from reflection_api.stages import ExitCode, Stage

from .context import StageContext
from .errors import BadConfig, StageFailure, is_out_of_memory, out_of_memory_words, scratch_full

logger = logging.getLogger(__name__)

StageFunction = Callable[[StageContext], StageResult]

_MEMORY_REMEDY = (
    "raise the memory limit in spec.pods (without a cluster: free memory), or lower the token limits"
)


def load_config(path: Path, stage: Stage) -> StageConfig:
    """The StageConfig in a file.

    Raises:
        BadConfig: it is missing, malformed, or made for another stage.
    """
    try:
        config = StageConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadConfig(f"--config {path}: {error.strerror}", reason=Reason.INVALID_SPEC) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadConfig(
            f"--config {path}: {where}: {first['msg']}; it must be a StageConfig of this version",
            reason=Reason.INVALID_SPEC,
        ) from error
    if config.stage is not stage:
        raise BadConfig(
            f"--config {path}: is made for {config.stage}, not {stage}", reason=Reason.INVALID_SPEC
        )
    return config


def run_stage(stage: Stage, config_path: Path, function: StageFunction) -> int:
    """Run a stage to its end and return its exit code. Nothing escapes but SystemExit and KeyboardInterrupt."""
    try:
        result = function(StageContext.create(load_config(config_path, stage)))
        code = int(ExitCode.DONE)
    except StageFailure as failure:
        result, code = _explained(stage, failure)
    except Exception as error:  # noqa: BLE001 - whatever it is, the stage must say that it crashed
        result, code = _crashed(stage, error)
    write_result(result)
    return code


def write_result(result: StageResult) -> None:
    """Leave the result where the kubelet (or the local runner) reads it; without such a place it goes to the log."""
    target = os.environ.get(TERMINATION_LOG_VARIABLE, "/dev/termination-log")
    # JSON has no word for what is no number, and one such figure must not cost the whole message.
    figures = {name: value for name, value in result.metrics.items() if math.isfinite(value)}
    text = _bounded(result.model_copy(update={"metrics": figures}))
    with contextlib.suppress(OSError):
        Path(target).write_text(text)
    logger.info("%s", text)


def _explained(stage: Stage, failure: StageFailure) -> tuple[StageResult, int]:
    print(f"error: {failure.message}", file=sys.stderr, flush=True)
    result = _failed(stage, failure.reason, failure.message)
    return result.model_copy(update={"audit": failure.audit}), int(failure.exit_code)


def _crashed(stage: Stage, error: Exception) -> tuple[StageResult, int]:
    """What the machine lacks is named like any other failure; all else is a defect of ours."""
    if is_out_of_memory(error):
        words = f"{out_of_memory_words(error)}; {_MEMORY_REMEDY}"
        return _explained(stage, StageFailure(words, reason=Reason.OUT_OF_MEMORY))
    if failure := scratch_full(error):
        return _explained(stage, failure)
    traceback.print_exc()
    return _failed(stage, CRASHED[stage], f"{type(error).__name__}: {error}"), 1


def _failed(stage: Stage, reason: Reason, message: str) -> StageResult:
    return StageResult(stage=stage, outcome="Failed", reason=reason.value, message=message[:1024])


def _bounded(result: StageResult) -> str:
    """The JSON in at most 4 KiB: the artefacts go first, then most words, never the outcome."""
    text = result.to_json()
    if len(text.encode()) <= MAX_TERMINATION_MESSAGE:
        return text
    text = result.model_copy(update={"artifacts": []}).to_json()
    if len(text.encode()) <= MAX_TERMINATION_MESSAGE:
        return text
    return result.model_copy(
        update={"artifacts": [], "message": result.message[:200], "note": result.note[:200]}
    ).to_json()
