"""What `reflect task` asks the trainer for: where the rows of a prompts file come from, and how many.

The command line and the trainer share these types, so that a bound is stated once.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from .base import MAX_INT53, ApiModel

OPERATORS = "+-*/"
DEFAULT_COUNT = 2000
"""Rows to make where nobody says how many."""
BERKELEY_PARTS = (
    "live_multiple", "live_parallel", "live_parallel_multiple", "live_simple", "multiple", "parallel",
    "parallel_multiple", "simple_java", "simple_javascript", "simple_python",
)  # fmt: skip
"""The parts of the Berkeley leaderboard with one turn and a right answer to compare with."""


class CountdownSource(ApiModel):
    """New puzzles, or those of a file with `nums` and `target`."""

    kind: Literal["countdown"] = "countdown"
    file: str | None = None
    fewest: Annotated[int, Field(ge=2, le=6)] = 3
    most: Annotated[int, Field(ge=2, le=6)] = 4
    largest: Annotated[int, Field(ge=2, le=1_000_000)] = 99
    largest_target: Annotated[int, Field(ge=1, le=1_000_000_000)] = 999
    operators: str = OPERATORS

    @field_validator("most")
    @classmethod
    def _in_order(cls, value: int, checked: ValidationInfo) -> int:
        fewest = checked.data.get("fewest", value)
        if fewest > value:
            raise ValueError(f"{value} is less than --fewest {fewest}")
        return value

    @field_validator("operators")
    @classmethod
    def _known(cls, value: str) -> str:
        if not value or not set(value) <= set(OPERATORS):
            raise ValueError(f"write some of {OPERATORS}, without anything between them")
        return value


class FunctionCallingSource(ApiModel):
    """Questions with tools and the calls that are right: the Berkeley leaderboard's files, or one of xLAM's format."""

    kind: Literal["function-calling"] = "function-calling"
    parts: tuple[str, ...] = ()
    folder: str | None = None
    file: str | None = None

    @field_validator("parts")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [part for part in value if part not in BERKELEY_PARTS]:
            raise ValueError(f'there is no part "{unknown[0]}"; there are {", ".join(BERKELEY_PARTS)}')
        return value


class ReasoningGymSource(ApiModel):
    """Entries that a dataset of reasoning-gym makes."""

    kind: Literal["reasoning-gym"] = "reasoning-gym"
    dataset: str
    config: dict[str, Any] = Field(default_factory=dict)

    @field_validator("config", mode="before")
    @classmethod
    def _object(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f'not JSON ({error}); write for example {{"max_animals": 5}}') from error


class RowsSource(ApiModel):
    """The rows of a file, as they are."""

    kind: Literal["rows"] = "rows"
    file: str
    columns: dict[str, str] = Field(default_factory=dict)


class TaskRequest(ApiModel):
    """Prompts to write, in two files: for training, and held out."""

    out: str
    force: bool = False
    count: Annotated[int, Field(ge=2, le=10_000_000)] | None = None
    """Rows to make; of a file: to take at most, all where absent."""
    held_out_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    seed: Annotated[int, Field(ge=0, le=MAX_INT53)] = 0
    source: Annotated[
        CountdownSource | FunctionCallingSource | ReasoningGymSource | RowsSource, Field(discriminator="kind")
    ]
