"""Told to stop before the first step: there is nothing to save, and nothing to wait for."""

from __future__ import annotations

import signal
import socket

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.__main__ import _leave
from reflection_trainer.train.order import WorkOrder

from ...support.ports import free_ports
from ...support.stage_runs import run_stage_here, start_stage, stored
from .stages import GUARD_SECONDS, prepared, wait_until, work_of
from .test_stage import assert_gone, family, result_of

pytestmark = [pytest.mark.training, pytest.mark.slow]


@pytest.mark.parametrize("nodes", [1, 2])
def test_in_the_preparation_or_waiting_for_another_machine(tmp_path, model, nodes):
    config, scratch = prepared(tmp_path, model, nodes=nodes, maxSteps=5000), tmp_path / "scratch"
    order = WorkOrder.model_construct(control=work_of(scratch) / "control")
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_ports(1)[0])}
    process = start_stage(config, scratch, environment=meeting)
    wait_until(lambda: (order.control / "order.json").exists() and family(process), process)
    processes = family(process)
    process.send_signal(signal.SIGTERM)
    try:
        _, log = process.communicate(timeout=GUARD_SECONDS)
    finally:
        process.kill()
    result = result_of(scratch)
    assert (process.returncode, result.reason) == (143, Reason.DISRUPTED), log
    assert (
        result.message == "stopped on request before the first step of this attempt: there is nothing to save"
    )
    assert_gone(processes)
    assert not [name for name in stored(tmp_path / "storage") if "/checkpoint-" in name]


def test_waiting_for_the_name_of_the_first_machine(tmp_path, model, monkeypatch):
    told = []

    def unknown(*_):
        assert not told, "it goes on waiting"
        told.append(True)
        signal.raise_signal(signal.SIGTERM)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("MASTER_ADDR", "first.invalid")
    monkeypatch.setenv("MASTER_PORT", "1")
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        with pytest.raises(SystemExit) as end:
            run_stage_here(prepared(tmp_path, model, nodes=2), tmp_path / "scratch", monkeypatch)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (end.value.code, told) == (143, [True])
