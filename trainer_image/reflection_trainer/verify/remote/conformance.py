"""The checks of an own verifier, for its author: `python -m reflection_trainer.verify.remote.conformance URL --items FILE`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from reflection_api.items import Verdict
from reflection_api.stages import ExitCode

from ...errors import StageFailure
from ..item_lines import BadLine, numbered_items
from .access import Access
from .checks import CHECKS, Check, Given
from .probe import WORDS, Failed, Probe

FAILED = 1
INTERRUPTED = 130


class Outcome(NamedTuple):
    """How a check ended."""

    check: str
    passed: bool
    seen: str = ""
    remedy: str = ""


def main(argv: list[str] | None = None) -> int:
    """Run the checks; returns 0 where all pass, 1 where one fails, 65 for a bad file, 78 for an address that is none."""
    arguments = _parser().parse_args(argv)
    try:
        given = _given(arguments.items, arguments.verdicts)
        outcomes = asyncio.run(conformance(Access.of_environment(arguments.url), given))
    except (BadLine, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_DATA
    except StageFailure as failure:
        print(f"error: {failure.message}", file=sys.stderr)
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    passed = all(outcome.passed for outcome in outcomes)
    if arguments.json:
        print(json.dumps({"passed": passed, "checks": [outcome._asdict() for outcome in outcomes]}, indent=2))
    else:
        print("\n".join(_table(outcomes)))
    return 0 if passed else FAILED


async def conformance(access: Access, given: Given) -> list[Outcome]:
    """All checks, one after the other."""
    async with Probe(access) as probe:
        return [await _outcome(check, probe, given) for check in CHECKS]


async def _outcome(check: Check, probe: Probe, given: Given) -> Outcome:
    try:
        await check.run(probe, given)
    except Failed as failure:
        words = "".join(letter if letter.isprintable() else "?" for letter in str(failure))
        return Outcome(check.name, False, words[: 2 * WORDS], check.remedy)
    return Outcome(check.name, True)


def _table(outcomes: list[Outcome]) -> Iterator[str]:
    width = max(len(outcome.check) for outcome in outcomes)
    for outcome in outcomes:
        yield f"{'ok' if outcome.passed else 'FAILED':<6}  {outcome.check:<{width}}".rstrip()
        if not outcome.passed:
            yield f"        {outcome.seen}"
            yield f"        to do: {outcome.remedy}"
    failed = sum(not outcome.passed for outcome in outcomes)
    yield f"{len(outcomes)} checks, {failed} failed" if failed else f"{len(outcomes)} checks, all passed"


def _given(items: Path, verdicts: Path | None) -> Given:
    with items.open("rb") as lines:
        found = []
        for line, item in numbered_items(lines):
            found.append(item)
            if len(found) > 1000:
                raise BadLine(line, "more than 1,000 items; give a few of each kind")
    if not found:
        raise BadLine(1, f"{items} has no items; give some of each kind, right and wrong")
    return Given(found, dict(_expected(verdicts, {item.id for item in found})) if verdicts else {})


def _expected(file: Path, known: set[str]) -> Iterator[tuple[str, bool]]:
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            verdict = Verdict.model_validate_json(line)
        except ValidationError as error:
            raise BadLine(
                number, f'{file}: {error.errors()[0]["msg"]}; a verdict is {{"id", "correct", "reason"}}'
            ) from None
        if verdict.id not in known:
            raise BadLine(number, f"{file}: there is no item {json.dumps(verdict.id)}; correct the id")
        yield verdict.id, verdict.correct


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reflection_trainer.verify.remote.conformance")
    parser.add_argument(
        "url", metavar="URL", help="address of the verifier, for example http://127.0.0.1:8080"
    )
    parser.add_argument("--items", required=True, type=Path, help="items that it can judge, JSON lines")
    parser.add_argument("--verdicts", type=Path, help="the right verdicts on them, JSON lines")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
