"""`python -m reflection_trainer.train.worker ORDER`: one training process, started by accelerate's launcher.

It reads local files and writes local files. Storage is the launcher's business.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import traceback
from pathlib import Path

from reflection_api.reasons import Reason
from reflection_api.templates import TemplateProblem

from ..errors import BadConfig, StageFailure, is_out_of_memory, out_of_memory_words, scratch_full
from ..logs import begin_log
from ..startup import leave, prepare
from .family import die_with_parent
from .order import RANK_VARIABLE, Outcome, WorkOrder, write_file

logger = logging.getLogger(__name__)


def main() -> int:
    """Train as the order says and leave the outcome; the exit code tells the launcher only whether to end the others."""
    die_with_parent()
    begin_log()
    order = WorkOrder.model_validate_json(Path(sys.argv[1]).read_bytes())
    outcome = run(order)
    write_file(order.outcome_file(int(os.environ.get(RANK_VARIABLE, "0"))), outcome.to_json())
    return 0 if outcome.ended != "failed" else 1


def run(order: WorkOrder) -> Outcome:
    """Carry out an order; whatever happens becomes an outcome."""
    try:
        from .session import train

        return train(order)
    except StageFailure as failure:
        return _failed(failure)
    except TemplateProblem as problem:
        return _failed(BadConfig(str(problem), reason=Reason.INVALID_TEMPLATE))
    except Exception as error:  # noqa: BLE001 - the launcher must learn of it, whatever it is
        if is_out_of_memory(error):
            return _out_of_memory(out_of_memory_words(error))
        if full := scratch_full(error):
            _make_room(order)
            return _failed(full)
        traceback.print_exc()
        return Outcome(
            ended="failed",
            reason=Reason.TRAINER_CRASHED.value,
            message=f"{type(error).__name__}: {error}"[:1024],
        )


def _make_room(order: WorkOrder) -> None:
    """Remove the checkpoint that could not be finished: where it has taken the last byte, not even the outcome can be left."""
    for unfinished in order.output.glob("checkpoint-*"):
        if not (order.ready / unfinished.name).exists():
            shutil.rmtree(unfinished, ignore_errors=True)


def _failed(failure: StageFailure) -> Outcome:
    return Outcome(
        ended="failed",
        reason=failure.reason.value,
        message=failure.message[:1024],
        exit_code=int(failure.exit_code),
    )


def _out_of_memory(what: str) -> Outcome:
    return Outcome(
        ended="failed",
        reason=Reason.OUT_OF_MEMORY.value,
        message=f"{what}; lower spec.training.microBatchSize or the token limits, or give the pods more memory",
    )


if __name__ == "__main__":
    prepare()
    leave(main())
