"""How far the evaluation is, in questions: each counts once for every model that it is put to."""

from __future__ import annotations

from ..progress import Progress


class Work:
    """Turns answers into questions. How many answers a question takes is known only when it is known what went wrong."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._before = self._questions = 0
        self._answers, self._done = 1, 0

    def skip(self, questions: int) -> None:
        """Questions that were answered before."""
        self._progress.skip(self._progress.done + questions)

    def say(self, message: str) -> None:
        """Tell people what is going on where no answers come in."""
        self._progress.update(self._progress.done, message=message, force=True)

    def begin(self, questions: int, answers: int) -> None:
        """Go on to some more questions, which take `answers` answers at most."""
        self._before, self._questions = self._progress.done, questions
        self._answers, self._done = max(1, answers), 0

    def count(self, answers: int) -> None:
        """So many more answers are there, or have turned out not to be needed."""
        self._done += answers
        self._progress.update(self._before + self._questions * self._done // self._answers)
