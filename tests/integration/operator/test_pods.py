"""Single pods of an attempt end while others are at work: what the real Job controller and the operator make of it."""

from __future__ import annotations

from collections import Counter

from ...support.cluster import CORE, Cluster, Obj, until
from ...support.kubelet import End, Kubelet, Wait, attempt_of, index_of, run_on, stage_of, train_on
from ...support.operator_process import OperatorProcess
from .conftest import Run, finish


def of(kubelet: Kubelet, stage: str, attempt: int = 1) -> list[Obj]:
    return [pod for pod in kubelet.pods() if (stage_of(pod), attempt_of(pod)) == (stage, attempt)]


def test_a_rank_that_dies_ends_the_others_before_the_next_attempt_begins(
    run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    """Two trainings may never write side by side, and one rank that is left waits for ever for the other."""

    def rank_0_dies(pod: Obj) -> End | None:
        if (stage_of(pod), attempt_of(pod)) != ("train", 1):
            return End()
        return End(1, "CUDA error") if index_of(pod) == 0 and len(running(kubelet)) == 2 else None

    kubelet.script = rank_0_dies
    kubelet.stopping = run_on  # it takes its time
    operator.start()
    run.apply(spec__training={"nodes": 2})

    def failing() -> bool:
        """The Job controller has decided, and waits for the other rank."""
        training = [job for job in run.jobs() if job["metadata"]["name"].endswith("train-1")]
        conditions = [each["type"] for job in training for each in job["status"].get("conditions", [])]
        return "FailureTarget" in conditions

    until(failing, "failure", meanwhile=kubelet.tick)
    assert [index_of(pod) for pod in running(kubelet)] == [1]
    run.change(activeDeadlineSeconds=100_000)
    until(lambda: run.status["observedGeneration"] == 2, "a look at the run", meanwhile=kubelet.tick)
    assert "train-2" not in run.job_names()
    kubelet.stopping = lambda _: End(143)
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert run.status["restarts"] == 1
    (attempt,) = run.status["attempts"]
    assert (attempt["reason"], attempt["exitCode"]) == ("TrainerCrashed", 1)


def running(kubelet: Kubelet) -> list[Obj]:
    return [pod for pod in of(kubelet, "train") if pod["status"]["phase"] == "Running"]


def test_a_shard_whose_pod_is_taken_away_gets_another_one_in_the_same_job(
    run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    """Preempted once, and once gone together with its node, which cannot say how it ended."""
    seen: Counter[int] = Counter()
    names: set[str] = set()

    def script(pod: Obj) -> End | None:
        if stage_of(pod) != "rollout":
            return End()
        if pod["metadata"]["name"] not in names:
            names.add(pod["metadata"]["name"])
            seen[index_of(pod)] += 1
        if seen[0] == 1 and index_of(pod) == 0:
            return End(143, disrupted="PreemptionByScheduler")
        return End() if seen[0] > 1 and seen[1] > 1 else None

    kubelet.script = script
    operator.start()
    run.apply(spec__rollout={"workers": 2})
    until(lambda: seen[0] > 1, "replacement", meanwhile=kubelet.tick)
    lost = next(pod for pod in of(kubelet, "rollout") if index_of(pod) == 1)
    kubelet.lose(lost)
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert run.status["restarts"] == 0
    assert run.job_names().count("rollout-1") == 1
    assert seen == {0: 2, 1: 2}


def test_a_pod_that_is_evicted_by_the_api_is_not_counted_as_a_failure(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, cluster: Cluster
) -> None:
    """As `kubectl drain` does it: the API server itself writes down that it was a disruption."""
    kubelet.script = lambda pod: None if (stage_of(pod), attempt_of(pod)) == ("train", 1) else End()
    operator.start()
    run.apply(spec__failurePolicy={"maxRestarts": 0})
    until(lambda: running(kubelet), "training pod", meanwhile=kubelet.tick)
    (pod,) = running(kubelet)
    metadata = {name: pod["metadata"][name] for name in ("name", "namespace")}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"{CORE}/namespaces/{run.namespace}/pods/{metadata['name']}/eviction"
    cluster.create(path, eviction)
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    (attempt,) = run.status["attempts"]
    assert (attempt["stage"], attempt["reason"], attempt["counted"]) == ("train", "Disrupted", False)
    assert run.status["restarts"] == 1
    assert [name for name in run.job_names() if name.startswith("train")] == ["train-1", "train-2"]


CRASHED = Wait(
    "CrashLoopBackOff", "back-off 10s restarting failed container=verifier", "verifier",
    End(3, "Traceback (most recent call last):\nKeyError: 'MODEL'"),
)  # fmt: skip


def starts_of(kubelet: Kubelet, stage: str) -> list[int]:
    """How often the verifier of each pod was started again."""
    pods = [pod["status"].get("initContainerStatuses", []) for pod in of(kubelet, stage)]
    return [status["restartCount"] for statuses in pods for status in statuses]


def test_a_verifier_beside_the_stage_that_does_not_start_or_dies(
    run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    """What keeps it from starting is told of. So is that it dies later, and the kubelet starts it again."""
    pull = Wait("ImagePullBackOff", 'Back-off pulling image "judge:typo"', "verifier")
    kubelet.script = lambda pod: End() if stage_of(pod) == "rollout" else pull
    operator.start()
    run.apply(spec__task__verifier={"container": {"image": "judge:typo"}})
    hindered = until(
        lambda: run.is_now("Ready", "False", "ImagePullFailed"), "hindrance", meanwhile=kubelet.tick
    )
    assert pull.message in hindered["message"]
    kubelet.script = lambda _: CRASHED
    hindered = until(
        lambda: run.is_now("Ready", "False", "PodConfigInvalid"), "crash", meanwhile=kubelet.tick
    )
    said = "failed container=verifier; it ended with exit code 3: KeyError: 'MODEL'; correct spec.pods"
    assert said in hindered["message"]
    assert run.status["phase"] == "Pending"

    kubelet.script = train_on
    until(lambda: run.status["phase"] == "Training", "training", meanwhile=kubelet.tick)
    assert starts_of(kubelet, "verify") == [1]
    kubelet.script = lambda _: CRASHED
    until(lambda: starts_of(kubelet, "train") == [1], "crash", meanwhile=kubelet.tick)
    told = "was started again once; the last time it ended with exit code 3: KeyError: 'MODEL'; see `kubectl logs -n "
    until(lambda: told in run.condition("Ready")["message"], "word of the crash", meanwhile=kubelet.tick)
    assert run.is_now("Ready", "True", "Progressing")
    assert run.status["phase"] == "Training"
    kubelet.script = train_on
    kubelet.tick()
    finish(run, kubelet)
    assert (starts_of(kubelet, "train"), run.status["restarts"]) == ([1], 0)
    assert {reason for reason, _ in run.events()} & {"Failed", "AttemptRestarted"} == set()
    # They were all told to stop in the end, and it is the stages that have spoken.
    assert run.status["dataset"]["failures"] == 500
    assert run.condition("Succeeded")["reason"] == "Completed"
