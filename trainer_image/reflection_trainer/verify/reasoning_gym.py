"""Reasoning gym: the scorers of the package reasoning-gym, in locked-down processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from reflection_api.items import Item, Verdict
from reflection_api.verifiers import ReasoningGymOptions

from ..confine.batch import BROKEN, LATE, Batch
from .answers import tagged_answer
from .reasoning_gym_library import SHARED_ANSWERS
from .rows import column, kind, shown
from .verifier import CORRECT, Row, RowError

NO_ANSWER = "no_answer"
WRONG_ANSWER = "wrong_answer"
TOO_LONG = "too_long"
TOO_COMPLEX = "too_complex"

MAX_ANSWER = 20_000
"""Characters of an answer: the largest board or text of the package has a tenth of it."""
_OTHER_SOLUTIONS = ("example_correct_answer", "example_answer", "possible_answer")
"""Where datasets with many right answers note one."""
_SHAPE = 'write the entry as reasoning-gym makes it: {"question": ..., "answer": ..., "metadata": {"source_dataset": ...}}'


class Entry(NamedTuple):
    """A row that was found good."""

    dataset: str
    entry: dict[str, Any]


class ReasoningGym:
    """An answer is right if the scorer of its dataset gives it the full score of 1.

    **Row.** `entry`: what the package reasoning-gym makes, an object (or a string that holds it as JSON) with `answer` and
    `metadata`. The dataset is `metadata.source_dataset`; the option `dataset` stands in where there is none. All datasets of
    the package but `composite` can be used; their scorers run with their default configuration.

    **Where the answer is.** The text of the last `<answer>...</answer>`; without such a pair the whole completion. White
    space at both ends is left out. At most 20,000 characters.

    **Right.** A score of 1. Scorers give partial credit, some of it to anything at all: everything below 1 is wrong. Where the
    entry's own answer is empty, as some of `ab` are, an empty answer is right and nothing else.

    **Where it runs.** In a locked-down process (see `code`), since several scorers execute the answer: four call `eval` on
    it, six give it to sympy's `parse_expr`, which does. Before that the text is looked at: `eval` reads literals only, and
    what the parser makes may only put together numbers, symbols and mathematical functions. So an answer can neither reach
    anything nor say that it is right.

    **Differences from the package.** Three scorers give the full score to wrong answers, and a training would find out:
    `coin_flip` to a beginning of the answer (`0`), `complex_arithmetic` to `nan`, `game_of_life_halting` to anything. Here the
    first must be within 0.0001, the second a number, the third the entry's own word. Otherwise there is none for answers that
    are data or mathematics. Some scorers are looser than their question: `puzzle24` takes any four numbers of the right size
    that make 24, not only those of the question. For Countdown use `countdown`, which is exact.

    **Source.** reasoning-gym 0.1.25, `score_answer` of each dataset.
    """

    name = "reasoning_gym"
    version = 1
    meanings: ClassVar[Mapping[str, str]] = {
        CORRECT: "The scorer gives the full score.",
        NO_ANSWER: "The answer is empty or only white space, and the entry's own is not.",
        WRONG_ANSWER: "The scorer gives less, or cannot read the answer.",
        TOO_LONG: f"The answer has more than {MAX_ANSWER:,} characters.",
        TOO_COMPLEX: "Scoring it took more than 1 second of a processor, or more memory than it may have.",
    }
    reasons = tuple(meanings)
    required_columns = ("entry",)

    def __init__(self, options: ReasoningGymOptions | None = None) -> None:
        self.options = options or ReasoningGymOptions()
        self._batch = Batch(f"{__package__}.reasoning_gym_cell")

    def check_row(self, row: Row) -> None:
        """Raise `RowError` unless `entry` is one of a dataset that is known."""
        dataset = self._entry(row).dataset
        if dataset not in self._datasets:
            raise RowError(
                "entry",
                f"there is no dataset {shown(dataset)} in reasoning-gym, or it cannot be judged alone",
                f"known are {', '.join(self._datasets)}",
            )

    def gold(self, row: Row, /) -> str | None:
        """The entry's own answer, or the example of one that its metadata has."""
        entry = self._entry(row).entry
        found = [entry["answer"], *(entry["metadata"].get(name) for name in _OTHER_SOLUTIONS)]
        for answer in found:
            if isinstance(answer, str):
                return f"<answer>{answer}</answer>"
            if isinstance(answer, dict):
                return f"<answer>{json.dumps(answer)}</answer>"
        return None

    def shares(self, row: Row, _other: Row, /) -> bool:
        """In datasets whose scorers take what solves the puzzle, whichever it was written for."""
        return self._entry(row).dataset in SHARED_ANSWERS

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order."""
        entries = [self._entry(item.row) for item in items]
        answers = [_answer(item.completion) for item in items]
        reasons = [_known(answer, entry) for answer, entry in zip(answers, entries, strict=True)]
        asked = [index for index, reason in enumerate(reasons) if not reason]
        questions = [[entries[index].dataset, answers[index], entries[index].entry] for index in asked]
        for index, word in zip(asked, self._batch.ask(questions), strict=True):
            reasons[index] = TOO_COMPLEX if word in (LATE, BROKEN) else word
        return [
            Verdict(id=item.id, correct=reason == CORRECT, reason=reason)
            for item, reason in zip(items, reasons, strict=True)
        ]

    @cached_property
    def _datasets(self) -> list[str]:
        names: list[str] = json.loads(self._batch.ask([None])[0])
        return names

    def _entry(self, row: Row) -> Entry:
        """The entry of a row.

        Raises:
            RowError: it is none.
        """
        entry = column(row, "entry", self.name)
        if isinstance(entry, str):
            try:
                entry = json.loads(entry)
            except (ValueError, RecursionError) as error:
                raise RowError("entry", f"entry is a string, but not JSON ({error})", _SHAPE) from error
        if not isinstance(entry, dict):
            raise RowError("entry", f"entry is {kind(entry)}: {shown(entry)}", _SHAPE)
        metadata = entry.get("metadata")
        if "answer" not in entry or not isinstance(metadata, dict):
            raise RowError("entry", "entry has no answer or no metadata", _SHAPE)
        dataset = metadata.get("source_dataset") or self.options.dataset
        if not isinstance(dataset, str):
            raise RowError(
                "entry", "entry.metadata has no source_dataset", "add it, or set the option dataset"
            )
        return Entry(dataset, entry)


def _answer(completion: str) -> str:
    tagged = tagged_answer(completion)
    return (completion if tagged is None else tagged).strip()


def _known(answer: str, entry: Entry) -> str:
    """The reason that needs no scorer; empty where one has to be asked."""
    own = entry.entry["answer"]
    if isinstance(own, str) and not own.strip():
        return WRONG_ANSWER if answer else CORRECT
    if not answer:
        return NO_ANSWER
    return TOO_LONG if len(answer) > MAX_ANSWER else ""
