"""A module for locked-down children that runs whatever it is given: what hostile code would do."""

from __future__ import annotations

import os

from reflection_trainer.confine.batch import answer_lines


def batch(requests: int, replies: int) -> None:
    answer_lines(attempt, requests, replies)


def attempt(code: str) -> str:
    scope: dict[str, object] = {"os": os, "replies": 4}
    try:
        exec(code, scope)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return str(scope.get("result", "done"))
