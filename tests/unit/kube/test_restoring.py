"""Whose ConfigMap and Service are looked after."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reflection_api.stages import Stage
from reflection_operator.kube.known import Known, StoredRun
from reflection_operator.kube.restoring import Restoring, wait_in_vain, waiting
from reflection_operator.kube.store import View
from reflection_operator.reconcile.observed import JobState, ObservedJob, ObservedPod, PodPhase, Waiting
from reflection_operator.settings import OperatorSettings

from ..reconcile.builders import UID, resource

T0 = datetime(2026, 8, 1, 12, tzinfo=UTC)
JOB = ObservedJob("job", "uid", 1, Stage.ROLLOUT, 1, 0, created_at=T0)
STUCK = ObservedPod("stuck", "job", phase=PodPhase.PENDING, node="node-1", created_at=T0)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "beside",
    [
        {"phase": PodPhase.RUNNING},
        {"phase": PodPhase.SUCCEEDED},
        {"phase": PodPhase.FAILED, "disrupted": "PreemptionByScheduler"},
        {"node": None, "unschedulable": "no node fits"},
        {"waiting": Waiting("ImagePullBackOff")},
        {"deleting": True},
    ],
    ids=["at work", "ended", "disrupted", "without a node", "hindered", "deleted"],
)
def test_a_pod_that_waits_is_found_whatever_the_others_do(beside: dict[str, Any]) -> None:
    other = replace(STUCK, name="other", **beside)
    assert waiting(JOB, [other, STUCK]) == [STUCK]
    assert waiting(JOB, [other]) == []
    assert waiting(replace(JOB, state=JobState.FAILED), [other, STUCK]) == []


def test_a_pod_that_is_only_slow_is_waited_for() -> None:
    late = replace(STUCK, created_at=after(1000))
    assert not wait_in_vain(JOB, [late], None, after(1020))
    assert wait_in_vain(JOB, [late], None, after(1021))
    assert wait_in_vain(JOB, [late, STUCK], None, after(1001)), "one of them has waited for long"


def test_it_is_not_looked_for_all_the_time() -> None:
    assert not wait_in_vain(JOB, [STUCK], after(100), after(120))
    assert wait_in_vain(JOB, [STUCK], after(100), after(121))


def test_a_pod_without_a_time_is_as_old_as_its_job() -> None:
    pod = replace(STUCK, created_at=None)
    assert wait_in_vain(JOB, [pod], None, after(21))
    assert not wait_in_vain(replace(JOB, started_at=after(10)), [pod], None, after(21))


class Restored:
    """Notes what is created again."""

    def __init__(self) -> None:
        self.times = 0
        self.told: dict[str, Any] = {}
        self._restoring = Restoring(self, OperatorSettings(), lambda: None)
        self.forget = self._restoring.forget

    async def restore(self, _: object, objects: list[dict[str, Any]]) -> None:
        self.times += 1
        self.told = json.loads(objects[0]["data"]["stage.json"])

    def look(self, *pods: ObservedPod, job: str = "uid", **fields: Any) -> int:
        """How often something was created again, after a look at these pods."""
        run = Known(UID, 1, "ml", "countdown", UID, StoredRun(resource().metadata, resource(), None))
        jobs = {"job": Known(job, 1, "ml", "job", UID, replace(JOB, uid=job, **fields))}
        asyncio.run(self._restoring.restore_what_pods_wait_for(View(run, jobs, pods), resource()))
        return self.times


def test_what_was_made_sure_of_is_remembered_while_the_job_and_its_run_are_there() -> None:
    restored = Restored()
    stuck = replace(STUCK, created_at=datetime.now(UTC) - timedelta(minutes=1))
    assert [restored.look(stuck) for _ in range(3)] == [1, 1, 1]
    assert [restored.look(), restored.look(stuck)] == [1, 2], "the pods started in between"
    assert [restored.look(stuck, job="anew"), restored.look(stuck)] == [3, 4], "another Job in between"
    restored.forget("another run")
    assert restored.look(stuck) == 4
    restored.forget(UID)
    assert restored.look(stuck) == 5


def test_pods_are_told_what_their_job_was_made_for() -> None:
    """The spec has one worker by now."""
    restored = Restored()
    restored.look(STUCK, completions=4)
    assert restored.told["rollout"]["workers"] == 4
