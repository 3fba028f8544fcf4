"""A control plane and an operator for measurements, and what the API server's audit log says of them."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import yaml
from _measured_operator import MeasuredOperator
from _records import ROOT

sys.path.insert(0, str(ROOT))
from tests.support.cluster import CORE, RUNS, Cluster, Obj
from tests.support.control_plane import start_control_plane
from tests.support.crd import install_crd
from tests.support.kubelet import NODE
from tests.support.kubernetes_programs import find_programs

NAMESPACE = "bench"
USER = f"system:serviceaccount:{NAMESPACE}:reflect-operator"
PODS = f"{CORE}/namespaces/{NAMESPACE}/pods"
CLIENTS = 16
"""Requests of the bare client under way at a time."""
PATIENCE_S = 900


class Stand(NamedTuple):
    """What is measured on."""

    cluster: Cluster
    operator: MeasuredOperator


@contextmanager
def stand(profile: Path | None = None) -> Iterator[Stand]:
    """A control plane that knows our kind, and an operator for one namespace that leads; with a profile of it, if wanted."""
    plane = start_control_plane()
    try:
        with (
            closing(Cluster(plane, find_programs().kubectl)) as cluster,
            tempfile.TemporaryDirectory() as folder,
        ):
            install_crd(cluster)
            cluster.create(f"{CORE}/nodes", {"metadata": {"name": NODE}})
            cluster.create(f"{CORE}/namespaces", {"metadata": {"name": NAMESPACE}})
            operator = MeasuredOperator(cluster, NAMESPACE, Path(folder) / "operator.log", profile)
            try:
                operator.start()
                until(lambda: "leader since now" in operator.log(), "leader")
                yield Stand(cluster, operator)
            finally:
                operator.end()
    finally:
        plane.stop()


def run_object(number: int) -> Obj:
    """A ReflectionTraining as small as it can be."""
    return {
        "apiVersion": "reflection.training/v1alpha1",
        "kind": "ReflectionTraining",
        "metadata": {"name": f"run-{number:05d}"},
        "spec": {
            "model": {"uri": "hf://org/model"},
            "task": {
                "prompts": {"uri": "s3://team/train.jsonl"},
                "verifier": {"builtin": {"name": "countdown"}},
            },
            "storage": {"uri": "s3://team/runs"},
        },
    }


def runs_path(namespace: str) -> str:
    """Where the runs of a namespace are."""
    return f"{RUNS}/namespaces/{namespace}/reflectiontrainings"


def at_once(cluster: Cluster, tasks: Sequence[Callable[[httpx.AsyncClient], Awaitable[None]]]) -> float:
    """Seconds that a client takes for all of these, many at a time."""

    async def all_of_them() -> float:
        config = yaml.safe_load(cluster.plane.kubeconfig.read_text())
        user, server = config["users"][0]["user"], config["clusters"][0]["cluster"]
        context = ssl.create_default_context(cafile=server["certificate-authority"])
        context.load_cert_chain(user["client-certificate"], user["client-key"])
        gate = asyncio.Semaphore(CLIENTS)

        async def one(task: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
            async with gate:
                await task(client)

        async with httpx.AsyncClient(base_url=server["server"], verify=context, timeout=60) as client:
            started = time.monotonic()
            await asyncio.gather(*map(one, tasks))
            return time.monotonic() - started

    return asyncio.run(all_of_them())


async def posted(client: httpx.AsyncClient, path: str, obj: Obj) -> Obj:
    """Create an object."""
    answer = await client.post(path, json=obj)
    answer.raise_for_status()
    found: Obj = answer.json()
    return found


def until(look: Callable[[], bool], what: str) -> None:
    """Wait, without asking much of the two processors that everything shares."""
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > deadline:
            sys.exit(f"after {PATIENCE_S} s there is still no {what}")
        time.sleep(0.5)


def number_of(cluster: Cluster, path: str) -> int:
    """How many objects there are, without reading them."""
    page = cluster.get(f"{path}?limit=1")
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)


def entries(cluster: Cluster) -> Iterator[dict[str, Any]]:
    """The audit log: what was answered, in order."""
    with cluster.plane.audit_log.open() as log:
        for line in log:
            yield json.loads(line)


def requests_of_operator(cluster: Cluster, since: float = 0) -> list[dict[str, Any]]:
    """Its requests that did not only keep a watch or its Lease."""
    return [
        entry
        for entry in entries(cluster)
        if entry["user"].get("username") == USER
        and entry["verb"] != "watch"
        and "objectRef" in entry  # else it asks what the API server knows
        and entry["objectRef"]["resource"] != "leases"
        and at(entry) >= since
    ]


def at(entry: dict[str, Any], which: str = "requestReceivedTimestamp") -> float:
    """When that was, in seconds of the clock."""
    return datetime.fromisoformat(entry[which]).timestamp()


class Shares:
    """Processor seconds of each program on this stand while the block runs: what the machine was busy with."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __enter__(self) -> Shares:
        self._before = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        now = self._now()
        self.seconds = {name: round(now[name] - self._before.get(name, 0.0), 1) for name in sorted(now)}

    def _now(self) -> dict[str, float]:
        here = psutil.Process()
        found: dict[str, float] = {"client": sum(here.cpu_times()[:2])}
        for process in here.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                name = "operator" if "reflection_operator" in process.cmdline() else process.name()
                found[name] = found.get(name, 0.0) + sum(process.cpu_times()[:2])
        return found


class Watched:
    """Processor time and peak memory of a process while the block runs."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_bytes = 0
        self.cpu_seconds = 0.0

    def __enter__(self) -> Watched:
        self._began = self._cpu()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.cpu_seconds = self._cpu() - self._began

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _sample(self) -> None:
        while not self._ended.wait(0.5):
            self.peak_bytes = max(self.peak_bytes, self._process.memory_full_info().uss)
