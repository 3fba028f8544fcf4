"""Rows of a benchmark that cannot be used: counted, and the first of them named."""

from __future__ import annotations

_NAMED = 5


class Skipped:
    """What was left out, and why."""

    def __init__(self) -> None:
        self.count = 0
        self._named: list[str] = []

    def note(self, place: str, problem: str) -> None:
        """Leave a row out."""
        self.count += 1
        if len(self._named) < _NAMED:
            self._named.append(f"{place}: {problem}")

    def lines(self) -> list[str]:
        """For people: nothing where nothing was left out."""
        if not self.count:
            return []
        more = [f"  and {self.count - len(self._named)} more"] if self.count > len(self._named) else []
        return [f"left out {self.count}:", *(f"  {named}" for named in self._named), *more]
