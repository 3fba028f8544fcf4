"""A small run on nodes: through all stages in about a minute. What tests do to it, and how it is to end all the same."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from reflection_api.layout import MANIFEST
from reflection_trainer.train.metrics import read_metrics

from ..cluster import CORE, RUNS, Cluster, Obj, until
from .cluster import ClusterWithNodes
from .example import BUCKET, change, countdown, prepare
from .node import Node
from .s3 import S3InCluster

NAME = "small"
STAGES = ("rollout", "verify", "train", "evaluate", "report")
STEPS = 24
EVERY = 2
"""Steps between two checkpoints."""
SMALL = {
    "rollout": {"engine": "transformers", "attemptsPerPrompt": 2},
    "task.prompts.limit": 60,
    "training": {"maxSteps": STEPS, "failuresPerStep": 8, "microBatchSize": 16, "checkpoint": {"everySteps": EVERY}},
    "training.method.numGenerations": 4,
    "evaluation": {"attemptsPerPrompt": 1, "gates": {}},
    "evaluation.prompts.limit": 30,
}  # fmt: skip
_STAGE, _ATTEMPT = "reflection.training/stage", "reflection.training/attempt"
_INDEX = "batch.kubernetes.io/job-completion-index"
_RESUMED = re.compile(r"going on from checkpoint-(\d+)")
_STEP = re.compile(r"step (\d+) of")
_STEP_LIMIT_S = 300
_END_LIMIT_S = 900
_LOOK_S = 0.1
"""Between two looks: the machine is busy with what is looked at."""


def trains_on(node: str, **more: Any) -> dict[str, Any]:
    """Changes to a run: the training is on a node as long as that takes pods."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    preferred = [{"weight": 100, "preference": term}]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    return {"pods.training": {"affinity": affinity, **more}}


class SmallRun:
    """One in a namespace of its own."""

    def __init__(
        self,
        nodes: ClusterWithNodes,
        s3: S3InCluster,
        namespace: str,
        note: Callable[[str, object], None] = lambda *_: None,
    ) -> None:
        """Its end is noted."""
        self._note = note
        self.nodes, self.s3, self.namespace = nodes, s3, namespace
        self.cluster: Cluster = nodes.cluster
        self.path = f"{RUNS}/namespaces/{namespace}/reflectiontrainings/{NAME}"
        self._folder = Path()
        self._logs = nodes.plane.folder / f"logs-{namespace}"
        self._logs.mkdir()
        prepare(self.cluster, s3, namespace)

    def start(self, changes: dict[str, Any] | None = None) -> None:
        """Create it, with changes to its spec."""
        resource = countdown(self.namespace)
        resource["metadata"]["name"] = NAME
        change(resource["spec"], SMALL)
        change(resource["spec"], changes or {})
        made = self.cluster.create(self.path.rpartition("/")[0], resource)
        uid = made["metadata"]["uid"][:8]
        self._folder = self.s3.objects / BUCKET / "runs" / self.namespace / f"{NAME}-{uid}"

    def change(self, spec: Obj) -> None:
        """Merge a change into its spec."""
        self.cluster.patch(self.path, {"spec": spec})

    @property
    def status(self) -> Obj:
        found: Obj = self.cluster.get(self.path).get("status", {})
        return found

    def condition(self, kind: str) -> Obj:
        """A condition; with status Absent where there is none."""
        conditions = self.status.get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {"status": "Absent", "reason": ""})

    def waits_for(self, reason: str) -> None:
        """Wait until it says that it cannot go on, and why."""
        until(lambda: self.condition("Ready")["reason"] == reason, reason, patience=_STEP_LIMIT_S)
        assert self.condition("Ready")["status"] == "False"
        assert self.condition("Succeeded")["status"] == "Unknown"

    def pods(self, stage: str, attempt: int = 1) -> list[Obj]:
        """Of an attempt at a stage, by index."""
        return self._pods(f"{_STAGE}={stage},{_ATTEMPT}={attempt}")

    def pod(self, stage: str, attempt: int = 1) -> Obj:
        """The first pod of an attempt, as soon as it runs."""
        what = f"pod of {stage}, attempt {attempt}"

        def running() -> Obj | None:
            return next(
                (pod for pod in self.pods(stage, attempt) if pod["status"]["phase"] == "Running"), None
            )

        found = until(running, what, meanwhile=_pause, patience=_STEP_LIMIT_S)
        self._keep_logs()
        return found

    def evict(self, pod: Obj) -> None:
        """Ask the API to take a pod away, as for a drain."""
        name = pod["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        self.cluster.create(f"{self.place(pod)}/eviction", eviction)

    def place(self, pod: Obj) -> str:
        """Its path in the API."""
        return f"{CORE}/namespaces/{self.namespace}/pods/{pod['metadata']['name']}"

    def node_of(self, pod: Obj) -> Node:
        return self.nodes.node(pod["spec"]["nodeName"])

    def process(
        self, find_pod: Callable[[], Obj | None], *words: str, but: str = "nothing"
    ) -> psutil.Process:
        """A process of a pod with these words in its command, as soon as there is one."""

        def found() -> psutil.Process | None:
            pod = find_pod()
            if pod is None or "nodeName" not in pod["spec"]:
                return None
            for process in self.node_of(pod).processes(pod):
                with suppress(psutil.NoSuchProcess):
                    command = " ".join(process.cmdline())
                    if all(word in command for word in words) and but not in command:
                        return process
            return None

        return until(found, f"process {' '.join(words)}", meanwhile=_pause, patience=_STEP_LIMIT_S)

    def stage_process(self, stage: str, attempt: int = 1) -> psutil.Process:
        """The first process of a stage's container."""
        return self.process(
            lambda: next(iter(self.pods(stage, attempt)), None), f"reflection_trainer {stage}"
        )

    def rank_process(self, rank: int) -> psutil.Process:
        """The process of a rank of a training that has one in each pod."""
        return self.process(
            lambda: next(iter(self.pods("train")[rank:]), None),
            "reflection_trainer.train.worker",
            but="train.launch",
        )

    def log(self, stage: str, attempt: int = 1, index: int = 0) -> str:
        pod = self.pods(stage, attempt)[index]["metadata"]["name"]
        return self.cluster.kubectl("logs", "--namespace", self.namespace, pod).stdout

    def saved(self) -> int:
        """The step of the newest complete checkpoint in the storage; 0 without one."""
        return max((int(folder.name.rpartition("-")[2]) for folder in self._complete()), default=0)

    def newest_checkpoint(self) -> Path:
        """Its folder on this machine."""
        return next(folder for folder in self._complete() if folder.name == f"checkpoint-{self.saved()}")

    def trains(self, step: int = 2 * EVERY) -> int:
        """Wait until the checkpoint of a step is saved; the step of the newest one."""
        until(
            lambda: self.saved() >= step,
            f"checkpoint of step {step}",
            meanwhile=_pause,
            patience=_STEP_LIMIT_S,
        )
        self._keep_logs()
        return self.saved()

    def resumed_from(self, attempt: int = 2) -> int:
        """The step that an attempt at the training went on from."""
        found = _RESUMED.search(self.log("train", attempt))
        return int(found[1]) if found else 0

    def steps_done(self, attempt: int = 1) -> int:
        """The last step that an attempt at the training has finished so far."""
        kept = self._logs / str(attempt)
        text = kept.read_text() if kept.exists() else self.log("train", attempt)
        return max(map(int, _STEP.findall(text)), default=0)

    def lost_little(self, saved: int, attempt: int = 2, *, done: int | None = None) -> None:
        """Check that an attempt at the training went on from a checkpoint, one interval at most behind what was done.

        Args:
            saved: step of a checkpoint that was there before the fault.
            attempt: the later one.
            done: the last step before the fault; by itself the last one of the attempt before.
        """
        resumed = self.resumed_from(attempt)
        done = self.steps_done(attempt - 1) if done is None else done
        assert saved <= resumed >= done - EVERY, f"{saved} saved, {done} done, {resumed} gone on from"

    def ends_well(self, *, restarts: int = 0, counted: int = 0, weights: str = "") -> Obj:
        """Wait for the end: nothing is lost, no attempt was needed but these, and the weights are those. The status."""
        until(self._has_ended, "end of the run", meanwhile=_pause, patience=_END_LIMIT_S)
        status = self.status
        words = json.dumps(status, indent=1)
        assert self.condition("Succeeded")["status"] == "True", words
        again = status.get("attempts", [])
        assert (status.get("restarts", 0), sum(each["counted"] for each in again)) == (restarts, counted), (
            words
        )
        steps = [line["step"] for line in read_metrics(self._folder / "round-1/train/metrics.jsonl")]
        assert steps == list(range(1, STEPS + 1))
        assert (self._folder / "report/index.html").is_file()
        self._note("restarts", restarts)
        self._note("counted", counted)
        if weights:
            assert self.weights() == weights
            self._note("same weights", "yes")
        return status

    def weights(self) -> str:
        """A digest of the trained model's."""
        file = self._folder / "round-1/train/model/model.safetensors"
        return hashlib.sha256(file.read_bytes()).hexdigest()

    def _pods(self, labels: str) -> list[Obj]:
        found = self.cluster.items(f"{CORE}/namespaces/{self.namespace}/pods", labelSelector=labels)
        return sorted(found, key=lambda pod: int(pod["metadata"]["annotations"][_INDEX]))

    def _keep_logs(self) -> None:
        """Give what the first pod of each training writes another name, since the first one goes with the pod."""
        for pod in self._pods(f"{_STAGE}=train"):
            meta = pod["metadata"]
            kept = self._logs / meta["labels"][_ATTEMPT]
            if meta["annotations"][_INDEX] == "0" and "nodeName" in pod["spec"] and not kept.exists():
                with suppress(FileNotFoundError):
                    kept.hardlink_to(self.node_of(pod).log(pod, "stage"))

    def _has_ended(self) -> bool:
        with suppress(httpx.TransportError):
            return self.condition("Succeeded")["status"] in ("True", "False")
        return False

    def _complete(self) -> list[Path]:
        """Folders of complete checkpoints."""
        return [file.parent for file in self._folder.glob(f"round-1/train/checkpoint-*/{MANIFEST}")]


def _pause() -> None:
    time.sleep(_LOOK_S)
