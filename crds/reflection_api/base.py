"""The base of every type that crosses a process: camelCase outside, snake_case inside, nothing unknown."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

MAX_INT53 = 9_007_199_254_740_991
"""The largest whole number that every JSON reader keeps exactly."""


class ApiModel(BaseModel):
    """A value that is read from or written as JSON or YAML with camelCase names.

    Values are immutable, so that a decision taken from one can never change it, and unknown fields are an error:
    a misspelt field must be named, not dropped.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
    )

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON text with camelCase names; absent optional values are left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=indent)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values with camelCase names; absent optional values are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
