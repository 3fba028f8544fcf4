"""Plays the sessions of a page: writes the files that it shows, runs the commands that it shows, compares what they print.

A fence of the language `console` is a session: lines that begin with `$ ` are commands, what follows is their output. A fence
with a file name after its language (`yaml own.yaml`) is a file; it is written before the sessions that come after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...support.pages import ROOT, fences
from ...support.shell import in_shell

HOME = "/home/me/task"
"""Where the pages play; here it is a temporary folder."""
ANY = "..."
_PROMPT = "$ "
_DONE = "--- the end of one command ---"
_VARYING = [
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "12:00:00"),
    (re.compile(r"(?<=-)[0-9a-f]{8}\b"), "0a1b2c3d"),
    (re.compile(r"\bon node [\w.-]+"), "on node laptop"),
]
"""What differs from one machine or moment to the next."""


class Command(NamedTuple):
    """A command of a session and what it prints, errors included."""

    words: str
    output: list[str]


def commands(session: str) -> Iterator[Command]:
    words, output = "", []
    for line in session.splitlines():
        if words.endswith("\\"):
            words += f"\n{line}"
        elif line.startswith(_PROMPT):
            if words:
                yield Command(words, output)
            words, output = line.removeprefix(_PROMPT), []
        else:
            output.append(line)
    yield Command(words, output)


def play(page: Path, folder: Path) -> Iterator[tuple[Command, list[str]]]:
    """Every command of a page with what it really printed in `folder`, which has the examples as a checkout has."""
    (folder / "examples").symlink_to(ROOT / "examples")
    for fence in fences(page):
        if fence.name:
            (folder / fence.name).write_text(fence.text)
        elif fence.language == "console":
            session = list(commands(fence.text))
            yield from zip(session, _printed(session, folder), strict=True)


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether the output is as expected: a line `...` stands for any number of lines, within a line for anything."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == ANY else re.escape(line).replace(re.escape(ANY), ".*") + r"\n"
        for line in map(steady, expected)
    )
    return re.fullmatch(pattern, "".join(f"{steady(line)}\n" for line in printed)) is not None


def steady(line: str) -> str:
    """The line without what differs from one machine or moment to the next."""
    for varying, constant in _VARYING:
        line = varying.sub(constant, line)
    return line.rstrip()


def _printed(session: list[Command], folder: Path) -> list[list[str]]:
    """One shell for all commands, so that `$?` is the one before's exit code."""
    script = "".join(f"{command.words}\nstatus=$?; echo '{_DONE}'; (exit $status)\n" for command in session)
    done = in_shell(script, folder)
    parts = done.stdout.replace(str(folder), HOME).split(f"{_DONE}\n")
    return [part.splitlines() for part in parts[:-1]]
