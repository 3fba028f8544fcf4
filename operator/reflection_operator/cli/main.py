"""`reflect`: the table of commands, and what holds for all of them.

A command `name` is a function `name` in the module `name.py` beside this one (_ stands for -), typed and documented as typer
wants it; the first line of its docstring stands in the table as well. Where it is a `typer.Typer`, it has commands of its own,
and a help in place of the docstring. A module is imported when its command is called, and
imports what is heavy inside the function: so `reflect --help` answers at once.

Exit codes: 0 done, 1 failed or invalid (`typer.Exit(FAILED)`), 2 wrong command line (typer's own, or `typer.BadParameter`),
130 after Ctrl-C.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .exit_codes import INTERRUPTED

COMMANDS = {
    "validate": "Check files as the API server would, without one.",
    "render": "Print the objects that the operator would create.",
    "run": "Run a ReflectionTraining on this machine: rollout, verify, train, evaluate, report.",
    "task": "Write the prompts of a task: puzzles, benchmark data, or rows of your own, split into two files.",
    "verify": "Judge items with a verifier, built-in or your own, JSON lines in and out.",
    "verify-conformance": "Check that an own verifier does what a training relies on.",
    "report": "Write the report of a run as one HTML file, and its numbers beside it.",
    "uploads": "List uploads to S3 that were begun and not finished, or abort them.",
    "status": "Show how far a run on a cluster is.",
    "logs": "Print the logs of a run's pods on a cluster.",
    "events": "List what has happened to a run on a cluster, oldest first.",
    "suspend": "Stop the pods of a run on a cluster and hold it.",
    "resume": "Let a suspended run on a cluster go on.",
    "crd": "Print the CustomResourceDefinition.",
}


class _LazyCommands(TyperGroup):
    """Knows the commands by name and imports one when it is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # The names alone, for suggestions after a misspelt one.
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the parent's signature
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        return command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: Any) -> Any:
        """Ctrl-C ends a command without a traceback; what it had to say about that, it has said."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def command(name: str) -> Any:
    """The command, or group of commands, of that name."""
    module = name.replace("-", "_")
    function = getattr(import_module(f".{module}", __package__), module)
    if isinstance(function, typer.Typer):
        return get_command(function)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(function)
    return get_command(single)


# Plain words instead of boxes and colours, which would also stand in pipes and logs.
app = typer.Typer(
    name="reflect",
    cls=_LazyCommands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"reflect {version('reflect-operator')}")
        raise typer.Exit


@app.callback()
def reflect(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Teach language models to reflect on their mistakes: Reflect, Retry, Reward."""
