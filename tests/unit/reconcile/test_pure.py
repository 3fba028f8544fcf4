"""Deciding does no I/O and reads no clock: the same input gives the same decision, wherever and whenever."""

from __future__ import annotations

import ast
from pathlib import Path

import reflection_operator.reconcile as room

SOURCES = sorted(Path(room.__file__).parent.glob("*.py"))
ALLOWED_IMPORTS = {
    "__future__", "collections.abc", "contextlib", "dataclasses", "datetime", "enum", "math", "re", "signal", "typing",
    "unicodedata", "pydantic",
}  # fmt: skip
CLOCKS = {
    "now",
    "utcnow",
    "today",
    "time",
    "monotonic",
    "perf_counter",
    "getenv",
    "urandom",
    "random",
    "uuid4",
}
IO = {"open", "print", "input", "exec", "eval", "__import__", "id", "hash", "globals"}


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
        elif isinstance(node, ast.ImportFrom) and node.level > 1:
            yield "." * node.level + (node.module or "")


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in IO:
                yield node.func.id
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            # raw.time parses a text; it is the one `time` of ours.
            ours = isinstance(owner, ast.Name) and owner.id == "raw"
            if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS and not ours:
                yield node.func.attr


def test_the_room_has_been_found():
    assert "decide.py" in {path.name for path in SOURCES}


def test_only_pure_modules_are_imported():
    for path in SOURCES:
        for name in imports(ast.parse(path.read_text())):
            pure = name in ALLOWED_IMPORTS or name.startswith("reflection_api") or name == "..children.labels"
            assert pure, f"{path.name} imports {name}"


def test_nothing_reads_a_clock_or_touches_the_world():
    for path in SOURCES:
        assert list(calls(ast.parse(path.read_text()))) == [], path.name


def test_a_clock_would_be_found():
    assert list(calls(ast.parse("datetime.now(UTC); open('x'); raw.time(1); time.time()"))) == [
        "now",
        "open",
        "time",
    ]
    assert "os" in list(imports(ast.parse("import os")))
