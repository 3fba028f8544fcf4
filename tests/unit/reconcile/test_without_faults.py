"""A run without faults: few looks, and no second Job, however old the lists of Jobs and pods are."""

from __future__ import annotations

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.stages import Stage
from reflection_operator.reconcile.conditions import has_ended, is_true
from reflection_operator.reconcile.decide import decide

from .builders import resource
from .cluster import Cluster, step, work


def cluster_of_two_rounds():
    run = resource(rounds=2, rollout={"workers": 2}, training={"nodes": 2})
    return Cluster(run, queue=False, metrics={Stage.VERIFY: {"attempts": 8.0, "failures": 5.0}})


@pytest.mark.parametrize("age", [1, 2, 5, 30])
def test_old_lists_of_jobs_and_pods_make_no_second_job(age):
    """At every step of a run; the status is not old, and knows what they do not."""
    cluster = cluster_of_two_rounds()
    while not (cluster.resource.status and has_ended(cluster.resource.status.conditions)):
        step(cluster)
        jobs = set(cluster.jobs)
        for ages in ((age, age), (age, 0)):
            seen = cluster.look(*ages, 0)
            cluster.act(seen, decide(seen.run), until=4)
            assert set(cluster.jobs) == jobs
            assert len(cluster.live_jobs()) <= 1
        work(cluster)
    assert is_true(cluster.resource.status.conditions, ConditionType.SUCCEEDED)


def test_a_run_without_faults_takes_few_looks():
    cluster = cluster_of_two_rounds()
    looks = 0
    while not (cluster.resource.status and has_ended(cluster.resource.status.conditions)):
        step(cluster)
        work(cluster)
        looks += 1
    assert looks == 10
    assert is_true(cluster.resource.status.conditions, ConditionType.SUCCEEDED)
    reasons = [str(event.reason) for event in cluster.events]
    stages = "RolloutsComplete VerifyJobCreated FailuresDatasetWritten TrainingStarted TrainingComplete EvaluationJobCreated"
    each_round = ["RolloutJobCreated", *stages.split(), "EvaluationComplete"]
    end = ["ReportJobCreated", "ReportWritten", "Succeeded"]
    assert reasons == ["Accepted", *each_round, *each_round, *end]
