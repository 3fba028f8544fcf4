"""The rules of the CRD, evaluated by Google's CEL runtime with the values that the API server would give them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from ..crd.schema import PRESERVE, RULES, Schema
from .problem import Finding, Path, shown

Entry = dict[str, str]
_TRANSITION = re.compile(r"\boldSelf\b")


class RuleBroken(Exception):
    """A rule of the CRD cannot be evaluated: a mistake in the rule, not in the resource."""


def rule_findings(
    schema: Schema, value: Any, old: Any = None, *, skip: Callable[[Path, Entry], bool]
) -> Iterator[Finding]:
    """What the rules say against a value that has the right structure.

    Args:
        schema: a structural schema.
        value: the value, with defaults filled in.
        old: the stored value that an update replaces; None on creation, when rules about changes do not apply.
        skip: says of a place and a rule whether to leave it out.
    """
    return _walk(schema, value, old, (), skip)


def _walk(
    schema: Schema, value: Any, old: Any, path: Path, skip: Callable[[Path, Entry], bool]
) -> Iterator[Finding]:
    for entry in schema.get(RULES, ()):
        if not skip(path, entry) and not (old is None and _TRANSITION.search(entry["rule"])):
            finding = _broken(entry, schema, value, old, path)
            if finding is not None:
                yield finding
    if isinstance(value, dict):
        for name, child in value.items():
            below = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if below is not None:
                before = old.get(name) if isinstance(old, dict) else None
                yield from _walk(below, child, before, (*path, name), skip)
    elif isinstance(value, list) and "items" in schema:
        # Elements of a list cannot be told apart between two versions, so nothing is said about their changes.
        for index, item in enumerate(value):
            yield from _walk(schema["items"], item, None, (*path, index), skip)


def _broken(entry: Entry, schema: Schema, value: Any, old: Any, path: Path) -> Finding | None:
    variables = {"self": _for_cel(schema, value)}
    if old is not None:
        variables["oldSelf"] = _for_cel(schema, old)
    if _evaluate(entry["rule"], variables) is True:
        return None
    blamed = (*path, *filter(None, entry.get("fieldPath", "").split(".")))
    if "messageExpression" in entry:
        return Finding(blamed, str(_evaluate(entry["messageExpression"], variables)))
    culprit = _at(value, blamed[len(path) :])
    if isinstance(culprit, dict | list | None) or _TRANSITION.search(entry["rule"]):
        return Finding(blamed, entry["message"])
    return Finding(blamed, f"{shown(culprit)} {entry['message']}")


def _evaluate(expression: str, variables: dict[str, Any]) -> Any:
    result = _compiled(expression).eval(data=variables)
    if result.type() == cel.Type.ERROR:
        raise RuleBroken(f"{expression}: {result.value()}")
    return result.value()


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


@cache
def _environment() -> Any:
    variables = {"self": cel.Type.DYN, "oldSelf": cel.Type.DYN}
    return cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])


def _for_cel(schema: Schema, value: Any) -> Any:
    """The value with CEL's types: a field of type number is a double even where the file says 1."""
    if isinstance(value, dict):
        known = {**schema.get("properties", {})}
        children = {name: known.get(name, schema.get("additionalProperties")) for name in value}
        return {
            name: _for_cel(child, value[name])
            for name, child in children.items()
            # Free-form values are opaque to rules.
            if child is not None and PRESERVE not in child
        }
    if isinstance(value, list):
        return [_for_cel(schema["items"], item) for item in value if PRESERVE not in schema["items"]]
    return float(value) if schema["type"] == "number" else value


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value
