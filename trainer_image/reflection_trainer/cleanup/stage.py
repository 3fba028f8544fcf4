"""The clean-up: deletes everything that the run has left in storage. No other pod of the run is alive by then."""

from __future__ import annotations

import logging

from reflection_api.contract import StageResult
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..context import StageContext

logger = logging.getLogger(__name__)


def run(context: StageContext) -> StageResult:
    """Delete the run's folder. What an earlier attempt has deleted is no longer there, and that is fine."""
    store = context.artifacts.store
    count = store.clear()
    logger.info("deleted %d objects below %s", count, store.root)
    return StageResult(
        stage=Stage.CLEANUP,
        outcome="Succeeded",
        reason=Reason.COMPLETED.value,
        metrics={"objects": float(count)},
    )
