"""What happens beside the training loop: figures are written, checkpoints handed over, a request to stop is heeded."""

# ruff: noqa: ARG002 - the names of the arguments are transformers'

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed
from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..progress import Progress
from .deck import Deck
from .machine import note_machine
from .meter import Meter
from .metrics import MetricsFile, step_line
from .order import WorkOrder, write_file
from .trainer import STEP_LOG

if TYPE_CHECKING:
    from .trainer import ReflectionTrainer

logger = logging.getLogger(__name__)

_SHOWN: tuple[str, ...] = ("reward", "deadGroupShare", "reflectionTokens")
"""Figures beside the progress."""
_POSITION = "position.txt"
"""How many failures had been drawn when the checkpoint was made."""
_HANDOVER_SECONDS = 0.05
"""Between two looks whether the checkpoint before has been taken."""
_TOGETHER_SECONDS = 10.0
"""Between two times that the processes ask each other."""


def read_position(checkpoint: Path) -> int:
    """How many failures the training of a checkpoint had drawn."""
    return int((checkpoint / _POSITION).read_text())


class StepClock(TrainerCallback):
    """Starts the clock of each step."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._meter.start_step()


class StepLog(TrainerCallback):
    """Writes a line and the progress after every step, in the first process."""

    def __init__(self, file: MetricsFile, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self.trainer: ReflectionTrainer
        """Set once there is one: a trainer is built with its callbacks."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not state.is_world_process_zero or not logs or STEP_LOG not in logs:
            return
        line = step_line(state.global_step, logs, self.trainer.figures)
        self._file.append(line)
        shown = {name: line[name] for name in _SHOWN if name in line}
        self._progress.update(state.global_step, metrics=shown)
        words = ", ".join(f"{name} {line[name]:.4g}" for name in (*_SHOWN, "seconds") if name in line)
        logger.info("step %d of %d: %s", state.global_step, state.max_steps, words)


class StopOnRequest(TrainerCallback):
    """Ends the training after the step in which a stop was asked for, saved. All processes decide alike.

    The request is a file and not a signal: a signal that arrives while a process is still starting would kill it.
    """

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        self.stopped = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.is_local_process_zero:
            self._order.begun.touch()
        if state.global_step < state.max_steps and self._asked(args):
            self.stopped = True
            control.should_save = control.should_training_stop = True

    def _asked(self, args: TrainingArguments) -> bool:
        asked = self._order.stop_file.exists()
        if args.world_size == 1:
            return asked
        # One machine may be drained while the others are not.
        votes = torch.tensor(int(asked), device=args.device)
        torch.distributed.all_reduce(votes, torch.distributed.ReduceOp.MAX)
        return bool(votes.item())


class Handover(TrainerCallback):
    """Completes each checkpoint on the first machine's disk and says that it is ready to be stored."""

    def __init__(self, order: WorkOrder, progress: Progress, deck: Deck) -> None:
        self._order = order
        self._progress = progress
        self._deck = deck
        self._pending: tuple[int, Path] | None = None

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        if args.world_size > 1:
            self._collect_generators(args, folder)
        self._wait_for_taken()
        if not state.is_world_process_zero:
            return
        shutil.copyfile(self._order.metrics, folder / self._order.metrics.name)
        write_file(folder / _POSITION, f"{self._deck.position}\n")
        note_machine(folder)
        ready = self._order.ready / folder.name
        write_file(ready, "")
        self._pending = (state.global_step, ready)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._pending and not self._waits():
            self._progress.checkpoint_step, self._pending = self._pending[0], None

    def _waits(self) -> bool:
        return self._pending is not None and self._pending[1].exists()

    def _wait_for_taken(self) -> None:
        """One checkpoint waits at most: a disk must not fill because the storage is slow.

        However slow it is: all processes ask each other every few seconds, so that none waits in silence until it is ended.
        """
        waits = True
        while waits:
            asked_again = time.monotonic() + _TOGETHER_SECONDS
            while self._waits() and time.monotonic() < asked_again:
                time.sleep(_HANDOVER_SECONDS)
            waits = any(gather_object([self._waits()]))

    def _collect_generators(self, args: TrainingArguments, folder: Path) -> None:
        """Bring the state of every process's random generator to the first machine, and wait for all."""
        own = folder / f"rng_state_{args.process_index}.pth"
        for name, state in gather_object([(own.name, own.read_bytes())]):
            if args.process_index == 0 and not (folder / name).exists():
                (folder / name).write_bytes(state)
