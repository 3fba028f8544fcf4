"""Counts one model's answers question by question, so that only the counts stay in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from reflection_api.evaluation import ReflectionStatistics

from .scripts import leaves_script
from .statistics import Share
from .transcripts import TOO_LONG, CrossedRetry, FirstAnswer, Transcript


@dataclass
class Reflections:
    """What the reflections on the fixed failures look like."""

    count: int = 0
    tokens: int = 0
    truncated: int = 0
    leaks: int = 0
    other_script: int = 0

    def add(self, row: Transcript) -> None:
        """Count one; a reflection that was never written is none."""
        if row.reflection_tokens:
            self.count += 1
            self.tokens += row.reflection_tokens
            self.truncated += row.reflection_truncated
            self.leaks += row.leak
            self.other_script += leaves_script(row.reflection, row.question)

    def means(self) -> ReflectionStatistics | None:
        """Means over all of them; None where there is none."""
        if not self.count:
            return None
        return ReflectionStatistics(
            tokens=self.tokens / self.count,
            truncated=self.truncated / self.count,
            leaks=self.leaks / self.count,
            other_script=self.other_script / self.count,
        )


@dataclass
class Tally:
    """Shares of one model."""

    own_are_fixed: bool
    """Whether the fixed failures are this model's own: so it is with the base model."""
    first: Share = field(default_factory=Share)
    second: Share = field(default_factory=Share)
    """Right at once, or after one reflection on the own failure."""
    retry: Share = field(default_factory=Share)
    """After a reflection on a fixed failure."""
    without_leaks: Share = field(default_factory=Share)
    """The same, and the reflection did not hold the answer already."""
    fresh: Share = field(default_factory=Share)
    shuffled: Share = field(default_factory=Share)
    unshuffled: Share = field(default_factory=Share)
    """`retry` on those failures that have a shuffled control."""
    plain: Share = field(default_factory=Share)
    generic: Share = field(default_factory=Share)
    swapped: Share = field(default_factory=Share)
    """After the other model's reflection."""
    paired: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    """`retry` on those failures that have a control, by its name."""
    classes: Counter[str] = field(default_factory=Counter)
    """First answers by the verifier's reason."""
    reflections: Reflections = field(default_factory=Reflections)
    second_tries: int = 0
    too_long: int = 0
    """Second tries for which the conversation left no room."""

    def add(
        self,
        first: Iterable[FirstAnswer],
        second: Iterable[Transcript],
        crossed: Iterable[CrossedRetry] = (),
    ) -> None:
        """Count the answers to some questions, all that there are to each of them.

        Args:
            first: the first answers.
            second: what came after failures.
            crossed: the base model's own retries after the trained model's reflections.
        """
        own = {}
        for row in second:
            self.second_tries += 1
            self.too_long += row.retry_reason == TOO_LONG
            if row.fixed == self.own_are_fixed:
                own[row.question_id, row.attempt] = row.retry_correct
            if row.fixed:
                self._add_fixed(row)
        for answer in first:
            self.classes[answer.reason] += 1
            self.first.add(answer.question_id, answer.correct)
            self.second.add(answer.question_id, answer.correct or own[answer.question_id, answer.attempt])
        for retry in crossed:
            if retry.retry_reason != TOO_LONG:
                self.swapped.add(retry.question_id, retry.retry_correct)
                self.paired["swapped"].add(retry.question_id, own[retry.question_id, retry.attempt])

    def _add_fixed(self, row: Transcript) -> None:
        self.retry.add(row.question_id, row.retry_correct)
        self.without_leaks.add(row.question_id, row.retry_correct and not row.leak)
        self.fresh.add(row.question_id, bool(row.fresh_correct))
        self.reflections.add(row)
        if row.shuffled_correct is not None:
            self.shuffled.add(row.question_id, row.shuffled_correct)
            self.unshuffled.add(row.question_id, row.retry_correct)
        for name, share, correct in (
            ("plain", self.plain, row.plain_correct),
            ("generic", self.generic, row.generic_correct),
            ("swapped", self.swapped, row.swapped_correct),
        ):
            if correct is not None:
                share.add(row.question_id, correct)
                self.paired[name].add(row.question_id, row.retry_correct)
