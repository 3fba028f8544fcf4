"""JSON Schemas of prompt rows: found fit to be used before any answer is judged by them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA = 100_000
"""Characters of a schema."""


class BadSchema(ValueError):
    """The schema cannot be used."""


@lru_cache(maxsize=256)
def compiled(text: str) -> Draft202012Validator:
    """The validator of a schema, given as its canonical text. It never fetches anything.

    Raises:
        BadSchema: it is too long, no schema of this dialect, or refers to something that is not in it.
    """
    if len(text) > MAX_SCHEMA:
        raise BadSchema(f"it has {len(text):,} characters as JSON; {MAX_SCHEMA:,} are allowed")
    schema = json.loads(text)
    if isinstance(schema, dict):
        if str(schema.pop("$schema", DIALECT)).rstrip("#") != DIALECT:
            raise BadSchema(f"its $schema is not {DIALECT}")
        schema.pop("$id", None)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadSchema(f"{error.json_path}: {error.message[:200]}") from error
    except RecursionError as error:
        raise BadSchema("it is nested too deeply") from error
    _check_parts(schema)
    return Draft202012Validator(schema, registry=Registry())


def _check_parts(schema: Any) -> None:
    """Refuse what would otherwise be found only when an answer reaches it."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        if not isinstance(part, dict):
            continue
        waiting.extend(part.values())
        for word in ("$id", "$schema"):
            if isinstance(part.get(word), str):
                raise BadSchema(f"it has {word} inside; only the outermost object may have one")
        for word in ("$ref", "$dynamicRef"):
            if isinstance(part.get(word), str):
                _check_reference(part[word], schema)


def _check_reference(reference: str, schema: Any) -> None:
    if not reference.startswith("#"):
        raise BadSchema(f"it refers to {reference[:60]}, outside of itself; nothing is fetched")
    resource = DRAFT202012.create_resource(schema)
    try:
        Registry().with_resource("", resource).resolver().lookup(reference)
    except Unresolvable as error:
        raise BadSchema(f"it refers to {reference[:60]}, which is not there") from error
