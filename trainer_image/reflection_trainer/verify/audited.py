"""The audit of the verifier within the verify stage: on a seeded sample of all answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING

from reflection_api.items import Item, Verdict
from reflection_api.reasons import Reason

from ..errors import BadData
from ..seeds import derived_seed
from .audit import audit
from .dataset import read_rows
from .sift import Attempt, item_of, judged
from .verifier import Remembering, RowError

if TYPE_CHECKING:
    from reflection_api.status import AuditStatus

    from ..context import StageContext
    from .verifier import Verifier


def audited(context: StageContext, verifier: Verifier, answers: Iterable[str]) -> AuditStatus | None:
    """How the verifier stood its audit; None where none is asked for.

    Args:
        context: of the stage.
        verifier: the task's.
        answers: paths of the shards of answers. All are read, one at a time.

    Raises:
        Unsound: the verifier failed.
        BadData: a row is not what the verifier needs (reason InvalidPrompts).
    """
    limits = context.config.task.verifier.audit
    if not limits.sample:
        return None
    verify = verifier.judge if isinstance(verifier, Remembering) else verifier.verify

    def judge(items: Sequence[Item]) -> list[Verdict]:
        return judged(verify, items) if items else []

    try:
        return audit(verifier, judge, _sample(context, answers, limits.sample), limits)
    except RowError as error:
        raise BadData(
            f"the right answer of a row cannot be read: {error}", reason=Reason.INVALID_PROMPTS
        ) from error


def _sample(context: StageContext, answers: Iterable[str], size: int) -> list[Item]:
    """The same answers each time. They come from all shards: those of a sorted file have one kind of question each."""
    seed = context.config.task.prompts.seed

    def rank(attempt: Attempt) -> tuple[int, str]:
        return derived_seed(seed, "audit", attempt["id"]), attempt["id"]

    return [item_of(attempt) for attempt in nsmallest(size, _read(context, answers), key=rank)]


def _read(context: StageContext, answers: Iterable[str]) -> Iterator[Attempt]:
    for path in answers:
        local = context.workdir / Path(path).name
        context.artifacts.get_file(path, local)
        yield from read_rows(local)
        local.unlink()
