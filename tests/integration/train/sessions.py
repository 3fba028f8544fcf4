"""Training sessions inside the test's own process, on the tiny model."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from reflection_trainer.engines.model import inspect_model
from reflection_trainer.train import session as sessions
from reflection_trainer.train.order import WorkOrder
from reflection_trainer.train.reflect_retry import ReflectRetry, Trial

from . import tiny

LOOK_SECONDS = 0.01


def make_order(
    folder: Path, model: Path, *, count: int = 10, resume_from: Path | None = None, **training: Any
) -> WorkOrder:
    order = WorkOrder(
        config=tiny.config(model, folder / "storage", **training),
        node=0,
        policy=model,
        failures=folder / "failures.jsonl",
        resume_from=resume_from,
        output=folder / "output",
        control=folder / "control",
    )
    order.output.mkdir(parents=True, exist_ok=True)
    order.ready.mkdir(parents=True, exist_ok=True)
    rows = [row | {"row": json.loads(row["row"])} for row in tiny.failures(count)]
    order.failures.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return order


def open_session(folder: Path, model: Path, **kwargs: Any) -> sessions.Session:
    """A session that has not begun to train: the test may look into its trainer."""
    order = make_order(folder, model, **kwargs)
    state = PartialState(cpu=order.config.training.gpus_per_node == 0)
    inspected = inspect_model(model, uri=f"file://{model}")
    sessions._prepare_failures(order, state, inspected)
    return sessions.Session(order, inspected)


@contextmanager
def taking_checkpoints(order: WorkOrder, kept: Path) -> Iterator[None]:
    """Stands in for the launcher: moves every finished checkpoint to the folder `kept`."""
    ending = threading.Event()

    def take() -> None:
        for ready in order.ready.glob("checkpoint-*"):
            shutil.move(order.output / ready.name, kept / ready.name)
            ready.unlink()

    def run() -> None:
        while not ending.wait(LOOK_SECONDS):
            take()
        take()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def run_session(session: sessions.Session, kept: Path | None = None) -> dict[str, torch.Tensor]:
    """Train to the end, checkpoints in the folder `kept`; copies of the weights."""
    kept = kept or session._order.output.with_name("kept")
    kept.mkdir(exist_ok=True)
    with taking_checkpoints(session._order, kept):
        assert session.run() == "completed"
    return {name: value.detach().clone() for name, value in session.model.state_dict().items()}


def steps_of(session: sessions.Session) -> ReflectRetry:
    return session.trainer._source._steps


def reward(session: sessions.Session, of_row: Callable[[int], float]) -> None:
    """Rewards by the number of the row within what is sampled together."""
    steps_of(session)._reward.score = lambda failures, *_: [
        float(of_row(row)) for row in range(len(failures))
    ]


def reward_every_other_row(session: sessions.Session) -> None:
    """Rewards that leave no group dead, so that every loss has a gradient."""
    reward(session, lambda row: row % 2)


class Probe:
    """Records what reaches the loss, and the loss's derivative by the log-probability of every completion token."""

    def __init__(self, session: sessions.Session) -> None:
        trainer = session.trainer
        self.inputs: list[dict[str, torch.Tensor]] = []
        self.logps: list[torch.Tensor] = []
        self.gradients: dict[str, torch.Tensor] = {}
        self.trials: list[Trial] = []
        self._watch_loss(trainer)
        self._watch_step(trainer)
        self._watch_generation(session)

    def _watch_loss(self, trainer: Any) -> None:
        loss, logps = trainer._compute_loss, trainer._get_per_token_logps_and_entropies

        def watched_logps(*args: Any, **kwargs: Any) -> Any:
            result = logps(*args, **kwargs)
            if torch.is_grad_enabled():
                result[0].retain_grad()
                self.logps.append(result[0])
            return result

        def watched_loss(model: Any, inputs: dict[str, Any]) -> Any:
            self.inputs.append(
                {name: value.clone() for name, value in inputs.items() if torch.is_tensor(value)}
            )
            return loss(model, inputs)

        trainer._compute_loss, trainer._get_per_token_logps_and_entropies = watched_loss, watched_logps

    def _watch_step(self, trainer: Any) -> None:
        step = trainer.training_step

        def watched(model: Any, inputs: Any, *args: Any) -> Any:
            result = step(model, inputs, *args)
            parameters = trainer.accelerator.unwrap_model(model).named_parameters()
            self.gradients = {
                name: value.grad.clone() for name, value in parameters if value.grad is not None
            }
            return result

        trainer.training_step = watched

    def _watch_generation(self, session: sessions.Session) -> None:
        steps = steps_of(session)
        run = steps.run

        def watched(*args: Any) -> Any:
            result = run(*args)
            self.trials += result
            return result

        steps.run = watched

    @property
    def reflections(self) -> list[list[int]]:
        return [trial.reflection.token_ids for trial in self.trials]
