"""What kstatus makes of a run at each step: Flux and others wait for Current, and give up at Failed."""

from __future__ import annotations

from itertools import groupby

from ...support.cluster import RUNS, Cluster, Obj, until
from ...support.kstatus import verdicts
from ...support.kubelet import End, Kubelet, Wait, failed, run_on
from ...support.operator_process import OperatorProcess
from .conftest import Run


class Recorder:
    """Every version of a run that the API server had, from its watch cache."""

    def __init__(self, cluster: Cluster, run: Run, created: Obj) -> None:
        self._cluster = cluster
        self._run = run
        self._since = created["metadata"]["resourceVersion"]
        self._first = created

    def versions(self) -> list[Obj]:
        """All versions so far, oldest first."""
        changes = self._cluster.watch(
            f"{RUNS}/namespaces/{self._run.namespace}/reflectiontrainings", self._since, until=self._run.get()
        )
        return [self._first, *(change["object"] for change in changes)]


def words(objects: list[Obj]) -> list[str]:
    """The verdicts without repetitions."""
    return [word for word, _ in groupby(verdict.word for verdict in verdicts(objects))]


def seen(obj: Obj) -> bool:
    return obj["status"].get("observedGeneration") == obj["metadata"]["generation"]


def test_a_run_is_in_progress_until_it_is_seen_and_current_from_then_on(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    """Ready is True while it goes on: whoever waits for a run of ten hours would give up."""
    recorder = Recorder(cluster, run, run.apply())
    (unseen,) = verdicts([run.get()])
    assert unseen.word == "InProgress"
    operator.start()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    objects = recorder.versions()
    assert len(objects) >= 10, "a version for each stage's begin and end at the least"
    assert words(objects) == ["InProgress", "Current"]
    for obj, verdict in zip(objects, verdicts(objects), strict=True):
        assert seen(obj) or verdict.word == "InProgress", obj["status"]
        of_conditions = {each["observedGeneration"] for each in obj["status"].get("conditions", [])}
        assert of_conditions <= {obj["metadata"]["generation"]}
    first = next(obj for obj in objects if "conditions" in obj["status"])
    assert seen(first), "in the very first patch"


def test_a_hindrance_is_progress_and_its_end_is_current(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    kubelet.script = lambda _: Wait("ImagePullBackOff", "not found")
    recorder = Recorder(cluster, run, run.apply())
    operator.start()
    until(lambda: run.is_now("Ready", "False", "ImagePullFailed"), "hindrance", meanwhile=kubelet.tick)
    (hindered,) = verdicts([run.get()])
    assert hindered.word == "InProgress"
    assert "not found" in hindered.message
    kubelet.script = run_on
    until(lambda: run.is_now("Ready", "True", "Progressing"), "progress", meanwhile=kubelet.tick)
    assert words(recorder.versions()) == ["InProgress", "Current", "InProgress", "Current"]


def test_a_failed_run_is_failed(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    kubelet.script = lambda _: failed("rollout", 65, "InvalidPrompts", "train.jsonl:3: no target")
    recorder = Recorder(cluster, run, run.apply())
    operator.start()
    until(lambda: run.is_now("Succeeded", "False"), "end of the run", meanwhile=kubelet.tick)
    objects = recorder.versions()
    assert words(objects) == ["InProgress", "Current", "Failed"]
    assert "train.jsonl:3" in verdicts(objects[-1:])[0].message


def test_a_changed_spec_is_in_progress_until_it_is_seen(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    kubelet.script = run_on
    run.apply()
    operator.start()
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
    operator.kill()
    run.change(suspend=True)
    (unseen,) = verdicts([run.get()])
    assert unseen.word == "InProgress"
    operator.start()
    until(lambda: run.is_now("Suspended", "True"), "suspension", meanwhile=kubelet.tick)
    # It rests as it was told to: there is nothing to wait for.
    assert verdicts([run.get()])[0].word == "Current"


def test_a_run_that_is_deleted_is_terminating(
    cluster: Cluster, run: Run, operator: OperatorProcess, kubelet: Kubelet
) -> None:
    kubelet.script = run_on
    run.apply(spec__deletionPolicy="Delete")
    operator.start()
    until(lambda: run.status.get("phase") == "Rollout", "rollout", meanwhile=kubelet.tick)
    cluster.delete(run.path)
    until(lambda: run.status["phase"] == "Deleting", "deletion", meanwhile=kubelet.tick)
    assert verdicts([run.get()])[0].word == "Terminating"
    kubelet.script = lambda _: End()
    until(lambda: cluster.find(run.path) is None, "end of the resource", meanwhile=kubelet.tick)
