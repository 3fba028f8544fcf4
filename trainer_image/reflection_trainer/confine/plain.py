"""Plain data between two children as JSON: what a test may hand to an answer and get back. Nothing else crosses.

JSON has too few types, so every value but null, booleans, small integers and strings is an object with one key that says what
it is. What is no plain data crosses as a handle: a number that only the side that made it can turn back.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

MAX_LINE = 4 * 1024 * 1024
"""Bytes of one message."""
_SMALL = 2**53

ToHandle = Callable[[Any], int]
FromHandle = Callable[[int], Any]


class NotPlain(TypeError):
    """A value that cannot cross."""


def encode(value: Any, handle: ToHandle) -> Any:
    """A value in JSON's types. Subclasses of plain types become the plain type: a Counter is a dict, a named tuple a tuple."""
    if value is None or isinstance(value, bool):
        return value
    for kind, encoder in _ENCODERS.items():
        if isinstance(value, kind):
            return encoder(value, handle)
    return {"handle": handle(value)}


def _encode_items(kind: type) -> Callable[[Any, ToHandle], Any]:
    return lambda value, handle: {kind.__name__: [encode(item, handle) for item in value]}


_ENCODERS: dict[type, Callable[[Any, ToHandle], Any]] = {
    str: lambda value, _: str(value),
    int: lambda value, _: int(value) if abs(value) < _SMALL else {"int": hex(value)},
    float: lambda value, _: {"float": float(value).hex()},
    complex: lambda value, _: {"complex": [value.real.hex(), value.imag.hex()]},
    bytes: lambda value, _: {"bytes": base64.b64encode(value).decode()},
    bytearray: lambda value, _: {"bytearray": base64.b64encode(value).decode()},
    **{kind: _encode_items(kind) for kind in (list, tuple, set, frozenset)},
    dict: lambda value, handle: {
        "dict": [[encode(key, handle), encode(item, handle)] for key, item in value.items()]
    },
}


def decode(value: Any, from_handle: FromHandle) -> Any:
    """What `encode` was given.

    Raises:
        NotPlain: it is nothing that `encode` makes.
    """
    if not isinstance(value, dict):
        if isinstance(value, list | float):
            raise NotPlain
        return value
    try:
        ((kind, inner),) = value.items()
        return _DECODERS[kind](inner, from_handle)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotPlain from error


def _items(inner: Any, from_handle: FromHandle) -> list[Any]:
    return [decode(item, from_handle) for item in inner]


def _dict(inner: Any, from_handle: FromHandle) -> dict[Any, Any]:
    return {decode(key, from_handle): decode(item, from_handle) for key, item in inner}


_DECODERS: dict[str, Callable[[Any, FromHandle], Any]] = {
    "int": lambda inner, _: int(inner, 16),
    "float": lambda inner, _: float.fromhex(inner),
    "complex": lambda inner, _: complex(*map(float.fromhex, inner)),
    "bytes": lambda inner, _: base64.b64decode(inner),
    "bytearray": lambda inner, _: bytearray(base64.b64decode(inner)),
    "list": _items,
    "tuple": lambda inner, from_handle: tuple(_items(inner, from_handle)),
    "set": lambda inner, from_handle: set(_items(inner, from_handle)),
    "frozenset": lambda inner, from_handle: frozenset(_items(inner, from_handle)),
    "dict": _dict,
    "handle": lambda inner, from_handle: from_handle(inner),
}


def to_line(message: Any) -> bytes:
    """One message."""
    return json.dumps(message).encode() + b"\n"


def copy_back(old: Any, new: Any) -> None:
    """Give the containers that a test passed the contents that the call left in them."""
    if (isinstance(old, list) and isinstance(new, list)) or (
        isinstance(old, bytearray) and isinstance(new, bytearray)
    ):
        old[:] = new
    elif (isinstance(old, dict) and isinstance(new, dict)) or (isinstance(old, set) and isinstance(new, set)):
        old.clear()
        old.update(new)
