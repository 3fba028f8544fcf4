"""What a verifier is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from reflection_api.base import ApiModel
from reflection_api.items import Item, Verdict

CORRECT = "correct"
"""The one reason of every right answer."""

Row = Mapping[str, Any]
"""A prompt row's own columns."""


class RowError(ValueError):
    """A prompt row that the verifier cannot judge answers to. The caller puts the place (file:line) in front."""

    def __init__(self, column: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.column = column
        self.problem = problem
        self.remedy = remedy


@runtime_checkable
class Remembering(Protocol):
    """A verifier whose `verify` may say again what it said before."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        """The same as `verify`, judged anew."""


@runtime_checkable
class Recognising(Protocol):
    """A verifier that knows an answer again where it is written in another way."""

    def holds(self, text: str, completion: str) -> bool:
        """Whether the text holds the answer of the completion, right or wrong. Never raises, however hostile both are."""


@runtime_checkable
class Sharing(Protocol):
    """A verifier by whose rule one answer may be right for several rows: it says for which."""

    def shares(self, row: Row, other: Row, /) -> bool:
        """Whether an answer that is right for the other row may be right for this one."""


class Verifier(Protocol):
    """Judges completions. It is pure: the same item always gets the same verdict, whoever else is in the batch."""

    @property
    def name(self) -> str:
        """The word in `spec.task.verifier.builtin.name`."""

    @property
    def version(self) -> int:
        """Raised when the rule of what counts as right changes: datasets judged by another version are not reused."""

    @property
    def options(self) -> ApiModel:
        """The options in force, defaults filled in."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """The closed list of reasons, `correct` first. The others are the report's error classes."""

    @property
    def meanings(self) -> Mapping[str, str]:
        """What each reason means, in one sentence."""

    @property
    def required_columns(self) -> tuple[str, ...]:
        """The columns that every prompt row must have."""

    def check_row(self, row: Row) -> None:
        """Accept a prompt row or raise `RowError`. Called for every row before a run starts."""

    def gold(self, row: Row, /) -> str | None:
        """A completion that is right by the row's own columns, for audits; None where they hold none."""

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order.

        No completion raises, however hostile: it is wrong, with a reason. A row that `check_row` refuses raises `RowError`.
        """
