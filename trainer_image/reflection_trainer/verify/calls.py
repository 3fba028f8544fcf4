"""Function calls in a completion: the shapes they may have, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .json_text import BROKEN, NotJson, json_values, read_json

OPENING, CLOSING = "<tool_call>", "</tool_call>"
MAX_CALLS = 64

_CALL_KEYS = {"name", "arguments", "id", "type"}
_WRAPPED_KEYS = {"function", "id", "type"}
_MESSAGE_KEYS = {"tool_calls", "role", "content"}
_ATTEMPT = re.compile(r"""[\[{][\s\[{]{0,20}["'](?:name|arguments|function|tool_calls)["']\s*:""")


class Call(NamedTuple):
    """One call."""

    name: str
    arguments: dict[str, Any]


class NotCalls(ValueError):
    """A value has not the shape of calls."""


class Found(NamedTuple):
    """What a completion holds."""

    sets: list[list[Call]]
    """Each on its own claims to be the answer."""
    malformed: bool
    """Something meant to be calls and is none."""


def calls_of(value: Any) -> list[Call]:
    """The calls that a JSON value means.

    A call is `{"name": ..., "arguments": {...}}`, or OpenAI's `{"type": "function", "function": {...}}`, with the arguments as
    an object or as a string that holds one. Calls are one call, a list of calls, or `{"tool_calls": [...]}`.

    Raises:
        NotCalls: it has another shape.
    """
    if isinstance(value, dict) and "tool_calls" in value:
        if not value.keys() <= _MESSAGE_KEYS or not isinstance(value["tool_calls"], list):
            raise NotCalls
        value = value["tool_calls"]
    return [_call(part) for part in (value if isinstance(value, list) else [value])]


def find_calls(completion: str) -> Found:
    """The calls of a completion: those in `<tool_call>` tags together are one set, every other JSON value with calls is one.

    A tag that is never closed (a completion that was cut off) begins nothing. JSON that does not look like calls is prose.
    """
    tagged, rest = _split(completion)
    sets: list[list[Call]] = []
    malformed = False
    if tagged:
        try:
            sets.append([call for text in tagged for call in calls_of(read_json(text.strip()))])
        except (NotJson, NotCalls):
            malformed = True
    for start, value in json_values(rest):
        if value is BROKEN:
            malformed = malformed or _ATTEMPT.match(rest, start) is not None
        elif _means_calls(value):
            try:
                sets.append(calls_of(value))
            except NotCalls:
                malformed = True
    return Found(sets, malformed)


def _split(completion: str) -> tuple[list[str], str]:
    """The texts between tags, and everything else."""
    tagged: list[str] = []
    rest: list[str] = []
    at = 0
    while (begin := completion.find(OPENING, at)) >= 0:
        end = completion.find(CLOSING, begin)
        if end < 0:
            break
        rest.append(completion[at:begin])
        tagged.append(completion[begin + len(OPENING) : end])
        at = end + len(CLOSING)
    rest.append(completion[at:])
    return tagged, "\n".join(rest)


def _means_calls(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    return bool(parts) and all(
        isinstance(part, dict) and not part.keys().isdisjoint(("name", "function", "tool_calls"))
        for part in parts
    )


def _call(value: Any) -> Call:
    if not isinstance(value, dict):
        raise NotCalls
    if "function" in value:
        if not value.keys() <= _WRAPPED_KEYS or not isinstance(value["function"], dict):
            raise NotCalls
        value = value["function"]
    if not {"name", "arguments"} <= value.keys() <= _CALL_KEYS or value.get("type", "function") != "function":
        raise NotCalls
    name, arguments = value["name"], value["arguments"]
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments)
        except NotJson as error:
            raise NotCalls from error
    if not isinstance(name, str) or not isinstance(arguments, Mapping):
        raise NotCalls
    return Call(name, dict(arguments))
