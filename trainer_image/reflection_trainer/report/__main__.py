"""`python -m reflection_trainer.report DIR-or-URI --output FILE`: the report of a run as one HTML file, and its numbers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reflection_api.stages import ExitCode

from ..errors import StageFailure
from .find import report_of
from .stage import written_out

FAILED = 1
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Write the report; returns the exit code: 0, 78 for a place without a run, 1 or another one of a stage else."""
    parser = argparse.ArgumentParser(
        prog="python -m reflection_trainer.report",
        description="Write the report of a run as one HTML file, and its numbers beside it.",
    )
    parser.add_argument("place", help="folder or URI of a run, or a folder with one run below")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the HTML file to write; beside it, as .json and .md, go the numbers",
    )
    parser.add_argument(
        "--settings", default="{}", metavar="JSON", help="endpoint, region, pathStyle of a place in S3"
    )
    arguments = parser.parse_args(argv)
    if arguments.output.suffix in (".json", ".md"):
        words = "the page goes there, and the numbers beside it: name an .html file"
        return _fail(f"--output {arguments.output}: {words}", ExitCode.BAD_CONFIG)
    try:
        write_report(arguments.place, arguments.output, arguments.settings)
    except StageFailure as failure:
        return _fail(failure.message, int(failure.exit_code))
    except OSError as error:
        return _fail(f"--output {arguments.output}: {error.strerror or error}", FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    print(arguments.output)
    return ExitCode.DONE


def write_report(place: str, output: Path, settings: str = "{}") -> None:
    """Gather what a run has left so far, and write the page and the same for programs and for people at a terminal."""
    page, *beside = written_out(report_of(place, settings), output.stem, page=output.stem).items()
    for name, text in [*beside, (output.name, page[1])]:
        partial = output.with_name(f".{name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(output.with_name(name))


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
