"""The locked-down side of `reasoning_gym`."""

from __future__ import annotations

import ast
import json
import sys
from typing import Any

from ..confine.batch import answer_lines
from . import reasoning_gym_library, sympy_guard


def _prepare() -> dict[str, Any]:
    """Every scorer, made and ready: some read files when they are made."""
    library = reasoning_gym_library.load()
    sympy_guard.preload()
    sympy_guard.install()
    for name in reasoning_gym_library.EVALUATES_ANSWERS:
        vars(sys.modules[f"reasoning_gym.{name}"])["eval"] = ast.literal_eval
    names = [name for name in library.factory.DATASETS if name not in reasoning_gym_library.UNSUPPORTED]
    return {name: library.create_dataset(name) for name in names}


_SCORERS = _prepare()


def batch(requests: int, replies: int) -> None:
    """Answer whether answers score 1."""
    answer_lines(_judge, requests, replies)


def _judge(question: Any) -> str:
    if question is None:
        return json.dumps(sorted(_SCORERS))
    name, answer, entry = question
    if name in reasoning_gym_library.NEED_TUPLES:
        entry["metadata"] = _with_tuples(entry["metadata"])
    holds = reasoning_gym_library.TOO_KIND.get(name)
    try:
        if holds and not holds(answer, entry):
            return "wrong_answer"
        score = _SCORERS[name].score_answer(answer, entry)
    except MemoryError:
        return "too_complex"
    except Exception:  # noqa: BLE001 - a scorer that an answer makes stumble has not found it right
        return "wrong_answer"
    return "correct" if score == 1 else "wrong_answer"


def _with_tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_with_tuples, value))
    return {key: _with_tuples(inner) for key, inner in value.items()} if isinstance(value, dict) else value
