"""What a reader should know of a stage although nothing failed: a limit beyond the data, answers that had no room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reflection_api.contract import StageResult
from reflection_api.stages import Stage

from .results import count, metrics_of
from .text import many, one_line, sentence

_MAX_NOTE = 480


def noted(notes: Mapping[str, str], stage: Stage, parts: Sequence[StageResult]) -> dict[str, str]:
    """The notes of a run with those of a stage that is now complete, which replace the ones of the round before."""
    kept = {name: text for name, text in notes.items() if name != stage}
    note = one_line(_note(stage, parts), _MAX_NOTE)
    return kept | {stage.value: note} if note else kept


def _note(stage: Stage, parts: Sequence[StageResult]) -> str:
    if stage is Stage.VERIFY:
        duplicates = count(metrics_of(stage, parts), "duplicates")
        return f"{many(duplicates, 'duplicate')} left out" if duplicates else ""
    # Workers say the same of the data that they share.
    return sentence(*dict.fromkeys(_beside(stage, part.message) for part in parts))


def _beside(stage: Stage, message: str) -> str:
    """What a result says beside what was done: a training says nothing else."""
    return message if stage is Stage.TRAIN else message.partition("; ")[2]
