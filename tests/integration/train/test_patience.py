"""Processes that wait for one of them, which waits for storage or prepares the failures, are not ended by torch. Those that
wait for a dead one are ended by the launcher.
"""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest
from reflection_api.reasons import Reason
from reflection_trainer.train.launcher import environment
from reflection_trainer.train.order import write_file

from ...support.stage_runs import start_stage
from .sessions import make_order
from .stages import GUARD_SECONDS, prepared, steps_done, wait_until
from .test_stage import assert_gone, family, free_port, result_of

pytestmark = [pytest.mark.training, pytest.mark.slow]

LIMIT = """
import sys
from pathlib import Path
import torch.distributed
from reflection_trainer.train import session
from reflection_trainer.train.order import WorkOrder

def met(*_):
    backend = torch.distributed.group.WORLD._get_backend(torch.device("cpu"))
    print(backend.size(), backend.options._timeout.total_seconds())
    sys.exit()

session.check_world = met
session.train(WorkOrder.model_validate_json(Path(sys.argv[1]).read_bytes()))
"""


def test_two_processes_wait_for_each_other_for_a_day(tmp_path, model):
    order, file = make_order(tmp_path, model, processesPerNode=2), tmp_path / "order.json"
    write_file(file, order.to_json())
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LIMIT, str(file)],
            env={**os.environ, **environment(order), **meeting, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    said = [process.communicate(timeout=GUARD_SECONDS)[0] for process in processes]
    assert said == ["2 86400.0\n"] * 2


def test_nobody_waits_for_a_process_that_was_killed(tmp_path, model):
    """The other one is stopped, and so cannot see for itself that the connection has ended."""
    config = prepared(tmp_path, model, processesPerNode=2, maxSteps=5000)
    process = start_stage(config, tmp_path / "scratch")
    wait_until(lambda: steps_done(tmp_path / "scratch") >= 1, process)
    processes = family(process)
    [launcher] = psutil.Process(process.pid).children()
    waiting, killed = launcher.children()
    waiting.suspend()
    killed.kill()
    _, log = process.communicate(timeout=GUARD_SECONDS)
    assert (process.returncode, result_of(tmp_path / "scratch").reason) == (137, Reason.TRAINER_CRASHED), log
    assert_gone(processes)
