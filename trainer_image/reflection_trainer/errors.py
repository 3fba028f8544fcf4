"""Failures that a stage can name: each has a reason of the closed vocabulary and an exit code.

Whatever else is raised is a defect of ours: the harness logs its traceback and reports the stage as crashed.
"""

from __future__ import annotations

import errno
import re

from reflection_api.reasons import Reason
from reflection_api.stages import ExitCode
from reflection_api.status import AuditStatus

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""How the system says that there is no room for a file."""
_NO_SPACE_WORDS = re.compile(
    rf"\(os error ({'|'.join(map(str, NO_SPACE))})\)|PytorchStreamWriter failed writing|unexpected pos \d+ vs \d+"
)
"""The same from safetensors and from torch, whose errors are not the system's."""


class StageFailure(Exception):
    """A failure with one clear sentence: what, where, which value, what to do."""

    exit_code: ExitCode | int = 1

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.audit: AuditStatus | None = None
        """Of the verifier, where that is what failed."""


class BadConfig(StageFailure):
    """The resource asks for something that cannot work. Never retried."""

    exit_code = ExitCode.BAD_CONFIG


class BadData(StageFailure):
    """The input data are wrong. Never retried."""

    exit_code = ExitCode.BAD_DATA


class DependencyAway(StageFailure):
    """Something the stage needs did not answer or is full. Retried after a longer wait."""

    exit_code = ExitCode.DEPENDENCY_AWAY


class CorruptArtifact(StageFailure):
    """An artefact in storage does not match its manifest. Never used, never overwritten silently."""

    exit_code = ExitCode.BAD_DATA

    def __init__(self, message: str) -> None:
        super().__init__(message, reason=Reason.ARTIFACT_CORRUPT)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory could not be had: Python's own, or PyTorch's on a GPU or on the host."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "DefaultCPUAllocator" in str(error)


def scratch_full(error: BaseException) -> DependencyAway | None:
    """The failure that an error is where there was no room for a file outside storage, whose own say so themselves."""
    where, words = "", first_line(error)
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        where, words = f" for {error.filename}" if error.filename else "", error.strerror or words
    elif not _NO_SPACE_WORDS.search(str(error)):
        return None
    return DependencyAway(
        f"there is no room{where} on this machine or in this pod: {words}; free space below $REFLECT_WORKDIR, or raise "
        "ephemeral-storage in spec.pods",
        reason=Reason.STORAGE_FULL,
    )


def out_of_memory_words(error: BaseException) -> str:
    """What an error of memory says; Python's own says nothing."""
    return first_line(error) if str(error) else "the process ran out of memory"


def first_line(error: BaseException) -> str:
    """The first line of an error's text; its kind where it has none, and before the mere name that a KeyError is."""
    kind = type(error).__name__
    line = next(iter(str(error).strip().splitlines()), "")
    return f"{kind}: {line}" if line and isinstance(error, KeyError) else line or kind
