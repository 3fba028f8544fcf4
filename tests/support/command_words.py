"""The words of a `reflect` command, read by its own option parser and not carried out."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from reflection_operator.cli.main import COMMANDS, command

UsageError = typer.BadParameter.__mro__[1]
"""What the parser of `reflect` raises, by whatever name typer has it."""


def parse(words: Sequence[str]) -> None:
    """Read what stands behind `reflect`.

    Raises:
        ValueError: it is no command.
        UsageError: the parser's own, where the command does not know an option, or lacks an argument.
    """
    name, *rest = words
    if name not in COMMANDS:
        raise ValueError(f"reflect has no command {name}")
    found = command(name)
    while hasattr(found, "commands"):
        name, *rest = rest
        if name not in found.commands:
            raise ValueError(f"{found.name} has no command {name}")
        found = found.commands[name]
    found.make_context(name, list(rest))
