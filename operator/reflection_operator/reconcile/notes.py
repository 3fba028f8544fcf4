"""What a reader should know of a stage although nothing failed: a limit beyond the data, answers that had no room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reflection_api.contract import StageResult
from reflection_api.stages import Stage

from .text import one_line, sentence

_MAX_NOTE = 480


def noted(notes: Mapping[str, str], stage: Stage, parts: Sequence[StageResult]) -> dict[str, str]:
    """The notes of a run with those of a stage that is now complete, which replace the ones of the round before."""
    kept = {name: text for name, text in notes.items() if name != stage}
    # Workers say the same of the data that they share.
    note = one_line(sentence(*dict.fromkeys(part.note for part in parts)), _MAX_NOTE)
    return kept | {stage.value: note} if note else kept
