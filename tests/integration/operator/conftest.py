"""One control plane with the CRD for all tests of this folder; for each test a namespace, and an operator for it alone."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ...support.cluster import CORE, RUNS, Cluster, Obj, until
from ...support.control_plane import ControlPlane, start_control_plane
from ...support.crd import install_crd
from ...support.fault_proxy import FaultProxy
from ...support.given_control_plane import GivenControlPlane, given_kubeconfig
from ...support.kubelet import NODE, Kubelet, Script, all_well, train_on
from ...support.kubelet_logs import KubeletLogs
from ...support.kubernetes_programs import find_programs
from ...support.operator_process import OperatorProcess
from ...support.pages import ROOT, fences
from ...unit.api.resources import resource

PAGE = ROOT / "docs/operator.md"
SHORT_LEASE = (
    "--lease-duration-seconds", "3", "--lease-renew-deadline-seconds", "2", "--lease-retry-seconds", "0.5",
)  # fmt: skip
"""So that a test need not wait for a quarter of a minute after a kill."""

# Building the control plane takes about ten minutes, once.
BUILD_LIMIT_S = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(BUILD_LIMIT_S, func_only=False))


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane | GivenControlPlane]:
    given = given_kubeconfig()
    running = GivenControlPlane(given) if given else start_control_plane()
    yield running
    running.stop_after(request.session)


@pytest.fixture(scope="session")
def cluster(plane: ControlPlane | GivenControlPlane) -> Iterator[Cluster]:
    with closing(Cluster(plane, find_programs().kubectl)) as found:
        install_crd(found)
        if found.find(f"{CORE}/nodes/{NODE}") is None:
            found.create(f"{CORE}/nodes", {"metadata": {"name": NODE}})
        yield found


@pytest.fixture(scope="module")
def bare(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster of a module's own, that does not know ReflectionTrainings."""
    plane = start_control_plane()
    try:
        with closing(Cluster(plane, find_programs().kubectl)) as found:
            yield found
    finally:
        plane.stop_after(request.session)


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    name = f"test-{secrets.token_hex(4)}"
    cluster.create(f"{CORE}/namespaces", {"metadata": {"name": name}})
    return name


@pytest.fixture
def operator(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator that is not started yet."""
    process = OperatorProcess(cluster, namespace, tmp_path / "operator.log")
    yield process
    process.end()
    print(process.log())


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    """A way to the API server on which harm can be done."""
    with FaultProxy(cluster.plane.port, cluster.plane.trusting()) as found:
        yield found


@pytest.fixture
def kubelet(cluster: Cluster, namespace: str) -> Kubelet:
    return Kubelet(cluster, namespace)


@pytest.fixture
def log_server(cluster: Cluster) -> Iterator[KubeletLogs]:
    with KubeletLogs(cluster) as server:
        yield server


class Run:
    """A ReflectionTraining of a test."""

    def __init__(self, cluster: Cluster, namespace: str, name: str = "countdown") -> None:
        self._cluster = cluster
        self.namespace, self.name = namespace, name
        self.path = f"{RUNS}/namespaces/{namespace}/reflectiontrainings/{name}"

    def apply(self, **fields: Any) -> Obj:
        """Create it; fields as in tests/unit/api/resources.py."""
        obj = resource(**fields)
        obj["metadata"]["name"] = self.name
        return self._cluster.create(self.path.rsplit("/", 1)[0], obj)

    def change(self, **spec: Any) -> Obj:
        return self._cluster.patch(self.path, {"spec": spec})

    def patch_as_the_page_says(self, what: str) -> None:
        """Run the command of docs/operator.md that changes this field."""
        lines = [line for fence in fences(PAGE) for line in fence.text.splitlines()]
        (line,) = (line for line in lines if "kubectl patch" in line and what in line)
        done = self._cluster.kubectl(*shlex.split(line)[1:], "-n", self.namespace)
        assert done.returncode == 0, done.stderr

    def get(self) -> Obj:
        return self._cluster.get(self.path)

    @property
    def status(self) -> Obj:
        found: Obj = self.get()["status"]
        return found

    def condition(self, kind: str) -> Obj:
        """A condition; with status Absent where there is none."""
        conditions = self.status.get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {"type": kind, "status": "Absent"})

    def is_now(self, kind: str, status: str, reason: str | None = None) -> Obj | None:
        found = self.condition(kind)
        return found if found["status"] == status and reason in (None, found["reason"]) else None

    def jobs(self) -> list[Obj]:
        jobs = self._cluster.items(f"/apis/batch/v1/namespaces/{self.namespace}/jobs")
        return sorted(jobs, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))

    def job_names(self) -> list[str]:
        """`<stage>-<attempt>` of each Job."""
        return ["-".join(job["metadata"]["name"].rsplit("-", 2)[-2:]) for job in self.jobs()]

    def events(self) -> list[tuple[str, str]]:
        """Reason and message of each event about it, in order. They are posted after the status is written."""
        found = self._cluster.items(
            f"{CORE}/namespaces/{self.namespace}/events",
            fieldSelector="involvedObject.kind=ReflectionTraining",
        )
        found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [(event["reason"], event["message"]) for event in found]

    def told(self, reason: str) -> str:
        """The message of the newest event, as soon as that is one of this reason."""
        return until(lambda: dict(self.events()[-1:]).get(reason), f"event {reason}")


@pytest.fixture
def run(cluster: Cluster, namespace: str) -> Run:
    return Run(cluster, namespace)


@pytest.fixture
def training(run: Run, operator: OperatorProcess, kubelet: Kubelet) -> Run:
    """A run whose training is at work."""
    kubelet.script = train_on
    operator.start()
    run.apply()
    until(lambda: run.status.get("phase") == "Training", "training", meanwhile=kubelet.tick)
    return run


def finish(run: Run, kubelet: Kubelet, script: Script = all_well) -> Obj:
    """See a run to its success."""
    kubelet.script = script
    return until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
