"""The audit of the verifier within the verify stage: on a seeded sample of all answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING

from reflection_api.items import Item, Verdict
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..errors import BadData, StageFailure
from ..seeds import derived_seed
from .audit import audit
from .audit_file import AuditRecord, forget_record, keep_record
from .dataset import read_rows
from .sift import Attempt, item_of, judged
from .verifier import Remembering, RowError

if TYPE_CHECKING:
    from reflection_api.manifests import Manifest
    from reflection_api.status import AuditStatus

    from ..context import StageContext
    from .verifier import Verifier

logger = logging.getLogger(__name__)


def audited(context: StageContext, verifier: Verifier, answers: Mapping[str, Manifest]) -> AuditStatus | None:
    """How the verifier stood its audit, which is kept in storage; None where none is asked for.

    Args:
        context: of the stage.
        verifier: the task's.
        answers: paths and manifests of the shards of answers, one at least. All are read, one at a time.

    Raises:
        Unsound: the verifier failed.
        BadData: a row is not what the verifier needs (reason InvalidPrompts).
    """
    limits = context.config.task.verifier.audit
    folder = context.path(Stage.VERIFY)
    if not limits.sample:
        forget_record(context.artifacts, folder)
        return None
    verify = verifier.judge if isinstance(verifier, Remembering) else verifier.verify

    def judge(items: Sequence[Item]) -> list[Verdict]:
        return judged(verify, items) if items else []

    began, made_from = time.monotonic(), next(iter(answers.values())).provenance

    def keep(record: AuditRecord) -> None:
        seconds = time.monotonic() - began
        keep_record(context.artifacts, folder, context.workdir, record, seconds, made_from)

    logger.info("auditing the verifier %s on up to %d answers of all shards", verifier.name, limits.sample)
    try:
        found = audit(verifier, judge, _sample(context, answers, limits.sample), limits)
    except StageFailure as failure:
        if failure.reason is Reason.VERIFIER_UNSOUND:
            keep(AuditRecord(figures=failure.audit, fault=failure.message))
        raise
    except RowError as error:
        raise BadData(
            f"the right answer of a row cannot be read: {error}", reason=Reason.INVALID_PROMPTS
        ) from error
    keep(AuditRecord(figures=found))
    return found


def _sample(context: StageContext, answers: Mapping[str, Manifest], size: int) -> list[Item]:
    """The same answers each time. They come from all shards: those of a sorted file have one kind of question each."""
    seed = context.config.task.prompts.seed

    def rank(attempt: Attempt) -> tuple[int, str]:
        return derived_seed(seed, "audit", attempt["id"]), attempt["id"]

    return [item_of(attempt) for attempt in nsmallest(size, _read(context, answers), key=rank)]


def _read(context: StageContext, answers: Mapping[str, Manifest]) -> Iterator[Attempt]:
    for path in answers:
        local = context.workdir / Path(path).name
        context.artifacts.get_file(path, local)
        yield from read_rows(local)
        local.unlink()
