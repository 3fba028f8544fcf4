"""Many questions to locked-down children that answer one after the other.

For libraries that are slow, or whose text parsers execute what they read, on text that is refused before it could run anything
(see guard.py). A child that took too long or died is replaced; the question that it died of gets no answer and goes to no other
child.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from ..cpus import available_cpus
from .cells import Cells, Child
from .talk import Allowance, Refused, ask

LATE, BROKEN = "late", "broken"
"""Instead of an answer: time ran out; the child ended."""

CPU_SECONDS = 1.0
"""Of a processor, for one question."""
_QUESTIONS_PER_CHILD = 500
"""Then a fresh one takes over, so that what libraries remember does not grow."""
_CPU_SECONDS_OF_A_LIFE = 3600


class Batch:
    """Asks the function `batch` of a module."""

    def __init__(self, module: str, cpu_seconds: float = CPU_SECONDS) -> None:
        self._cells = Cells(module)
        self._allowance = Allowance.of(cpu_seconds)

    def ask(self, questions: Sequence[Any]) -> list[str]:
        """One answer per question, in order: the child's word, or `LATE` or `BROKEN`.

        Raises:
            CannotConfine: no child can be started on this machine.
        """
        numbered = iter(enumerate(questions))
        answers = [BROKEN] * len(questions)
        lanes = min(available_cpus(), len(questions))
        if lanes == 1:
            self._lane(numbered, answers)
        elif lanes:
            shared = _Shared(numbered)
            with ThreadPoolExecutor(lanes) as pool:
                for lane in [pool.submit(self._lane, shared, answers) for _ in range(lanes)]:
                    lane.result()
        return answers

    def _lane(self, numbered: Iterator[tuple[int, Any]], answers: list[str]) -> None:
        """Take questions while there are any."""
        with ExitStack() as stack:
            link: _Link | None = None
            asked = 0
            for index, question in numbered:
                if link is None or asked == _QUESTIONS_PER_CHILD:
                    stack.close()
                    link, asked = stack.enter_context(_Link(self._cells)), 0
                asked += 1
                try:
                    answers[index] = link.ask(question, self._allowance)
                except Refused as refused:
                    answers[index] = LATE if refused.late else BROKEN
                    link = None


class _Shared:
    """An iterator that several threads pull from."""

    def __init__(self, numbered: Iterator[tuple[int, Any]]) -> None:
        self._numbered, self._lock = numbered, threading.Lock()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        return self

    def __next__(self) -> tuple[int, Any]:
        with self._lock:
            return next(self._numbered)


class _Link:
    """A child and the pipes to it."""

    def __init__(self, cells: Cells) -> None:
        theirs_in, self._writer = os.pipe()
        self._reader, theirs_out = os.pipe()
        for ours in (self._writer, self._reader):
            os.set_blocking(ours, False)
        self._child: Child = cells.spawn("batch", [theirs_in, theirs_out], _CPU_SECONDS_OF_A_LIFE)

    def __enter__(self) -> _Link:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.end()
        os.close(self._writer)
        os.close(self._reader)

    def ask(self, question: Any, allowance: Allowance) -> str:
        line = json.dumps(question).encode()
        return ask([self._child], self._writer, line, self._reader, allowance).decode(errors="replace")


def answer_lines(answer: Callable[[Any], str], requests: int, replies: int) -> None:
    """The child's side: answer questions until there are no more."""
    with open(requests, "rb") as lines:
        for line in lines:
            word = answer(json.loads(line)).encode() + b"\n"
            while word:
                word = word[os.write(replies, word) :]
