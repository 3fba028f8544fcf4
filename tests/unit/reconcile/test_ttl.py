"""ttlSecondsAfterFinished."""

from __future__ import annotations

from datetime import timedelta

import pytest
from reflection_api.stages import Stage
from reflection_api.status import Verdict

from .builders import complete, decided, resource, status_at, status_of

VERDICT = Verdict(succeeded=True, reason="Completed", message="")


def ended(**spec):
    run = resource(status_at(Stage.REPORT, verdict=VERDICT), **spec)
    return decided(run, [complete(Stage.REPORT)], at=1000)


@pytest.mark.parametrize(
    ("seconds", "at", "deleted", "look_again"),
    [
        (None, 10**7, False, None),
        (600, 1599, False, timedelta(seconds=1)),
        (600, 1600, True, None),
        (0, 1000, True, None),
    ],
)
def test_a_finished_resource_is_deleted_in_time(seconds, at, deleted, look_again):
    spec = {} if seconds is None else {"ttlSecondsAfterFinished": seconds}
    decision = decided(resource(status_of(ended()), **spec), at=at)
    assert decision.delete_resource is deleted
    assert decision.look_again == look_again


def test_the_end_itself_says_when_to_come_back():
    assert ended(ttlSecondsAfterFinished=600).look_again == timedelta(seconds=600)
    assert not ended(ttlSecondsAfterFinished=0).delete_resource


def test_a_run_that_goes_on_is_never_deleted():
    decision = decided(resource(status_at(Stage.TRAIN), ttlSecondsAfterFinished=0), at=10**6)
    assert not decision.delete_resource
