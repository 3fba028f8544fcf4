"""Trackers that people know: transformers' own integrations, given our figures, and never a reason for a training to fail.

A tracker with a server is told of each step once more when a training goes on from a checkpoint: it continues the same run. One
without a server writes files into the order's folder `tracking`, which the stage stores; that folder is new in every pod, so
what the metrics file holds from before is told again first.
"""

# ruff: noqa: ARG002 - the names of the arguments are transformers'

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reflection_api.contract import StageConfig
from reflection_api.spec.training import Tracker
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import integration_utils

from ..metrics import MetricsFile, read_metrics
from ..trainer import STEP_LOG
from .settings import PROJECT, has_server, run_name

logger = logging.getLogger(__name__)

_MLFLOW_RUN = "mlflow-run.txt"
"""In a checkpoint: which run of a tracking server goes on with it."""


def trackers_of(
    config: StageConfig, folder: Path, metrics: MetricsFile, checkpoint: Path | None
) -> list[Told]:
    """The trackers of a training, for its first process.

    Args:
        config: of the training.
        folder: for the files of those without a server.
        metrics: holds the figures of every step.
        checkpoint: that training goes on from.
    """
    if checkpoint and (checkpoint / _MLFLOW_RUN).exists():
        os.environ["MLFLOW_RUN_ID"] = (checkpoint / _MLFLOW_RUN).read_text().strip()
    return [Told(name, run_name(config), folder, metrics) for name in config.training.report_to]


class Told(TrainerCallback):
    """One tracker: transformers' integration behind a guard.

    Whatever it raises is logged once, and the training goes on without it.
    """

    def __init__(self, name: Tracker, title: str, folder: Path, metrics: MetricsFile) -> None:
        self._name = name
        self._title = title
        self._folder = folder
        self._metrics = metrics
        self._inner: Any = None
        self._lost = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        """Open the tracker, and tell it what was before where it cannot know."""

        def begin() -> None:
            self._inner = _integration(self._name, self._folder)
            self._inner.on_train_begin(self._named(args), state, control, **rest)
            if not has_server(self._name, os.environ):
                for line in read_metrics(self._metrics.path):
                    self._tell(args, state, control, line)

        self._safely(begin)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Tell the line that the metrics file got of this step."""
        if logs and STEP_LOG in logs:
            self._safely(lambda: self._tell(args, state, control, self._metrics.newest))

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Note in the checkpoint which run of a server goes on with it."""

        def note() -> None:
            import mlflow

            active: Any = mlflow.active_run()
            folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
            (folder / _MLFLOW_RUN).write_text(active.info.run_id)

        if self._name == "mlflow" and has_server("mlflow", os.environ):
            self._safely(note)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        """Close the tracker."""

        def end() -> None:
            if self._name == "mlflow" and not has_server("mlflow", os.environ):
                import mlflow

                # Without a file of its own a run's folder for files is lost in an object storage, and MLflow misses it.
                mlflow.log_artifact(str(self._metrics.path))
            self._inner.on_train_end(self._named(args), state, control, **rest)
            if self._name == "wandb":  # transformers leaves that to the end of the process
                import wandb

                wandb.finish()

        self._safely(end)

    def _tell(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, line: Mapping[str, float]
    ) -> None:
        at = copy.copy(state)
        at.global_step = int(line["step"])
        figures = {name: value for name, value in line.items() if name != "step"}
        self._inner.on_log(args, at, control, logs=figures)

    def _named(self, args: TrainingArguments) -> TrainingArguments:
        named = copy.copy(args)
        named.run_name = self._title
        named.project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        return named

    def _safely(self, call: Callable[[], None]) -> None:
        if self._lost:
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a tracker's library raises
            self._lost = True
            logger.warning(
                "spec.training.reportTo: %s gets no figures from here on, training goes on without it: %s: %s",
                self._name,
                type(error).__name__,
                error,
            )


def _integration(name: Tracker, folder: Path) -> TrainerCallback:
    integrations: Any = integration_utils
    if name == "tensorboard":
        from torch.utils.tensorboard import SummaryWriter

        # A file that begins with "all from step 0 on is told anew" takes the place of those of earlier attempts.
        writer: Any = SummaryWriter(log_dir=str(folder / name), purge_step=0)
        callback: TrainerCallback = integrations.TensorBoardCallback(writer)
    else:
        (kind,) = integrations.get_reporting_integration_callbacks([name])
        callback = kind()
    return callback
