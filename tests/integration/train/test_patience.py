"""Processes that wait for one of them, which waits for storage or prepares the failures, are not ended by torch. Those that
wait for a dead one are ended by the launcher.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from reflection_api.reasons import Reason
from reflection_trainer.train.launcher import environment
from reflection_trainer.train.order import WorkOrder, write_file

from ...support.ports import free_ports
from ...support.stage_runs import start_stage
from .sessions import make_order
from .stages import GUARD_SECONDS, prepared, steps_done, wait_until
from .test_stage import assert_gone, family, result_of

pytestmark = [pytest.mark.training, pytest.mark.slow]

AT_MOST = 5
"""Seconds that processes wait for each other, where a test has it so."""
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
IMPATIENT = f"""
import sys
from datetime import timedelta
from pathlib import Path
from reflection_trainer.train import callbacks, session
from reflection_trainer.train.order import WorkOrder

callbacks._TOGETHER_SECONDS = {AT_MOST / 10}
session.waiting_at_most = lambda: timedelta(seconds={AT_MOST})
print(session.train(WorkOrder.model_validate_json(Path(sys.argv[1]).read_bytes())).ended)
"""


@contextmanager
def two_processes(program: str, order: WorkOrder) -> Iterator[list[subprocess.Popen[str]]]:
    """Of one training, as accelerate's launcher starts them, which here has no say."""
    file = order.control / "order.json"
    write_file(file, order.to_json())
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_ports(1)[0]), "WORLD_SIZE": "2"}
    told |= {"REFLECT_VERIFIER_PATIENCE": "500"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(file)],
            env={**os.environ, **environment(order), **told, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_two_processes_wait_for_each_other_as_long_as_one_may_wait_for_its_verifier(tmp_path, model):
    with two_processes(LIMIT, make_order(tmp_path, model, processesPerNode=2)) as processes:
        said = [process.communicate(timeout=GUARD_SECONDS)[0] for process in processes]
    assert said == [f"2 {3600.0 + 500}\n"] * 2


def test_all_wait_for_the_storage_as_long_as_it_takes(tmp_path, model):
    """Torch would end the second process, which has nothing to store."""
    order = make_order(tmp_path, model, processesPerNode=2, maxSteps=3, checkpoint={"everySteps": 1})
    first = order.ready / "checkpoint-1"
    with two_processes(IMPATIENT, order) as processes:
        wait_until(first.exists, processes[0])
        since = time.monotonic()
        wait_until(lambda: time.monotonic() > since + 3 * AT_MOST, processes[0])
        assert not (order.ready / "checkpoint-2").exists()
        while any(process.poll() is None for process in processes):
            for ready in order.ready.glob("checkpoint-*"):
                ready.unlink(missing_ok=True)
            assert time.monotonic() < since + GUARD_SECONDS
            time.sleep(0.01)
        said = [process.communicate() for process in processes]
    assert [words for words, _ in said] == ["completed\n"] * 2, said


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
