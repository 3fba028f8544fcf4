"""A training session of one process: everything is put together, training runs, the first process writes the model."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from reflection_api.contract import VERIFIER_PATIENCE_VARIABLE
from reflection_api.reasons import Reason
from reflection_api.stages import ExitCode, Stage
from transformers import PrinterCallback
from transformers.utils.logging import disable_progress_bar

from ..bits import bit_sum
from ..conversation import Conversation
from ..engines.colocated_engine import ColocatedEngine
from ..engines.model import ModelFolder, inspect_model
from ..errors import StageFailure
from ..patience import Patience
from ..progress import Progress
from ..verify.configured import task_verifier
from .callbacks import Handover, StepClock, StepLog, StopOnRequest, read_position
from .colocated import Colocated, sample_by
from .config import grpo_config
from .deck import Deck
from .failures import Budget, FailureTable, Prepared, prepare
from .groups import BatchShape, GroupSource
from .meter import Meter
from .metrics import MetricsFile
from .order import Ended, Outcome, WorkOrder, checkpoint_step
from .policy import Policy, load_policy, lora_config, save_policy
from .pool import Processes
from .reflect_retry import ReflectRetry
from .reward import RetryReward
from .tracking.told import Told, trackers_of
from .trainer import ReflectionTrainer
from .weights import whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainerCallback

logger = logging.getLogger(__name__)

_SLOW = timedelta(hours=1)
"""What one process may take until the next collective call, as the first one that prepares the failures; torch's own limit is
10 or 30 minutes.
"""


class ReplicasDiffer(StageFailure):
    """The processes of a training hold different weights although each made the same updates."""

    exit_code = ExitCode.CHECK_FAILED

    def __init__(self, count: int) -> None:
        super().__init__(
            f"the training processes ended with {count} different sets of weights: a defect of this program or of a GPU; "
            "no model is written",
            reason=Reason.TRAINER_CRASHED,
        )


def train(order: WorkOrder) -> Outcome:
    """Train from the beginning or from a checkpoint, to the end or until a stop is asked for.

    Raises:
        StageFailure: the input or the settings cannot be used; the message says why.
    """
    settings = order.config.training
    disable_progress_bar()  # type: ignore[no-untyped-call]
    state = PartialState(cpu=settings.gpus_per_node == 0, timeout=waiting_at_most())
    check_world(state, settings.world_size, checkpoint_step(order.resume_from))
    model = inspect_model(
        order.policy, uri=order.config.policy.uri, trust_remote_code=order.config.policy.trust_remote_code
    )
    prepared = _prepare_failures(order, state, model)
    session = Session(order, model)
    ended = session.run()
    checksum = check_replicas(checksum_of(map(whole, session.model.parameters())))
    if ended == "completed":
        session.save_model(writes=state.is_main_process)
    state.wait_for_everyone()
    return Outcome(
        ended=ended,
        step=session.step,
        processes=state.num_processes,
        checksum=checksum,
        note=prepared.note if prepared else "",
        left_out=prepared.left_out if prepared else 0,
    )


def waiting_at_most() -> timedelta:
    """How long the processes wait for one of them, which may wait for its verifier; for the storage all wait together.

    It ends those that wait for one that hangs. One that has died is not waited for: the launcher ends the others of its
    machine, and a failed pod ends its Job.
    """
    return _SLOW + timedelta(seconds=Patience.of_environment(VERIFIER_PATIENCE_VARIABLE).seconds)


def check_world(state: PartialState, expected: int, step: int) -> None:
    """Refuse to train with another number of processes than asked for (launchers start fewer without a word), or where
    the machines would go on from different checkpoints.

    Raises:
        StageFailure: so it is. Not final: the next attempt may find all of them.
    """
    if state.num_processes != expected:
        raise StageFailure(
            f"{state.num_processes} training processes found each other, but the resource asks for {expected} "
            "(spec.training.nodes x processesPerNode): see the launcher's log",
            reason=Reason.TRAINER_CRASHED,
        )
    steps = set(gather_object([step]))
    if len(steps) > 1:
        raise StageFailure(
            f"the machines would go on from different steps ({', '.join(map(str, sorted(steps)))}): "
            "they do not see the same checkpoints",
            reason=Reason.TRAINER_CRASHED,
        )


def checksum_of(tensors: Iterable[torch.Tensor]) -> str:
    """A checksum over the bits of all numbers; the last bit of one of them changes it, and so does its place."""
    sums = [int(bit_sum(tensor, placed=True)) for tensor in tensors]
    return hashlib.sha256(repr(sums).encode()).hexdigest()


def check_replicas(checksum: str) -> str:
    """The checksum of the weights, once every process has named the same.

    Raises:
        ReplicasDiffer: the processes trained different models, and none of them can be trusted.
    """
    different = set(gather_object([checksum]))
    if len(different) > 1:
        raise ReplicasDiffer(len(different))
    return checksum


class Session:
    """One process's part of a training."""

    def __init__(self, order: WorkOrder, model: ModelFolder) -> None:
        settings, policy = order.config.training, order.config.policy
        self._order = order
        self._model_folder = model
        self._tokenizer = model.tokenizer
        self._metrics = MetricsFile(order.metrics)
        self._progress = Progress(Stage.TRAIN, index=order.node, unit="steps", total=settings.max_steps)
        self._stop = StopOnRequest(order)
        self._table = FailureTable(order.table)
        self._deck = Deck(len(self._table), seed=settings.seed)
        self._policy = load_policy(order.policy, uri=policy.uri, trust_remote_code=policy.trust_remote_code)
        self.trainer = self._build(self._policy)

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return int(self.trainer.state.global_step)

    @property
    def model(self) -> PreTrainedModel:
        """The model in training, without what training wraps around it."""
        model: PreTrainedModel = self.trainer.accelerator.unwrap_model(self.trainer.model)
        return model

    def run(self) -> Ended:
        """Train; says how it ended: `completed` or `interrupted`."""
        checkpoint = self._order.resume_from
        if checkpoint:
            self._deck.position = read_position(checkpoint)
        if self.trainer.is_world_process_zero():
            if checkpoint:
                shutil.copyfile(checkpoint / self._metrics.path.name, self._metrics.path)
            self._metrics.restart(checkpoint_step(checkpoint))
        self._progress.skip(checkpoint_step(checkpoint))
        self.trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        return "interrupted" if self._stop.stopped else "completed"

    def save_model(self, *, writes: bool = True) -> None:
        """Write the trained model to the order's folder: all processes take part, one writes."""
        folder = self._order.model if writes else None
        save_policy(self._policy, self.model, self._tokenizer, self._order.policy, folder)

    def _build(self, policy: Policy) -> ReflectionTrainer:
        settings = self._order.config.training
        meter = Meter()
        log = StepLog(self._metrics, self._progress)
        if settings.strategy == "fsdp":
            # transformers' mark of a model whose layers are gathered by all processes together: without it a process whose
            # texts have all ended would stop sampling, and the others would wait for its part forever.
            marked: Any = policy.model
            marked._is_fsdp_managed_module = True  # noqa: SLF001
        callbacks: list[TrainerCallback] = [
            StepClock(meter), log, self._stop, *self._trackers(), Handover(self._order, self._progress, self._deck),
        ]  # fmt: skip
        trainer = ReflectionTrainer(
            settings=settings,
            source=self._source(meter),
            meter=meter,
            args=grpo_config(
                settings, self._order.output, trust_remote_code=self._order.config.policy.trust_remote_code
            ),
            model=policy.model,
            processing_class=self._tokenizer,
            peft_config=lora_config(settings.lora, policy.model) if settings.lora else None,
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)  # ours is shorter
        log.trainer = trainer
        if settings.generation == "colocate":
            sample_by(trainer, self._colocated)
        return trainer

    def _trackers(self) -> list[Told]:
        """Before what hands a checkpoint over, which they add to."""
        if not PartialState().is_main_process:
            return []
        order = self._order
        return trackers_of(order.config, order.tracking, self._metrics, order.resume_from)

    def _colocated(self, trainer: ReflectionTrainer) -> Colocated:
        settings, prompt = self._order.config.training, self._table.take([0])[0].prompt
        canary: Any = self._tokenizer.apply_chat_template(
            prompt, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        engine = ColocatedEngine(
            self._model_folder,
            gpus=settings.gpus_per_node,
            processes=settings.world_size,
            rows=settings.reflections_per_process * settings.method.retries_per_reflection,
            context_length=_budget(self._order, self._model_folder).room(self._table.longest()),
        )
        return Colocated(trainer, engine, canary=canary, seed=settings.seed)

    def _source(self, meter: Meter) -> GroupSource:
        config, settings = self._order.config, self._order.config.training
        steps = ReflectRetry(
            Conversation(config.task.templates),
            RetryReward(task_verifier(config.task), meter),
            reflection_tokens=settings.reflection_max_tokens,
            retry_tokens=settings.retry_max_tokens,
            retries=settings.method.retries_per_reflection,
            meter=meter,
        )
        return GroupSource(
            self._table,
            self._deck,
            steps,
            shape=BatchShape.of(settings),
            dead=settings.method.dead_groups,
            meter=meter,
            processes=Processes(
                PartialState().process_index,
                PartialState().num_processes,
                gather=lambda value: list(gather_object([value])),
            ),
        )


def _prepare_failures(order: WorkOrder, state: PartialState, model: ModelFolder) -> Prepared | None:
    """The first process of each machine prepares the failures while the others wait; only it knows what came of it."""
    prepared = None
    with state.local_main_process_first():
        if state.is_local_main_process:
            prepared = prepare(
                _rows(order.failures),
                order.table,
                conversation=Conversation(order.config.task.templates),
                tokenizer=model.tokenizer,
                budget=_budget(order, model),
            )
            if prepared.note:
                logger.warning("%s", prepared.note)
    return prepared


def _budget(order: WorkOrder, model: ModelFolder) -> Budget:
    settings = order.config.training
    return Budget(model.context_length, settings.reflection_max_tokens, settings.retry_max_tokens)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as lines:
        yield from map(json.loads, lines)
