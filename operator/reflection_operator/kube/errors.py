"""What an API server answers when it does not do what it was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MAX_MESSAGE = 2000


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, what: str, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        answer = _answer(body)
        self.status = status
        self.reason = str(answer.get("reason", ""))
        """Of the Status object: NotFound, AlreadyExists, Conflict, Invalid, Forbidden, ..."""
        self.message = " ".join(str(answer.get("message", ""))[:_MAX_MESSAGE].split())
        self.causes = [str(cause.get("reason", "")) for cause in _causes(answer)]
        self.retry_after = _seconds(headers.get("Retry-After"))
        """Seconds that the server wants to be left alone."""
        super().__init__(f"{what}: {status} {self.reason}: {self.message}")

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def already_exists(self) -> bool:
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def conflict(self) -> bool:
        """The object has changed since it was read."""
        return self.status == 409 and self.reason == "Conflict"

    @property
    def namespace_ending(self) -> bool:
        """Nothing can be created any more where everything is being deleted."""
        return self.status == 403 and "NamespaceTerminating" in self.causes

    @property
    def invalid(self) -> bool:
        """The object itself is wrong, whoever asks and whenever."""
        return self.status in (400, 422)

    @property
    def final(self) -> bool:
        """The same request would be refused again until somebody changes something: the resource, a quota, a policy."""
        return self.status in (400, 403, 422)

    @property
    def passing(self) -> bool:
        """The same request may be answered otherwise a moment later."""
        return self.status in (409, 429) or self.status >= 500


class NotSent(Exception):
    """A request that must not be made any more: another operator may be the leader by now."""


def _answer(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {"message": body[:_MAX_MESSAGE].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {}


def _causes(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
