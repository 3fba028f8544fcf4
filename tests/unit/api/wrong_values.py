"""For every bound that the schema of the resource sets, a spec that breaks it: made from the CRD, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from .resources import resource

Schema = dict[str, Any]
Path = tuple[str | int, ...]
_KEY = "any"
"""Of a map with keys of the user's choice."""
_OF_ANOTHER_TYPE: dict[str, Any] = {
    "string": 7, "integer": "seven", "number": "seven", "boolean": "yes", "array": {}, "object": "nothing",
}  # fmt: skip
_OF_THE_TYPE: dict[str, Any] = {"string": "a", "integer": 1, "number": 1, "object": {}}
_MATCHES_NO_PATTERN = "\t no such thing"


class Wrong(NamedTuple):
    """A resource, the field that is wrong in it, and what is to be said about that."""

    bound: str
    """The word in the schema."""
    resource: dict[str, Any]
    field: str
    words: str


def wrong_values(crd: Schema) -> Iterator[Wrong]:
    """Of all bounds of the spec."""
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for path, schema in _places(spec, ("spec",)):
        for bound, value, words in _broken(schema):
            yield Wrong(bound, _with(path, value), _dotted(path), words)
        for name in schema.get("required", ()):
            yield Wrong("required", _with(path, {}), _dotted((*path, name)), "Required value")


def _places(schema: Schema, path: Path) -> Iterator[tuple[Path, Schema]]:
    """A schema and all below it."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from _places(below, (*path, name))
    if "items" in schema:
        yield from _places(schema["items"], (*path, 0))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _places(schema["additionalProperties"], (*path, _KEY))


def _broken(schema: Schema) -> Iterator[tuple[str, Any, str]]:
    """Each bound of a place with a value that breaks it and the words of the API server."""
    if kind := schema.get("type"):
        yield "type", _OF_ANOTHER_TYPE[kind], f"in body must be of type {kind}"
    if "enum" in schema:
        yield "enum", "no-such-word", 'Unsupported value: "no-such-word": supported values: "'
    if "pattern" in schema:
        yield "pattern", _MATCHES_NO_PATTERN, f"in body should match '{schema['pattern']}'"
    for bound, make, words in _BOUNDS:
        if bound in schema:
            yield bound, make(schema), words.format(schema[bound])


def _many(schema: Schema) -> list[Any]:
    return [_OF_THE_TYPE[schema["items"]["type"]]] * (schema["maxItems"] + 1)


def _many_keys(schema: Schema) -> dict[str, Any]:
    value = _OF_THE_TYPE[schema["additionalProperties"]["type"]]
    return {f"key-{number}": value for number in range(schema["maxProperties"] + 1)}


_BOUNDS: list[tuple[str, Any, str]] = [
    ("minimum", lambda schema: schema["minimum"] - (not schema.get("exclusiveMinimum")), "in body should be greater than "),
    ("maximum", lambda schema: schema["maximum"] + 1, "in body should be less than or equal to {}"),
    ("minLength", lambda _: "", "in body should be at least {} chars long"),
    ("maxLength", lambda schema: "a" * (schema["maxLength"] + 1), "Too long: may not be more than {} bytes"),
    ("minItems", lambda _: [], "in body should have at least {} items"),
    ("maxItems", _many, "must have at most {} items"),
    ("maxProperties", _many_keys, "must have at most {} items"),
]  # fmt: skip


def _with(path: Path, value: Any) -> dict[str, Any]:
    """A valid resource with this value at the place."""
    obj: Any = resource()
    place = obj
    for part, following in pairwise(path):
        empty: Any = [None] if following == 0 else {}
        if isinstance(place, list):
            place[0] = empty
            place = place[0]
        else:
            place = place.setdefault(part, empty)
    place[path[-1]] = value
    return obj  # type: ignore[no-any-return]


def _dotted(path: Path) -> str:
    first, *others = path
    return str(first) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in others)
