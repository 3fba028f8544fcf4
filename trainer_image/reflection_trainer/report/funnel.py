"""From questions to groups that taught something: how much is left at each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .content import Report, Round


@dataclass(frozen=True)
class Step:
    """What is left after a step."""

    name: str
    count: int
    of: int | None = None
    """How many there were before, where it is a part of them."""
    note: str = ""

    @property
    def share(self) -> float:
        """The part that is left; all of it where the step begins a new count."""
        return self.count / self.of if self.of else 1.0


def funnel(report: Report, number: Round) -> Iterator[Step]:
    """The steps that the run's artefacts tell of."""
    attempts = int(number.failures.get("attempts", 0))
    per_question = int(report.rollout.get("attemptsPerPrompt", 0))
    if attempts and per_question:
        yield Step("questions", attempts // per_question)
    if attempts:
        note = f"{per_question} to each question" if per_question else ""
        yield Step("answers", attempts, note=note)
        yield from _wrong(number, attempts)
    if number.training and number.training.groups:
        yield from _groups(number)


def _wrong(number: Round, attempts: int) -> Iterator[Step]:
    failures, duplicates = (int(number.failures.get(name, 0)) for name in ("failures", "duplicates"))
    yield Step("wrong answers", failures + duplicates, attempts)
    if duplicates:
        yield Step("distinct failures", failures, failures + duplicates)


def _groups(number: Round) -> Iterator[Step]:
    training = number.training
    assert training is not None
    failures = int(number.failures.get("failures", 0))
    passes = f", {training.groups / failures:.1f} passes over the failures" if failures else ""
    yield Step("groups of reflections", training.groups, note=f"{training.steps:,} steps{passes}")
    yield Step(
        "live groups",
        training.live_groups,
        training.groups,
        f"the others teach nothing: {training.all_right_groups:,} all right, {training.all_wrong_groups:,} all wrong",
    )
