"""A pod that has the labels of a run's pod, and that no Job of the run controls: nothing that it says counts."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ...support.cluster import CORE, Cluster, Obj, until
from ...support.kubelet import End, Kubelet, all_well, stage_of
from ...support.operator_process import OperatorProcess
from ...support.reporting_pod import ReportingPod, report
from .conftest import SHORT_LEASE, Run, finish

SELECTORS = ("controller-uid", "batch.kubernetes.io/controller-uid")
"""The labels by which a Job finds its pods: what has them, too, the Job controller takes for the Job's."""
LIE = {"stage": "verify", "outcome": "Succeeded", "reason": "Completed"}
FIGURES = {"attempts": 9, "failures": 9}
SEEN_S = 2
"""After so long a watch has told of it; a refusal before would show nothing."""


def judging(pod: Obj) -> End | None:
    """All goes well, and the verify stage goes on."""
    return None if stage_of(pod) == "verify" else all_well(pod)


def copy_of(pod: Obj) -> Obj:
    """A pod with the labels and the annotations of another one."""
    metadata = pod["metadata"]
    labels = {name: value for name, value in metadata["labels"].items() if name not in SELECTORS}
    spec = {"containers": [{"name": "stage", "image": "x"}], "serviceAccountName": "default"}
    # Of two pods with one index the last by name would count.
    told = {"name": "the-copy", "labels": labels, "annotations": metadata["annotations"]}
    return {"metadata": told, "spec": spec | {"automountServiceAccountToken": False}}


def test_a_pod_with_copied_labels_speaks_for_nobody(
    cluster: Cluster, run: Run, kubelet: Kubelet, tmp_path: Path
) -> None:
    """Its report is refused, and its end is no result."""
    operator = OperatorProcess(cluster, run.namespace, tmp_path / "operator.log", progress=True)
    kubelet.script = judging
    operator.keep_running(*SHORT_LEASE)
    try:
        run.apply()
        until(lambda: run.status.get("phase") == "Verifying", "verification", meanwhile=kubelet.tick)
        (right,) = (pod for pod in kubelet.pods() if stage_of(pod) == "verify")
        reporting = ReportingPod(cluster, right, tmp_path)
        assert reporting.post(reporting.token(), report(stage="verify")).status_code == 204
        until(lambda: run.status.get("progress", {}).get("percentage") == 25, "progress")

        reporting.object = cluster.create(f"{CORE}/namespaces/{run.namespace}/pods", copy_of(right))
        kubelet.tick()
        time.sleep(SEEN_S)
        answer = reporting.post(reporting.token(), report(stage="verify", done=3))
        assert (answer.status_code, answer.text) == (404, "no run that is known here has this pod\n")
        kubelet.end(reporting.object, End(message=json.dumps(LIE | {"metrics": FIGURES})))
        finish(run, kubelet)
        assert run.status["dataset"]["failures"] == 500
        assert run.status["restarts"] == 0
        assert len(run.jobs()) == 5
    finally:
        operator.end()
        print(operator.log())
