"""Fields that nobody knows: the API server drops them without a word, so a misspelt one would do nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from ..crd.schema import PRESERVE, Schema
from .defaults import child_schema
from .problem import Finding, Path, dotted

_MAX_LISTED = 12


def unknown_fields(schema: Schema, value: Any) -> Iterator[Finding]:
    """Every field that the schema does not know, with what was probably meant."""
    return _walk(schema, value, (), schema)


def _walk(schema: Schema, value: Any, path: Path, root: Schema) -> Iterator[Finding]:
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _walk(schema["items"], item, (*path, index), root)
    if not isinstance(value, dict) or schema.get("type") != "object" or PRESERVE in schema:
        return
    for name, child_value in value.items():
        child = child_schema(schema, name)
        if child is not None:
            yield from _walk(child, child_value, (*path, name), root)
        else:
            yield Finding((*path, name), f"unknown field; {_meant(name, path, schema, root)}")


def _meant(name: str, path: Path, schema: Schema, root: Schema) -> str:
    """The nearest known field: one of that name here, then elsewhere, then a similar one here, then what is known here."""
    siblings = schema.get("properties", {})
    near = nearest(name, siblings)
    elsewhere = [found for found in _paths(root, ()) if _folded(str(found[-1])) == _folded(name)]
    if near is not None and (_folded(near) == _folded(name) or not elsewhere):
        return f"did you mean {dotted((*path, near))}?"
    if elsewhere:
        return f"did you mean {dotted(min(elsewhere, key=lambda found: _distance(found, path)))}?"
    listed = ", ".join(list(siblings)[:_MAX_LISTED])
    return f"known here: {listed}{', ...' if len(siblings) > _MAX_LISTED else ''}" if listed else "remove it"


def nearest(word: str, known: Any) -> str | None:
    """The known word that is nearest to a misspelt one, whatever its case; None if none is near."""
    folded = {_folded(name): name for name in known}
    found = difflib.get_close_matches(_folded(word), folded, n=1, cutoff=0.7)
    return folded[found[0]] if found else None


def _folded(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _paths(schema: Schema, path: Path) -> Iterator[Path]:
    for name, child in schema.get("properties", {}).items():
        yield (*path, name)
        yield from _paths(child, (*path, name))


def _distance(one: Path, other: Path) -> tuple[int, int]:
    """How far apart two places are: those with the longest common way come first."""
    common = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        common += 1
    return -common, len(one)
