"""Playing kubelet: pods get a node, run and end as a script says. What follows from that is left to the real controllers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from . import container_statuses
from .cluster import CORE, Cluster, Obj

NODE = "node-1"
_STAGE = "reflection.training/stage"
_ATTEMPT = "reflection.training/attempt"
_ROUND = "reflection.training/round"

FIGURES: dict[str, dict[str, float]] = {
    "rollout": {"attempts": 800},
    "verify": {"attempts": 800, "failures": 500},
    "train": {"reward": 0.5, "deadGroupShare": 0.25},
    "evaluate": {
        "firstTryBase": 0.3, "firstTryTrained": 0.4, "firstTryLow": 0.05, "firstTryHigh": 0.15,
        "secondTryBase": 0.4, "secondTryTrained": 0.6, "gain": 0.2, "gainLow": 0.1, "gainHigh": 0.3,
        "questions": 100, "samples": 400,
    },
    "report": {},
    "cleanup": {"objects": 12},
}  # fmt: skip


@dataclass(frozen=True)
class End:
    """How a pod ends."""

    code: int = 0
    message: str = ""
    """The termination message. Empty: with exit code 0 the result of a stage that went well."""
    reason: str = ""
    """`Completed` or `Error` unless given."""
    disrupted: str = ""
    """Why the platform took it away."""


FAILED_MOUNT = "FailedMount"
"""The reason of a `Wait` that no status shows."""


@dataclass(frozen=True)
class Wait:
    """Why a container does not start, or not again."""

    reason: str
    message: str
    sidecar: str = ""
    """Name of the sidecar that it is; empty: the stage's own container."""
    crash: End | None = None
    """How it ended before."""


Script = Callable[[Obj], End | Wait | None]
"""What happens to a pod that is looked at: None lets it run on."""


def all_well(_: Obj) -> End:
    """Every pod does its work."""
    return End()


def run_on(_: Obj) -> None:
    """Every pod starts and does not end."""


def train_on(pod: Obj) -> End | None:
    """All goes well, and the training goes on."""
    return None if stage_of(pod) == "train" else End()


def one_crash(pod: Obj) -> End:
    """The first attempt at training fails."""
    return End(1, "CUDA error") if (stage_of(pod), attempt_of(pod)) == ("train", 1) else End()


def failed(stage: str, code: int, reason: str, message: str) -> End:
    """A stage that says why it cannot go on."""
    words = {"stage": stage, "outcome": "Failed", "reason": reason, "message": message}
    return End(code, json.dumps(words))


def stage_of(pod: Obj) -> str:
    return str(pod["metadata"]["labels"][_STAGE])


def attempt_of(pod: Obj) -> int:
    return int(pod["metadata"]["labels"][_ATTEMPT])


def round_of(pod: Obj) -> int:
    return int(pod["metadata"]["labels"][_ROUND])


def index_of(pod: Obj) -> int:
    """Completion index: the shard or the rank of the node."""
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])


@dataclass
class Kubelet:
    """The only node of a namespace."""

    cluster: Cluster
    namespace: str
    script: Script = all_well
    stopping: Script = field(default=lambda _: End(code=143))
    """What happens to a pod that is told to stop."""

    def pods(self) -> list[Obj]:
        return self.cluster.items(f"{CORE}/namespaces/{self.namespace}/pods")

    def tick(self) -> None:
        """Do what is to be done now."""
        for pod in self.pods():
            if "deletionTimestamp" in pod["metadata"]:
                self._stop(pod)
            elif pod["status"]["phase"] in ("Pending", "Running"):
                self._play(pod)

    def lose(self, pod: Obj) -> None:
        """Its node is gone and cannot say how it ended: Kubernetes' collector of such pods calls it failed and deletes it."""
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}
        words = {"message": "PodGC: node no longer exists", "lastTransitionTime": _now()}
        self._write(pod, {"phase": "Failed", "conditions": [condition | words]})
        self.cluster.delete(self._path(pod), grace=0)

    def _play(self, pod: Obj) -> None:
        act = self.script(pod)
        if isinstance(act, Wait) and act.reason == "Unschedulable":
            condition = {
                "type": "PodScheduled",
                "status": "False",
                "reason": act.reason,
                "message": act.message,
            }
            self._write(pod, {"conditions": [condition | {"lastTransitionTime": _now()}]})
            return
        if isinstance(act, Wait):
            waiting = {"waiting": {"reason": act.reason, "message": act.message}}
            self._bind(pod)
            if act.reason == FAILED_MOUNT:
                waiting = {"waiting": {"reason": "ContainerCreating"}}
                self._complain(pod, act)
            crash = _terminated(act.crash, act.crash.message) if act.crash else None
            phase = pod["status"]["phase"] if act.sidecar else "Pending"
            self._write(pod, {"phase": phase} | container_statuses.starting(pod, act.sidecar, waiting, crash))
            return
        if pod["status"]["phase"] == "Pending" or not container_statuses.all_run(pod):
            self._bind(pod)
            self._write(pod, {"phase": "Running"} | container_statuses.running(pod))
        if act:
            self.end(pod, act)

    def _complain(self, pod: Obj, act: Wait) -> None:
        """Tell of it once, by an event."""
        name = pod["metadata"]["name"]
        about = {"apiVersion": "v1", "kind": "Pod", "namespace": self.namespace, "name": name}
        event = {
            "metadata": {"name": f"{name}.mount"}, "involvedObject": about | {"uid": pod["metadata"]["uid"]},
            "type": "Warning", "reason": act.reason, "message": act.message, "lastTimestamp": _now(),
            "source": {"component": "kubelet"},
        }  # fmt: skip
        self.cluster.try_to_create(f"{CORE}/namespaces/{self.namespace}/events", event)

    def _stop(self, pod: Obj) -> None:
        if pod["status"]["phase"] in ("Pending", "Running"):
            act = self.stopping(pod)
            if not isinstance(act, End):
                return
            self.end(pod, act)
        self.cluster.delete(self._path(pod), grace=0)

    def end(self, pod: Obj, end: End) -> None:
        """Have a pod end."""
        message = end.message or (_result(stage_of(pod)) if end.code == 0 else "")
        status: Obj = {"phase": "Succeeded" if end.code == 0 else "Failed"}
        status |= container_statuses.ended(pod, _terminated(end, message))
        if end.disrupted:
            condition = {"type": "DisruptionTarget", "status": "True", "reason": end.disrupted}
            status["conditions"] = [condition | {"lastTransitionTime": _now(), "message": "preempted"}]
        self._write(pod, status)

    def _bind(self, pod: Obj) -> None:
        if not pod["spec"].get("nodeName"):
            target = {"target": {"kind": "Node", "name": NODE}, "metadata": {"name": pod["metadata"]["name"]}}
            self.cluster.try_to_create(f"{self._path(pod)}/binding", target)
            pod["spec"]["nodeName"] = NODE

    def _write(self, pod: Obj, status: Obj) -> None:
        answer = self.cluster.try_to_patch(f"{self._path(pod)}/status", {"status": status})
        # Somebody may have deleted it since it was listed.
        assert answer["kind"] == "Pod" or answer["code"] in (404, 409), answer

    def _path(self, pod: Obj) -> str:
        return f"{CORE}/namespaces/{self.namespace}/pods/{pod['metadata']['name']}"


def _terminated(end: End, message: str) -> Obj:
    reason = end.reason or ("Completed" if end.code == 0 else "Error")
    return {
        "exitCode": end.code, "reason": reason, "message": message, "startedAt": _now(), "finishedAt": _now(),
    }  # fmt: skip


def _result(stage: str) -> str:
    words = {"stage": stage, "outcome": "Succeeded", "reason": "Completed", "metrics": FIGURES[stage]}
    return json.dumps(words)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
