"""A seeded sample of the fixed failures, base and trained model side by side."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest

from reflection_api.layout import MANIFEST
from reflection_api.stages import Stage

from ..context import StageContext
from ..evaluate.transcripts import Transcript as Said
from ..evaluate.transcripts import read_rows
from ..seeds import derived_seed
from .content import Transcript

_SIZE = 20
"""Transcripts in the report: the files hold all of them."""
_BASE, _TRAINED = "base-second-", "trained-second-"


def sampled_transcripts(context: StageContext, number: int) -> list[Transcript]:
    """The sample of a round, the same each time; one shard of answers at a time is in memory."""
    seed = context.config.task.prompts.seed

    def rank(pair: tuple[Said, Said]) -> tuple[int, str, int]:
        base = pair[0]
        return derived_seed(seed, "report", base.question_id, base.attempt), base.question_id, base.attempt

    return [_side_by_side(*pair) for pair in nsmallest(_SIZE, _pairs(context, number), key=rank)]


def _pairs(context: StageContext, number: int) -> Iterator[tuple[Said, Said]]:
    """What both models made of each fixed failure. The base model's answers lie in the first round's folder."""
    trained_folder, base_folder = (context.path(Stage.EVALUATE, round_number=n) for n in (number, 1))
    for path in context.artifacts.store.list(trained_folder):
        name = path.removesuffix(f".{MANIFEST}").removeprefix(f"{trained_folder}/")
        if path.endswith(f".{MANIFEST}") and name.startswith(_TRAINED):
            shard = name.removeprefix(_TRAINED)
            base = _fixed(context, f"{base_folder}/{_BASE}{shard}")
            trained = _fixed(context, f"{trained_folder}/{name}")
            yield from ((base[key], trained[key]) for key in base.keys() & trained.keys())


def _fixed(context: StageContext, path: str) -> dict[tuple[str, int], Said]:
    local = context.workdir / path.replace("/", "-")
    if context.artifacts.get_file(path, local) is None:
        return {}
    rows = {(row.question_id, row.attempt): row for row in read_rows(local, Said) if row.fixed}
    local.unlink()
    return rows


def _side_by_side(base: Said, trained: Said) -> Transcript:
    return Transcript(
        question=base.question,
        failed=base.failed,
        reason=base.reason,
        base_reflection=base.reflection,
        base_retry=base.retry,
        base_correct=base.retry_correct,
        trained_reflection=trained.reflection,
        trained_retry=trained.retry,
        trained_correct=trained.retry_correct,
    )
