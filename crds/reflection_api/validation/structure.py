"""The schema of the CRD, evaluated by jsonschema, and its verdicts in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jsonschema import Draft4Validator, ValidationError, validators

from ..crd.schema import Schema
from ..spec.fields import PATTERNS
from .problem import Finding, Path, shown
from .unknown import nearest

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map of fields",
}


def structure_findings(schema: Schema, value: Any) -> Iterator[Finding]:
    """Everything in which the value does not have the shape that the schema asks for."""
    found: dict[Path, ValidationError] = {}
    for error in _validator()(schema).iter_errors(value):
        path = tuple(error.absolute_path)
        # One fault of a field is enough, and the pattern tells most.
        if path not in found or error.validator == "pattern":
            found[path] = error
    for path, error in found.items():
        yield Finding(path, _in_words(error))


@cache
def _validator() -> Any:
    """OpenAPI 3.0 took its dialect from draft 4: an exclusive bound is a flag beside the bound."""
    extend: Any = validators.extend
    return extend(Draft4Validator, {"pattern": _check_pattern, "required": _check_required})


def _check_pattern(_: Any, pattern: str, value: Any, _schema: Schema) -> Iterator[ValidationError]:
    """As RE2 does it: `$` is the very end, also before a line break."""
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError("does not match")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


def _check_required(_: Any, names: list[str], value: Any, schema: Schema) -> Iterator[ValidationError]:
    """Blames the missing field and not the one around it."""
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError("is missing", path=[name], schema=schema["properties"][name])


def _in_words(error: ValidationError) -> str:
    keyword, schema, value, limit = (
        str(error.validator),
        _known(error.schema),
        error.instance,
        error.validator_value,
    )
    if keyword == "required":
        meaning = schema.get("description", "").split(". ")[0].rstrip(".")
        if schema["type"] == "object":
            needed = ", ".join(schema.get("required", ()))
            return f"is required: {meaning}" + (f"; give at least its {needed}" if needed else "")
        wanted = f"{expected(schema)}. {meaning}"
        return f"is required; give {wanted}" if not meaning else f"is required: {wanted}"
    if keyword == "enum":
        return _not_in(value, _known(limit))
    if keyword.startswith(("min", "max")) and isinstance(value, str | list | dict):
        return _size(value, _known(limit))
    return f"{shown(value)} {_FAULTS[keyword](value)}; expected {expected(schema)}"


_FAULTS: dict[str, Callable[[Any], str]] = {
    "type": lambda value: f"is {_given(value)}",
    "minimum": lambda _: "is too small",
    "maximum": lambda _: "is too large",
    "pattern": lambda _: "does not fit",
}


def _known(value: Any) -> Any:
    """Of an error that a validator made, every part is there; its type says that parts may be unset."""
    return value


def expected(schema: Schema) -> str:
    """What a field takes, in words."""
    kind = schema["type"]
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if "pattern" in schema:
        return PATTERNS[schema["pattern"]]
    return _TYPES[kind] + (_range(schema) if kind in {"integer", "number"} else "")


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None or high is None:
        return ""
    return f" above {low} and up to {high}" if "exclusiveMinimum" in schema else f" from {low} to {high}"


def _given(value: Any) -> str:
    """What was written, in words; for what was expected, see `_TYPES`."""
    if value is None:
        return "nothing"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    name = names[type(value)]
    return "a boolean" if name == "boolean" else _TYPES[name]


def _not_in(value: Any, known: list[str]) -> str:
    near = nearest(value, known) if isinstance(value, str) else None
    return f"{shown(value)} is not known; " + (
        f"did you mean {near}?" if near else f"known are {', '.join(known)}"
    )


def _size(value: str | list[Any] | dict[str, Any], limit: int) -> str:
    size, unit = len(value), "characters" if isinstance(value, str) else "entries"
    if not size:
        return "is empty; give a value or remove the field"
    return f"has {size} {unit}; give at {'most' if size > limit else 'least'} {limit}"
