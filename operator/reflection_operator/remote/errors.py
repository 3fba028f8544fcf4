"""What a person at the terminal is told when a cluster does not do as asked."""

from __future__ import annotations


class RemoteError(Exception):
    """A sentence: what, where, what to do."""

    def __init__(self, message: str, *, away: bool = False) -> None:
        super().__init__(message)
        self.away = away
        """Whether the API server only did not answer, and may the next time."""


class RunGone(RemoteError):
    """There is no run of that name."""
