"""A verifier alone: `python -m reflection_trainer.verify --verifier NAME|--http URL < items.jsonl > verdicts.jsonl`."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from typing import Any

from reflection_api.stages import ExitCode
from reflection_api.verifiers import InvalidVerifier

from ..errors import StageFailure
from ..patience import Patience
from .configured import over_http
from .item_lines import BadLine
from .judge import judge_stream, summary
from .registry import make_verifier
from .verifier import RowError, Verifier

STOPPED = 1
"""Nobody reads the verdicts any more, or they cannot be written."""
INTERRUPTED = 130
_PATIENCE = 10.0
"""Seconds that an own verifier is asked again: somebody waits at a terminal."""


def main(argv: list[str] | None = None) -> int:
    """Judge standard input; returns the exit code: 0, 65 for a bad line, 78 for a verifier or options that do not exist."""
    arguments = _parser().parse_args(argv)
    try:
        verifier = _verifier(arguments)
    except InvalidVerifier as error:
        return _fail(_explain(error), ExitCode.BAD_CONFIG)
    except StageFailure as error:
        return _fail(error.message, error.exit_code)
    try:
        # Not the locale's encoding: verdicts are UTF-8 wherever this runs.
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False) as out:
            given = judge_stream(verifier, sys.stdin.buffer, out)
    except BadLine as error:
        return _fail(f"standard input, {error}", ExitCode.BAD_DATA)
    except RowError as error:  # one that shows only when an answer is judged
        return _fail(f"standard input: {error}", ExitCode.BAD_DATA)
    except StageFailure as error:
        return _fail(error.message, error.exit_code)
    except BrokenPipeError:
        return STOPPED
    except (OSError, sqlite3.OperationalError) as error:
        return _fail(
            f"verdicts are incomplete: {error}; free space where standard output and temporary files go",
            STOPPED,
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    print(summary(given), file=sys.stderr)
    return ExitCode.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reflection_trainer.verify",
        description="Judge items (JSON lines on standard input) and write verdicts (JSON lines on standard output).",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--verifier", metavar="NAME", help="a built-in verifier, for example countdown")
    which.add_argument("--http", metavar="URL", help="an own verifier, for example http://127.0.0.1:8080")
    parser.add_argument(
        "--options", default="{}", metavar="JSON", help='its options, for example {"ignoreCase": true}'
    )
    return parser


def _verifier(arguments: argparse.Namespace) -> Verifier:
    options = _options(arguments.options)
    if arguments.http is None:
        return make_verifier(arguments.verifier, options)
    if options:
        raise InvalidVerifier("options", "an own verifier has none here", "leave them out")
    return over_http(arguments.http, Patience(_PATIENCE))


def _options(text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidVerifier(
            "options", f"not JSON ({error})", 'write for example {"ignoreCase": true}'
        ) from error


def _explain(error: InvalidVerifier) -> str:
    """The error in terms of this command's options."""
    if error.field == "name":
        return f"--verifier: {error.problem}; {error.remedy}"
    option = error.field.partition(".")[2]
    return f"--options: {option + ': ' if option else ''}{error.problem}; {error.remedy}"


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
