"""What the Job controller could not do, from its events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from reflection_api.stages import Stage
from reflection_operator.kube.errors import ApiError
from reflection_operator.kube.kinds import EVENTS, Kind
from reflection_operator.kube.pod_refusals import PodRefusals, misses_pods
from reflection_operator.reconcile.observed import ObservedJob, ObservedPod, PodPhase, Waiting

from ..reconcile.builders import T0, after

JOB = ObservedJob("job", "uid-1", 1, Stage.TRAIN, 1, 0, created_at=T0, completions=2)
OTHER = replace(JOB, name="other", uid="uid-2")


def complaint(uid: str, message: str, at: str) -> dict[str, Any]:
    return {"involvedObject": {"uid": uid}, "message": message, "lastTimestamp": at}


class Server:
    """Has two pages of events."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.pages_of_events = [
            [complaint("uid-1", "newest", "2026-08-01T12:00:09Z")],
            [complaint("uid-1", "older", "2026-08-01T12:00:01Z"), complaint("uid-3", "of another", "")],
        ]

    async def pages(
        self, kind: Kind, namespace: str, *, fields: str
    ) -> AsyncIterator[tuple[list[dict[str, Any]], int]]:
        assert kind is EVENTS
        self.asked.append(f"{namespace}: {fields}")
        if self.error:
            raise self.error
        for page in self.pages_of_events:
            yield page, 1


def said(
    found: PodRefusals, *jobs: ObservedJob, pods: tuple[ObservedPod, ...] = (), at: float = 10
) -> list[str]:
    return [job.pods_refused for job in asyncio.run(found.noted("ml", jobs, pods, after(at)))]


def test_the_newest_word_about_each_job_is_told_and_listed_once_for_all() -> None:
    now = [100.0]
    server = Server()
    found = PodRefusals(server, lambda: now[0])
    assert said(found, JOB, OTHER) == ["newest", ""]
    assert said(found, OTHER, JOB) == ["", "newest"]
    assert server.asked == ["ml: reason=FailedCreate,involvedObject.kind=Job"]
    server.pages_of_events = [[complaint("uid-2", "now it is this one", "")]]
    now[0] += 60
    assert said(found, JOB, OTHER) == ["", "now it is this one"]


def test_a_namespace_that_nobody_asks_about_is_forgotten() -> None:
    now = [100.0]
    found = PodRefusals(Server(), lambda: now[0])
    for place in ("gone", "ml"):
        asyncio.run(found.noted(place, [JOB], (), after(10)))
        now[0] += 600
    assert {place for place, _ in found._found} == {"gone", "ml"}
    asyncio.run(found.noted("ml", [JOB], (), after(10)))
    assert {place for place, _ in found._found} == {place for place, _ in found._locks} == {"ml"}


def test_nothing_is_asked_of_a_job_that_is_new_or_has_its_pods() -> None:
    server = Server()
    pods = tuple(ObservedPod(f"pod-{n}", "job", index=n, phase=PodPhase.PENDING) for n in range(2))
    assert said(PodRefusals(server), JOB, at=2) == [""]
    assert said(PodRefusals(server), JOB, pods=pods) == [""]
    assert server.asked == []


@pytest.mark.parametrize("error", [ApiError("list", 403, b"{}", {}), TimeoutError()])
def test_a_run_goes_on_where_the_events_cannot_be_read(error: Exception) -> None:
    server = Server()
    server.error = error
    assert said(PodRefusals(server), JOB) == [""]


@pytest.mark.parametrize(
    ("phases", "changes", "missed"),
    [
        ([], {}, True),
        (["Pending"], {}, True),
        (["Pending", "Running"], {}, False),
        (["Succeeded", "Running"], {}, False),
        (["Failed", "Running"], {}, True),
        ([], {"suspended": True}, False),
        ([], {"deleting": True}, False),
    ],
)
def test_whether_pods_are_missed(phases: list[str], changes: dict[str, Any], missed: bool) -> None:
    pods = [ObservedPod(f"pod-{n}", "job", phase=PodPhase(phase)) for n, phase in enumerate(phases)]
    assert misses_pods(replace(JOB, **changes), [*pods, ObservedPod("x", "other")]) is missed


def lacking(
    found: PodRefusals, *pods: ObservedPod, jobs: tuple[ObservedJob, ...] = (JOB,), at: float = 10
) -> list[str]:
    return [pod.mounts_refused for pod in asyncio.run(found.mounting("ml", jobs, pods, after(at)))]


STUCK = ObservedPod("pod-0", "job", phase=PodPhase.PENDING, node="node-1")


def test_a_pod_that_waits_on_its_node_is_told_what_the_kubelet_lacks() -> None:
    server = Server()
    words = 'secret "minio-ca" not found'
    server.pages_of_events = [
        [{"involvedObject": {"name": "pod-0"}, "message": words, "lastTimestamp": "2026-08-01T12:00:09Z"}]
    ]
    found = PodRefusals(server)
    assert lacking(found, STUCK, replace(STUCK, name="pod-1")) == [words, ""]
    assert server.asked == ["ml: reason=FailedMount,involvedObject.kind=Pod"]


@pytest.mark.parametrize(
    "pod",
    [
        replace(STUCK, node=None),
        replace(STUCK, phase=PodPhase.RUNNING),
        replace(STUCK, deleting=True),
        replace(STUCK, waiting=Waiting("ImagePullBackOff", "no such image")),
        replace(STUCK, job_name="other"),
    ],
)
def test_nothing_is_asked_of_others(pod: ObservedPod) -> None:
    server = Server()
    assert lacking(PodRefusals(server), pod) == [""]
    assert server.asked == []


def test_nor_of_one_that_may_only_be_slow() -> None:
    server = Server()
    assert lacking(PodRefusals(server), STUCK, at=2) == [""]
    assert server.asked == []
