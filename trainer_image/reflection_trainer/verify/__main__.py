"""`python -m reflection_trainer.verify --verifier NAME [--options JSON] < items.jsonl > verdicts.jsonl`: a verifier alone."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from typing import Any

from reflection_api.stages import ExitCode
from reflection_api.verifiers import InvalidVerifier

from ..confine.cells import CannotConfine
from .item_lines import BadLine
from .judge import judge_stream, summary
from .registry import make_verifier
from .verifier import RowError

STOPPED = 1
"""Nobody reads the verdicts any more, or they cannot be written."""
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Judge standard input; returns the exit code: 0, 65 for a bad line, 78 for a verifier or options that do not exist."""
    arguments = _parser().parse_args(argv)
    try:
        verifier = make_verifier(arguments.verifier, _options(arguments.options))
    except InvalidVerifier as error:
        return _fail(_explain(error), ExitCode.BAD_CONFIG)
    try:
        # Not the locale's encoding: verdicts are UTF-8 wherever this runs.
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False) as out:
            given = judge_stream(verifier, sys.stdin.buffer, out)
    except BadLine as error:
        return _fail(f"standard input, {error}", ExitCode.BAD_DATA)
    except RowError as error:  # one that shows only when an answer is judged
        return _fail(f"standard input: {error}", ExitCode.BAD_DATA)
    except CannotConfine as error:
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
    parser.add_argument(
        "--verifier", required=True, metavar="NAME", help="a built-in verifier, for example countdown"
    )
    parser.add_argument(
        "--options", default="{}", metavar="JSON", help='its options, for example {"ignoreCase": true}'
    )
    return parser


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
