"""Lists that the API server does not answer: it wants to be left alone, or a page of them has expired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ...support.cluster import Cluster, until
from ...support.fault_proxy import FaultProxy
from ...support.faults import refused_by_api
from ...support.kubelet import Kubelet
from ...support.operator_process import OperatorProcess
from .conftest import Run

LISTS_OF_JOBS = r"/jobs\?(?!.*watch=true)"
LEFT_ALONE_S = 7
"""Longer than the operator waits of its own accord."""


@pytest.fixture
def operator(
    cluster: Cluster, namespace: str, proxy: FaultProxy, tmp_path: Path
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(cluster, namespace, tmp_path / "operator.log", server=proxy.endpoint)
    yield process
    process.end()
    print(process.log())


@pytest.mark.parametrize("which", [0, 1], ids=["the operator's own", "that of its watch"])
def test_a_list_comes_again_when_the_server_wants_it(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, proxy: FaultProxy, which: int
) -> None:
    busy = refused_by_api(429, "TooManyRequests", Retry_After=str(LEFT_ALONE_S))
    proxy.inject(busy, method="GET", target=LISTS_OF_JOBS, after=which)
    run.apply()
    operator.start()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    lists, watches = (
        [
            moment
            for request, moment in zip(proxy.requests, proxy.moments, strict=True)
            if request.startswith("GET ") and "/jobs?" in request and ("watch=true" in request) is watch
        ]
        for watch in (False, True)
    )
    # The watch begins when both lists are there, whatever else is listed meanwhile.
    assert watches[0] - lists[which] >= LEFT_ALONE_S
    assert operator.exit_code() is None


@pytest.mark.parametrize("which", [0, 1], ids=["the operator's own", "that of its watch"])
def test_a_list_whose_page_has_expired_begins_anew(
    run: Run, operator: OperatorProcess, kubelet: Kubelet, proxy: FaultProxy, which: int
) -> None:
    fault = proxy.inject(refused_by_api(410, "Expired"), method="GET", target=LISTS_OF_JOBS, after=which)
    run.apply()
    operator.start()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert fault.times == 0
    assert operator.exit_code() is None
