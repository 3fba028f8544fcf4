"""An own verifier in the shape of every other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from reflection_api.base import ApiModel
from reflection_api.items import Item, Verdict

from ..verifier import CORRECT, Row
from .service import Service

_REMEMBERED = 100_000
"""Verdicts in memory: about 30 MB."""


class _Known(NamedTuple):
    correct: bool
    reason: str


class RemoteVerifier:
    """Asks a service, and asks once about each completion of a conversation and row."""

    version = 1
    meanings: ClassVar[Mapping[str, str]] = {CORRECT: "The service says so."}
    reasons = tuple(meanings)
    """The others are the service's own."""
    required_columns = ()

    def __init__(self, name: str, options: ApiModel, service: Service) -> None:
        self.name, self.options = name, options
        self._service = service
        self._known: dict[bytes, _Known] = {}

    def check_row(self, _row: Row) -> None:
        """Accept any row: the service alone knows."""

    def gold(self, _row: Row, /) -> str | None:
        """None: which of a row's columns says what is right, the service alone knows."""
        return None

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order. What was judged before is not asked again.

        Raises:
            StageFailure: the service is away, or cannot be believed.
        """
        keys = [_key(item) for item in items]
        answers = {key: self._known[key] for key in keys if key in self._known}
        unknown = {key: item for key, item in zip(keys, items, strict=True) if key not in answers}
        for key, verdict in zip(unknown, self.judge(list(unknown.values())), strict=True):
            answers[key] = _Known(verdict.correct, verdict.reason)
        self._remember(answers)
        return [
            Verdict(id=item.id, correct=answers[key].correct, reason=answers[key].reason)
            for key, item in zip(keys, items, strict=True)
        ]

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        """The same, always asking."""
        return self._service.judge(items) if items else []

    def _remember(self, answers: Mapping[bytes, _Known]) -> None:
        """The newest last, so that the oldest go first."""
        for key, known in answers.items():
            self._known.pop(key, None)
            self._known[key] = known
        for key in list(self._known)[: max(0, len(self._known) - _REMEMBERED)]:
            del self._known[key]


def _key(item: Item) -> bytes:
    """What a verdict follows from; not from the row alone, which lacks the question itself."""
    seen = [item.completion, [[turn.role, turn.content] for turn in item.messages], item.row]
    return hashlib.blake2b(json.dumps(seen, sort_keys=True).encode(), digest_size=16).digest()
