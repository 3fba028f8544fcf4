"""`python -m reflection_trainer.tasks REQUEST`: write the prompts files of a `reflection_api.tasks.TaskRequest` in JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NoReturn

from reflection_api.reasons import Reason
from reflection_api.stages import ExitCode
from reflection_api.tasks import CountdownSource, FunctionCallingSource, RowsSource, TaskRequest
from rich.console import Console
from rich.progress import track

from ..errors import BadData, StageFailure
from .countdown import countdown_rows
from .function_calling import function_calling_rows
from .reasoning_gym import reasoning_gym_rows
from .row import TaskRow
from .rows import own_rows
from .skipped import Skipped
from .write import free_folder, write_split

FAILED = 1
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Write the files; returns the exit code: 0, 78 for a wrong option, 65 for a wrong file, 1 where writing fails."""
    [text] = sys.argv[1:] if argv is None else argv
    request = TaskRequest.model_validate_json(text)
    skipped = Skipped()
    try:
        folder = free_folder(request.out, force=request.force)
        rows = list(_watched(_rows(request, skipped)))
        if not rows:
            _none(skipped)
        written = write_split(
            rows, folder, count=request.count, share=request.held_out_share, seed=request.seed
        )
    except StageFailure as failure:
        return _fail(failure.message, int(failure.exit_code))
    except OSError as error:
        return _fail(f"{error.filename or request.out}: {error.strerror or error}", FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    print(*skipped.lines(), sep="\n", end="\n" * bool(skipped.count), file=sys.stderr)
    for path, count in written.items():
        print(f"{path}: {count} row{'s' * (count != 1)}")
    return ExitCode.DONE


def _rows(request: TaskRequest, skipped: Skipped) -> Iterator[TaskRow]:
    match request.source:
        case CountdownSource() as source:
            return countdown_rows(source, request.count, request.seed)
        case FunctionCallingSource() as source:
            return function_calling_rows(source, skipped)
        case RowsSource() as source:
            return own_rows(source)
        case source:
            return reasoning_gym_rows(source, request.count, request.seed)


def _watched(rows: Iterator[TaskRow]) -> Iterator[TaskRow]:
    """With a bar on a terminal: a hundred thousand puzzles take a while."""
    console = Console(stderr=True)
    yield from track(rows, "Rows", console=console, transient=True, disable=not console.is_terminal)


def _none(skipped: Skipped) -> NoReturn:
    why = "; ".join(line.strip() for line in skipped.lines()) or "the file has no rows"
    raise BadData(f"there is nothing to write: {why}", reason=Reason.DATASET_EMPTY)


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
