"""Validation rules in CEL, written beside the type that they guard.

The generated CRD carries them as `x-kubernetes-validations`, and `reflect validate` evaluates the same text: there is no
second copy in Python that could drift. Only functions that client-side CEL runtimes know are used.
"""

from __future__ import annotations

from typing import Any, NamedTuple

VALIDATIONS = "x-kubernetes-validations"


class Rule(NamedTuple):
    """One CEL rule of a type: `self` is a value of that type, `oldSelf` its value before an update."""

    rule: str
    message: str = ""
    """What is wrong and what to do instead; it never repeats the field's path, which the API server prints."""
    message_expression: str = ""
    """A CEL string that names the offending values; `message` stands in where it cannot be evaluated."""
    field_path: str = ""
    """The field to blame, relative to the type, for example `.failuresPerStep`."""

    def to_schema(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        entry = {"rule": self.rule}
        if self.message:
            entry["message"] = self.message
        if self.message_expression:
            entry["messageExpression"] = self.message_expression
        if self.field_path:
            entry["fieldPath"] = self.field_path
        return entry


def schema_rules(*rules: Rule) -> dict[str, Any]:
    """`json_schema_extra` of a type with these rules."""
    return {VALIDATIONS: [rule.to_schema() for rule in rules]}


def not_local(field: str, instead: str) -> Rule:
    """The one rule that `reflect run` and `reflect validate --local` relax: a cluster has no use for `file://`."""
    return Rule(
        rule=f"!self.{field}.startsWith('{LOCAL_SCHEME}')",
        message=f"lies on one machine: file:// is for `reflect run` only; on a cluster use {instead}",
        field_path=f".{field}",
    )


def is_local_only(entry: dict[str, str]) -> bool:
    """Whether a rule of the CRD is the one against `file://`."""
    return f".startsWith('{LOCAL_SCHEME}')" in entry["rule"]


LOCAL_SCHEME = "file://"
