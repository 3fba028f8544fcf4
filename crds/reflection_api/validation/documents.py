"""YAML files as kubectl reads them, with the line of every field.

kubectl turns YAML into JSON before it sends it: 5e-7 is a number, 2026-01-01 and 1:30 are text, yes is true. PyYAML's own
loaders differ in each of these, and drop all but the last of equal keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from .problem import Path, Problem, dotted, shown

MAX_BYTES = 4 << 20
"""No resource is larger: etcd refuses it."""
_MAX_NODES = 200_000
MAX_DEPTH = 100
"""Levels of values within each other."""

_PLAIN = "!plain"
_TEXT = "tag:yaml.org,2002:str"
_MERGE = "<<"
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"), False),
}
_INTEGER = re.compile(r"[-+]?(0x[0-9a-fA-F]+|0o?[0-7]+|0b[01]+|[0-9]+)")
_OLD_OCTAL = re.compile(r"0[0-7]+")
_MAX_DIGITS = 400
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class Document(NamedTuple):
    """One YAML document."""

    value: Any
    line: int
    lines: dict[Path, int]
    """The line of every field and list element."""

    def line_of(self, path: Path) -> int:
        """The line of a field, or of the nearest one around it that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


class Unreadable(Exception):
    """A file cannot be read as YAML."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_documents(data: bytes, file: str) -> Iterator[Document | Problem]:
    """The documents of a YAML file, empty ones left out, and its duplicate keys as problems.

    Raises:
        Unreadable: from here on the file is no YAML.
    """
    try:
        loader = _Loader(_decoded(data, file))
        while loader.check_node() and (node := loader.get_node()) is not None:
            reader = _Reader(file)
            document = Document(reader.value(node, ()), node.start_mark.line + 1, reader.lines)
            yield from reader.problems
            if document.value is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"not YAML: {error.problem or error.context}; check indentation, quotes and colons around here"
        raise Unreadable(Problem(file, mark.line + 1 if mark else None, "", what)) from error
    except yaml.reader.ReaderError as error:
        what = f"not YAML: character {shown(chr(error.character))} is not allowed; remove it"
        raise Unreadable(Problem(file, None, "", what)) from error
    except RecursionError as error:
        raise Unreadable(Problem(file, None, "", "nested too deeply; no resource needs this")) from error


def _decoded(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise Unreadable(Problem(file, None, "", f"larger than {MAX_BYTES >> 20} MiB; this is no resource"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise Unreadable(Problem(file, line, "", what)) from error


class _Loader(yaml.BaseLoader):
    """Tells plain scalars, which may be numbers, from quoted ones, which are text."""


_Loader.add_implicit_resolver(_PLAIN, re.compile(""), None)


class _Reader:
    """Builds the value of one document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._nodes = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES or len(path) > MAX_DEPTH:
            what = f"more than {_MAX_NODES} values or {MAX_DEPTH} levels; no resource needs this"
            raise Unreadable(Problem(self.file, node.start_mark.line + 1, "", what))
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = self._key(key_node), key_node.start_mark.line + 1
            here = (*path, key)
            if key == _MERGE and key_node.tag == _PLAIN:
                merged |= self._merged(value_node, path)
                continue
            if key in result:
                what = f"duplicate key; it also stands on line {self.lines[here]}; keep one"
                self.problems.append(Problem(self.file, line, dotted(here), what))
                self.lines = {path: at for path, at in self.lines.items() if path[: len(here)] != here}
            self.lines[here] = line
            result[key] = self.value(value_node, here)
        return merged | result

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """What `<<` brings in; of several maps the first one wins."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, Any] = {}
        for part in reversed(parts):
            value = self.value(part, path)
            if not isinstance(value, dict):
                raise yaml.MarkedYAMLError(problem="<< takes a map", problem_mark=part.start_mark)
            result |= value
        return result

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key is a list or a map", problem_mark=node.start_mark)
        return str(node.value)

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag == _PLAIN:
            return scalar(node.value)
        if node.tag not in {_TEXT, "!"}:
            raise yaml.MarkedYAMLError(
                problem=f"tag {node.tag} is not known here", problem_mark=node.start_mark
            )
        return str(node.value)


def scalar(text: str) -> Any:
    """An unquoted scalar as JSON: null, a boolean, a number or text."""
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "")
    if len(digits) > _MAX_DIGITS or text.lstrip("+-.").startswith("_"):
        return text
    if _INTEGER.fullmatch(digits):
        return _integer(digits)
    if _FLOAT.fullmatch(digits) and math.isfinite(number := float(digits)):
        # JSON has one kind of number: 1.0 is sent as 1.
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return text


def _integer(digits: str) -> int:
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if _OLD_OCTAL.fullmatch(digits):
        return sign * int(digits, 8)
    return sign * int(digits.lstrip("0") or "0") if digits.isdigit() else sign * int(digits, 0)
