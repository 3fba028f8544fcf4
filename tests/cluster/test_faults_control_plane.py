"""Table of faults: programs of the control plane are killed and come back."""

from __future__ import annotations

import time

from ..support.cluster import until
from ..support.nodes.small_run import SmallRun

API_SERVER_AWAY_S = 30
ETCD_AWAY_S = 15


def test_api_server_killed(run: SmallRun, undisturbed: str) -> None:
    """API server killed in training, away for 30 s"""
    run.start()
    run.trains()
    with run.nodes.plane.without("kube-apiserver"):
        time.sleep(API_SERVER_AWAY_S)
    run.ends_well(weights=undisturbed)


def test_etcd_killed(run: SmallRun, undisturbed: str) -> None:
    """etcd killed in training, away for 15 s"""
    run.start()
    run.trains()
    with run.nodes.plane.without("etcd"):
        time.sleep(ETCD_AWAY_S)
    run.ends_well(weights=undisturbed)


def test_controller_manager_killed(run: SmallRun, undisturbed: str) -> None:
    """Controller manager killed in the rollout, back after its pod has ended"""
    run.start()
    run.pod("rollout")
    with run.nodes.plane.without("kube-controller-manager"):
        until(
            lambda: run.pods("rollout")[0]["status"]["phase"] == "Succeeded", "end of the pod", patience=300
        )
        assert run.status["current"]["stage"] == "rollout"
    run.ends_well(weights=undisturbed)
