"""What the API server does to a resource before it checks it: drop nulls and unknown fields, fill in defaults."""

from __future__ import annotations

import copy
from typing import Any

from ..crd.schema import PRESERVE, Schema


def admitted(schema: Schema, value: Any) -> Any:
    """A copy of the value as the API server would check and store it."""
    if isinstance(value, dict):
        return _object(schema, value)
    if isinstance(value, list) and "items" in schema:
        return [admitted(schema["items"], item) for item in value]
    return copy.deepcopy(value)


def _object(schema: Schema, value: dict[str, Any]) -> dict[str, Any]:
    if PRESERVE in schema:
        return copy.deepcopy(value)
    # A null is no value: it is dropped, and a default takes its place.
    given = {
        name: admitted(child, value[name])
        for name in value
        if value[name] is not None and (child := child_schema(schema, name)) is not None
    }
    for name, child in schema.get("properties", {}).items():
        if name not in given and "default" in child:
            given[name] = admitted(child, child["default"])
    return given


def child_schema(schema: Schema, name: str) -> Schema | None:
    """The schema of a field or map value; None for an unknown field."""
    found: Schema | None = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return found
