"""The train stage: fetches policy and failures, has them trained by processes of their own, stores what they make.

This process holds no model. It gives the training local files, moves finished checkpoints to storage, passes on a request to
stop, and says at the end what became of it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import time
from pathlib import Path

from reflection_api.contract import (
    MASTER_ADDRESS_VARIABLE,
    MASTER_PORT_VARIABLE,
    ArtifactRef,
    StageResult,
    TrainingSettings,
)
from reflection_api.layout import MANIFEST
from reflection_api.manifests import Manifest, Provenance
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..context import StageContext
from ..errors import BadConfig, DependencyAway
from ..provenance import refuse_other_provenance
from ..sources.fetch import fetch_model
from ..storage.artifacts import versions
from ..verify.configured import task_verifier
from ..verify.dataset import check_reusable, dataset_manifest, load_failures
from .accelerate_config import Rendezvous, accelerate_config, check_installed
from .checkpoints import Checkpoints, Mover
from .launcher import MEETING_SECONDS, Training, stopping_on_signals
from .machine import noted_machine, this_machine, threads_of_each
from .metrics import read_metrics, summary
from .oom import KillCounter
from .order import Outcome, WorkOrder, checkpoint_step, read_outcomes, write_file
from .origin import dataset_origin, training_origin
from .outcome import StoppedEarly, conclude
from .published import model_card, model_reference
from .tracking.files import TrackingFiles
from .tracking.settings import check_installed as check_trackers

logger = logging.getLogger(__name__)

METRICS = "metrics.jsonl"
MODEL = "model"
TRACKING = "tracking"
_MEETING_PAUSE = 1.0
_MADE_WITH = ("torch", "transformers", "trl", "accelerate", "peft")


def run(context: StageContext) -> StageResult:
    """Train this round's policy."""
    return TrainStage(context).run()


def beginning(checkpoint: Path | None, settings: TrainingSettings) -> str:
    """Where a training begins, in words, and where it cannot be the same to the last bit."""
    if checkpoint is None:
        return "from the beginning"
    return f"going on from {checkpoint.name}{_inexact(checkpoint, settings)}"


def _inexact(checkpoint: Path, settings: TrainingSettings) -> str:
    before, now = noted_machine(checkpoint), this_machine(threads_of_each(settings.processes_per_node))
    if settings.gpus_per_node:
        why = "on GPUs sums come out a little different each time"
    elif before and before != now:
        why = f"it was made with {before} a process, here are {now}: sums come out a little different"
    else:
        return ""
    return f"; {why}: it ends alike, not bit for bit the same"


class TrainStage:
    """This machine's part of the training."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._config = context.config
        self._dataset_path = context.path(Stage.VERIFY)
        self._model_path = context.path(Stage.TRAIN, MODEL)

    def run(self) -> StageResult:
        """Train, unless the model is there already."""
        check_installed(self._config.training.strategy)
        check_trackers(self._config.training.report_to)
        policy = fetch_model(self._config.policy, self._context)
        origin = self._origin(policy)
        finished = self._context.artifacts.manifest_of_folder(self._model_path)
        if finished is not None:
            return self._done_before(finished, origin)
        checkpoints = Checkpoints(
            self._context.artifacts,
            self._context.path(Stage.TRAIN),
            origin,
            keep_last=self._config.training.checkpoint.keep_last,
        )
        if self._context.index == 0:
            self._context.artifacts.check_writable(self._context.path(Stage.TRAIN), "0")
            checkpoints.sweep()
        order = self._order(policy, checkpoints)
        # It may wait for long: before the handlers of signals, which end nothing.
        rendezvous = self._rendezvous()
        with stopping_on_signals(order):
            outcome = self._train(order, checkpoints, rendezvous)
            if order.node > 0:
                return self._result(outcome, {}, [])  # the first machine stores what all of them made
            return self._publish(order, outcome, origin)

    def _origin(self, policy: Path) -> Provenance:
        """The origin of what this stage makes; the dataset of failures must fit the settings.

        Raises:
            StageFailure: there is no dataset, or it was made with other settings.
        """
        artifacts = self._context.artifacts
        found = dataset_manifest(artifacts, self._dataset_path)
        expected = dataset_origin(self._config, task_verifier(self._config.task), policy, found)
        check_reusable(artifacts, self._dataset_path, expected)
        data = artifacts.store.read(f"{self._dataset_path}/{MANIFEST}") or b""
        return training_origin(self._config, expected, hashlib.sha256(data).hexdigest())

    def _order(self, policy: Path, checkpoints: Checkpoints) -> WorkOrder:
        work = self._context.workdir
        order = WorkOrder(
            config=self._config,
            node=self._context.index,
            policy=policy,
            failures=work / "failures.jsonl",
            resume_from=checkpoints.fetch_newest(work / "resume"),
            output=work / "training",
            control=work / "control",
        )
        for folder in (order.output, order.ready):
            folder.mkdir(parents=True, exist_ok=True)
        with order.failures.open("w") as lines:
            for row in load_failures(self._context.artifacts, self._dataset_path, work):
                lines.write(json.dumps(row) + "\n")
        return order

    def _train(self, order: WorkOrder, checkpoints: Checkpoints, rendezvous: Rendezvous | None) -> Outcome:
        """Run the training processes to their end.

        Raises:
            StageFailure: the training failed, was killed or interrupted, or a checkpoint could not be stored.
        """
        settings = self._config.training
        launch_file, order_file = order.control / "accelerate.yaml", order.control / "order.json"
        write_file(launch_file, accelerate_config(settings, order.node, rendezvous))
        write_file(order_file, order.to_json(indent=2))
        logger.info(
            "training: %d of %d processes on this machine, %s",
            settings.processes_per_node,
            settings.world_size,
            beginning(order.resume_from, settings),
        )
        kills = KillCounter()
        tracking = TrackingFiles(
            order.tracking, self._context.artifacts.store, self._context.path(Stage.TRAIN, TRACKING)
        )
        mover = Mover(order, checkpoints, tracking)

        def look() -> None:
            mover.check()
            _leave_where_nothing_is_done(order)

        try:
            code = Training(order, launch_file, order_file).wait(look)
        finally:
            mover.finish()
        return conclude(
            read_outcomes(order),
            processes=settings.processes_per_node,
            exit_code=code,
            out_of_memory=kills.killed(),
            max_steps=settings.max_steps,
        )

    def _rendezvous(self) -> Rendezvous | None:
        """Where the machines meet; None for one machine alone.

        Raises:
            BadConfig: a training of several machines was not told where.
            DependencyAway: the first machine's name cannot be resolved, for a long time.
        """
        if self._config.training.nodes == 1:
            return None
        address, port = (os.environ.get(name, "") for name in (MASTER_ADDRESS_VARIABLE, MASTER_PORT_VARIABLE))
        if not address or not port.isdigit():
            raise BadConfig(
                f"spec.training.nodes is {self._config.training.nodes}, but {MASTER_ADDRESS_VARIABLE} and "
                f"{MASTER_PORT_VARIABLE} do not say where the first of them is: set both to its host and a free port",
                reason=Reason.INVALID_SPEC,
            )
        wait_for_name(address, MEETING_SECONDS)
        return Rendezvous(address, int(port))

    def _publish(self, order: WorkOrder, outcome: Outcome, origin: Provenance) -> StageResult:
        artifacts = self._context.artifacts
        lines = read_metrics(order.metrics)
        figures = summary(lines)
        if outcome.left_out:
            figures["failuresLeftOut"] = outcome.left_out
        made_with = versions(*_MADE_WITH)
        failures = dataset_manifest(artifacts, self._dataset_path).rows or 0
        write_file(order.model / "README.md", model_card(self._config, figures, failures, made_with))
        artifacts.put_file(
            order.metrics,
            self._context.path(Stage.TRAIN, METRICS),
            kind="metrics",
            rows=len(lines),
            provenance=origin,
        )
        model = artifacts.put_folder(
            order.model,
            self._model_path,
            kind="model",
            metrics=figures,
            provenance=origin,
            made_with=made_with,
        )
        return self._result(outcome, figures, [model])

    def _done_before(self, manifest: Manifest, origin: Provenance) -> StageResult:
        """The result of an earlier attempt that stored its model but could not say so.

        Raises:
            BadConfig: the model was made with other settings (reason DatasetMismatch).
        """
        store = self._context.artifacts.store
        refuse_other_provenance(manifest, origin, store.uri(self._model_path))
        logger.info("the model is there already: %s", store.uri(self._model_path))
        model = model_reference(self._context.artifacts, self._model_path, manifest)
        return self._result(Outcome(ended="completed"), manifest.metrics, [model])

    def _result(
        self, outcome: Outcome, figures: dict[str, float], artifacts: list[ArtifactRef]
    ) -> StageResult:
        return StageResult(
            stage=Stage.TRAIN,
            outcome="Succeeded",
            reason=Reason.COMPLETED.value,
            note=outcome.note,
            metrics=figures,
            artifacts=artifacts,
        )


def _leave_where_nothing_is_done(order: WorkOrder) -> None:
    """Heed a request to stop that comes while the processes prepare, or wait for another machine.

    Raises:
        StoppedEarly: so it is. Where an earlier attempt has done all steps only the model is missing, and is not put off.
    """
    steps_are_left = checkpoint_step(order.resume_from) < order.config.training.max_steps
    if steps_are_left and order.stop_file.exists() and not order.begun.exists():
        raise StoppedEarly


def wait_for_name(host: str, seconds: float) -> None:
    """Wait until a host name resolves: a pod's is published only some time after the pod was started.

    Raises:
        DependencyAway: it did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.getaddrinfo(host, None)
        except socket.gaierror as error:
            if time.monotonic() > deadline:
                raise DependencyAway(
                    f"{MASTER_ADDRESS_VARIABLE}: {host} cannot be resolved ({error.strerror}): is the first pod running?",
                    reason=Reason.DEPENDENCY_UNAVAILABLE,
                ) from error
            time.sleep(_MEETING_PAUSE)
        else:
            return
