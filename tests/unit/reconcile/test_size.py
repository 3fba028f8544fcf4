"""The status stays under 10 kB, and cutting it a second time changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.conditions import Condition, ConditionType
from reflection_api.stages import RUN_STAGES, Stage
from reflection_api.status import (
    AttemptRecord,
    AuditStatus,
    CheckpointStatus,
    Cursor,
    DatasetStatus,
    EvaluationStatus,
    ReflectionTrainingStatus,
    Verdict,
    VerifierStatus,
)
from reflection_operator.reconcile.size import MAX_BYTES, fitting

NOW = datetime(2026, 8, 1, tzinfo=UTC)
WORST = ['"', "\\", "a", "\u00e4", "\u4e2d", "\U0001f600"]


def full(character: str, letters: int) -> ReflectionTrainingStatus:
    """A status with everything in it, in words of `letters` bytes as one_line leaves them."""
    words = character * (letters // len(character.encode()))
    uri = "s3://" + "b" * 690
    record = AttemptRecord(
        round=10, stage=Stage.EVALUATE, attempt=10**6, reason="PendingDeadlineExceeded", message=words[:480],
        exit_code=-(2**31) + 1, pod="p" * 253, node="n" * 253, finished_at=NOW,
    )  # fmt: skip
    conditions = [
        Condition(
            type=kind, status="Unknown", reason="PendingDeadlineExceeded", message=words, last_transition_time=NOW,
            observed_generation=2**53 - 1,
        )
        for kind in ConditionType
    ]  # fmt: skip
    return ReflectionTrainingStatus(
        conditions=conditions,
        current=Cursor(
            round=10, stage=Stage.EVALUATE, attempt=10**6, restarts=100, started_at=NOW, retry_at=NOW
        ),
        attempts=[record] * 5,
        metrics={f"m{number}" * 16: 1 / 3 for number in range(10, 26)},
        notes={stage.value: words[:480] for stage in RUN_STAGES},
        dataset=DatasetStatus(uri=uri, failures=2**53 - 1, attempts=2**53 - 1, sha256="f" * 64),
        verifier=VerifierStatus(
            audit=AuditStatus(
                **dict.fromkeys(
                    ("sample", "flaky", "gold", "gold_refused", "canaries", "canaries_accepted"), 2**53 - 1
                )
            )
        ),
        checkpoint=CheckpointStatus(uri=uri, step=10**7, saved_at=NOW),
        evaluation=EvaluationStatus(uri=uri),
        verdict=Verdict(succeeded=False, reason="PendingDeadlineExceeded", message=words),
        report_uri=uri,
    )


@settings(max_examples=60)
@given(st.sampled_from(WORST), st.integers(0, 1200))
def test_any_status_fits(character, letters):
    small = fitting(full(character, letters))
    assert len(small.to_json().encode()) <= MAX_BYTES
    assert fitting(small) == small


def test_what_is_small_is_left_alone():
    small = full("a", 10)
    small = small.model_copy(update={"attempts": [], "conditions": small.conditions[:3]})
    assert fitting(small) == small
