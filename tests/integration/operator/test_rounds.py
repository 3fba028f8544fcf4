"""A run of two rounds on a real API server: the second begins as the first did, with what that has learned."""

from __future__ import annotations

from collections import Counter

from reflection_api.conditions import ConditionType

from ...support.audit import of_operator
from ...support.cluster import Cluster, until
from ...support.crash_case import course
from ...support.kubelet import Kubelet
from ...support.operator_process import OperatorProcess
from .conftest import Run

STAGES = {
    ConditionType.ROLLOUTS_COMPLETE: "rollout",
    ConditionType.FAILURES_VERIFIED: "verify",
    ConditionType.TRAINING_COMPLETE: "train",
    ConditionType.EVALUATION_COMPLETE: "evaluate",
}
JOBS = [f"r{number}-{stage}-1" for number in (1, 2) for stage in STAGES.values()] + ["r2-report-1"]
KINDS = ("configmaps", "services", "jobs")
OF_A_ROUND = [
    "RolloutJobCreated", "RolloutsComplete", "VerifyJobCreated", "FailuresDatasetWritten", "TrainingStarted",
    "TrainingComplete", "EvaluationJobCreated", "EvaluationComplete",
]  # fmt: skip


def test_two_rounds(run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster) -> None:
    operator.start()
    version = run.apply(spec__rounds=2, spec__training={"nodes": 2})["metadata"]["resourceVersion"]
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    last = run.get()
    prefix = f"countdown-{last['metadata']['uid'][:8]}-"
    assert sorted(job["metadata"]["name"] for job in run.jobs()) == sorted(prefix + name for name in JOBS)

    changes = cluster.watch(run.path.rsplit("/", 1)[0], version, until=last)
    statuses = [change["object"].get("status", {}) for change in changes]
    courses = {kind: course(statuses, kind) for kind in STAGES}
    again = {kind: ["False", "True", "False", "True"] for kind in STAGES}
    # The conditions are of the current round, which the end of an evaluation makes the next one.
    assert courses == again | {ConditionType.EVALUATION_COMPLETE: ["False", "True"]}
    assert course(statuses, "Succeeded") == ["Unknown", "True"]
    assert course(statuses, "Ready") == ["True"]
    stages = [(at["round"], at["stage"]) for status in statuses if (at := status.get("current"))]
    assert list(dict.fromkeys(stages)) == [
        *((number, stage) for number in (1, 2) for stage in STAGES.values()),
        (2, "report"),
    ]

    status = last["status"]
    assert (status["phase"], status["restarts"]) == ("Succeeded", 0)
    assert {run.condition(kind)["message"] for kind in STAGES} == {"round 2 of 2"}
    assert "/round-2/" in status["dataset"]["uri"]
    assert "/round-2/" in status["evaluation"]["uri"]
    run.told("Succeeded")
    told = run.events()
    reasons = [reason for reason, _ in told]
    assert reasons == ["Accepted", *OF_A_ROUND * 2, "ReportJobCreated", "ReportWritten", "Succeeded"]
    begun = [words.split(":")[0] for reason, words in told if reason.endswith(("JobCreated", "Started"))]
    assert begun == ["round 1 of 2"] * 4 + ["round 2 of 2"] * 4 + ["the report is being written"]

    asked = Counter(
        (entry["objectRef"]["resource"], entry["objectRef"]["name"].removeprefix(prefix))
        for entry in of_operator(cluster, run.namespace)
        if entry["verb"] == "create" and entry["objectRef"]["resource"] in KINDS
    )
    assert set(asked.values()) == {1}
    assert {name for kind, name in asked if kind == "jobs"} == set(JOBS)
    assert {name for kind, name in asked if kind == "services"} == {"r1-train-1", "r2-train-1"}
