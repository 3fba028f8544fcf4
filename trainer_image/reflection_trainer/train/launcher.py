"""Starts the training processes of this machine through accelerate's launcher, and stays with them to their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from ..engines import cpu
from .family import dying_with_this_process
from .machine import threads_of_each
from .order import WorkOrder
from .tracking.settings import environment as tracking_environment
from .tracking.settings import needs_hub

MEETING_SECONDS = 600
"""For the machines of a training to find each other."""
_LOOK_SECONDS = 0.2
"""Between two looks at the processes and the checkpoints."""

_ENVIRONMENT = {
    # Everything is on this machine: what reaches for a hub now would hang where there is none.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
}


class Training:
    """The training processes of this machine."""

    def __init__(
        self,
        order: WorkOrder,
        accelerate_file: Path,
        order_file: Path,
        *,
        meeting_seconds: int = MEETING_SECONDS,
    ) -> None:
        # In accelerate's file there is no place for these. Without the first torch makes a folder among the machine's temporary
        # ones, and leaves it there.
        options = ["--log_dir", str(order.control / "launcher")]
        if order.config.training.nodes > 1:
            options += ["--rdzv_conf", f"timeout={meeting_seconds}"]
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "reflection_trainer.train.launch", "--quiet", "--config_file", str(accelerate_file),
                *options, "-m", "reflection_trainer.train.worker", str(order_file),
            ],
            env=environment(order),
            # A group of its own, so that Ctrl-C reaches only this process, which then stops the training in order.
            start_new_session=True,
            preexec_fn=dying_with_this_process(),
        )  # fmt: skip

    def wait(self, look: Callable[[], None]) -> int:
        """Wait for the end, calling `look` all the while; the launcher's exit code.

        Whatever `look` raises ends the training.
        """
        try:
            while True:
                try:
                    return self._process.wait(_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    look()
        finally:
            self.kill()

    def kill(self) -> None:
        """End all processes at once; the kernel ends those that the launcher put into sessions of their own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def stopping_on_signals(order: WorkOrder) -> Iterator[None]:
    """Within the block, SIGTERM and SIGINT ask the training to stop, and end nothing: what it has made is stored first."""

    def ask(_signal: int, _frame: FrameType | None) -> None:
        order.stop_file.touch()

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def environment(order: WorkOrder) -> dict[str, str]:
    """The environment of the training processes."""
    settings = order.config.training
    values = {**os.environ, **_ENVIRONMENT}
    values["OMP_NUM_THREADS"] = str(threads_of_each(settings.processes_per_node))
    if settings.generation == "colocate" and settings.gpus_per_node == 0:
        values |= cpu.ENVIRONMENT | values  # torch reads some of it before vLLM is imported
    values |= tracking_environment(order.config, order.tracking, values)
    if needs_hub(order.config, values):
        del values["HF_HUB_OFFLINE"]
    if settings.gpus_per_node == 0:
        values |= {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
        # Else each of several processes takes "cpu:<its number>" for its device, where torch cannot load a checkpoint to.
        values["ACCELERATE_TORCH_DEVICE"] = "cpu"
    return values
