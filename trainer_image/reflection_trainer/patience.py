"""How long a request is tried again, and how long the pauses are."""

from __future__ import annotations

import os
import random
from typing import NamedTuple

from reflection_api.reasons import Reason

from .errors import BadConfig

_DEFAULT_SECONDS = 180.0
_LONGEST_SHARE = 1 / 9
_FIRST_SHARE = 1 / 360
_BRIEF_SHARE = 1 / 36
"""Of the patience: 20 s, 0.5 s and 5 s of the default."""


class Patience(NamedTuple):
    """Exponential pauses with jitter, up to a time after which there is no further try."""

    seconds: float = _DEFAULT_SECONDS

    @classmethod
    def of_environment(cls, variable: str) -> Patience:
        """The default, or what a variable of the environment says.

        Raises:
            BadConfig: the variable holds no positive number.
        """
        text = os.environ.get(variable)
        if text is None:
            return cls()
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= 86_400:  # a day
            raise BadConfig(
                f"{variable}={text}: give a number of seconds from 0 to 86400",
                reason=Reason.INVALID_SPEC,
            )
        return cls(seconds)

    @property
    def brief(self) -> Patience:
        """For what only tidies up."""
        return Patience(self.seconds * _BRIEF_SHARE)

    def pause(self, failures: int, elapsed: float, chance: float | None = None) -> float | None:
        """Seconds until the next try; None where there is none.

        Args:
            failures: tries that have failed so far, at least one.
            elapsed: seconds since the first of them.
            chance: from 0 to 1. Default: drawn, so that many pods do not come back in the same moment.
        """
        if elapsed >= self.seconds:
            return None
        longest = min(
            self.seconds * _FIRST_SHARE * 2.0 ** min(failures - 1, 16), self.seconds * _LONGEST_SHARE
        )
        drawn = random.random() if chance is None else chance
        return min(longest * (0.5 + drawn / 2), self.seconds - elapsed)
