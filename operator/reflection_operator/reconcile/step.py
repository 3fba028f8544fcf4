"""What one observation of an attempt comes to: a changed status, and perhaps the end of the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from reflection_api.reasons import MEANINGS, Reason
from reflection_api.status import ReflectionTrainingStatus, Verdict

from .observed import Observed
from .text import one_line, sentence

_MAX_MESSAGE = 1200


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run."""

    status: ReflectionTrainingStatus
    """Its cursor is the attempt to be at from now on."""
    ending: Verdict | None = None
    """How the run ends now; None: it goes on."""
    wait: timedelta | None = None
    """Something is not seen yet: look again so soon before anything is concluded."""


def failed(run: Observed, reason: Reason, *words: str) -> Verdict:
    """The end of a run that cannot go on, with what its reader can do."""
    message = sentence(*words, MEANINGS[reason].remedy_with(run.begin_again))
    return Verdict(succeeded=False, reason=reason, message=one_line(message, _MAX_MESSAGE))
