"""The fields of a structural schema, each as one row of a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from ..base import MAX_INT53
from ..crd.schema import PRESERVE, Schema
from ..spec.fields import MAX_INT32, PATTERNS

_OF_EACH = "<each>"
"""Stands in a path for any of several sections with the same fields."""


class Field(NamedTuple):
    """One field."""

    path: str
    """Dotted, relative to where the table begins."""
    type: str
    default: str
    bounds: str
    description: str


def fields(section: Schema, prefix: str = "") -> Iterator[Field]:
    """Every field of a section and of the sections in it. Sections with equal fields are written out once."""
    required = section.get("required", ())
    children: Schema = section.get("properties", {})
    alike = _alike(children)
    for name, child in children.items():
        yield _field(child, f"{prefix}{name}", required=name in required)
        if not alike:
            yield from fields(_inner(child), f"{prefix}{name}{'[]' if 'items' in child else ''}.")
    if alike:
        yield from fields(next(iter(children.values())), f"{prefix}{_OF_EACH}.")


def table(rows: Iterator[Field]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| field | type | default | bounds | description |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| `{row.path}` | {row.type} | {row.default} | {row.bounds} | {_cell(row.description)} |"


def _alike(children: Schema) -> bool:
    shapes = [child.get("properties") for child in children.values()]
    return len(shapes) > 1 and all(shape and shape == shapes[0] for shape in shapes)


def _inner(child: Schema) -> Schema:
    inner: Schema = child.get("items", child)
    return inner


def _field(schema: Schema, path: str, *, required: bool) -> Field:
    return Field(
        path=path,
        type=_type(schema),
        default="required" if required else _default(schema),
        bounds=_bounds(schema),
        description=schema.get("description", ""),
    )


def _type(schema: Schema) -> str:
    if "properties" in schema:
        return "section"
    if PRESERVE in schema:
        return "object of the Kubernetes API"
    if "items" in schema:
        return f"list of {_plural(_type(schema['items']))}"
    if "additionalProperties" in schema:
        return f"map of {_plural(_type(schema['additionalProperties']))}"
    return "time" if schema.get("format") == "date-time" else str(schema["type"])


def _plural(noun: str) -> str:
    first, *rest = noun.split(" ")
    return " ".join([f"{first}s", *rest])


def _default(schema: Schema) -> str:
    """A section's own default is those of its fields."""
    return "" if "properties" in schema or "default" not in schema else f"`{json.dumps(schema['default'])}`"


def _bounds(schema: Schema) -> str:
    inner = schema.get("items") or schema.get("additionalProperties")
    own = [_choices(schema), _range(schema), _length(schema), PATTERNS.get(schema.get("pattern", ""), "")]
    each = _bounds(inner) if inner and "properties" not in inner else ""
    return "; ".join(part for part in (*own, f"each {each}" if each else "") if part)


def _choices(schema: Schema) -> str:
    return "one of " + ", ".join(f"`{word}`" for word in schema["enum"]) if "enum" in schema else ""


def _range(schema: Schema) -> str:
    if "minimum" not in schema:
        return ""
    low, high = (_number(schema[end]) for end in ("minimum", "maximum"))
    return f"above {low}, up to {high}" if schema.get("exclusiveMinimum") else f"{low} to {high}"


def _number(value: float) -> str:
    """The largest numbers of a type have names that say what they are."""
    named = {MAX_INT32: "2^31-1", -MAX_INT32: "-(2^31-1)", MAX_INT53: "2^53-1"}
    return named[int(value)] if value in named else f"{value:,}"


def _length(schema: Schema) -> str:
    for name, unit in (("maxLength", "characters"), ("maxItems", "entries"), ("maxProperties", "entries")):
        if name in schema:
            return f"at most {schema[name]:,} {unit}"
    return ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
