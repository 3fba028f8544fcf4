"""What it is worth to refill dead groups late in a training: useful groups per second, and what is learned in equal time.

    make bench ONLY=refill                  about half an hour on two cores

The example is trained with `keep` until many groups are dead. From that policy each of keep, drop and refill trains on for
the same time, with several seeds, in turns. Useful groups are live ones that an update learned from. Then each model reflects
on the same wrong answers to held-out questions and tries again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from _records import metric, write
from accelerate import PartialState
from reflection_trainer.conversation import Conversation
from reflection_trainer.engines.model import inspect_model
from reflection_trainer.train.failures import Budget, FailureTable, prepare
from reflection_trainer.train.groups import is_dead
from reflection_trainer.train.order import WorkOrder
from reflection_trainer.train.session import Session
from reflection_trainer.train.trl_adapter import TrlGenerator
from train_step import EXAMPLE, failures, prepared
from transformers import TrainerCallback
from transformers.utils.logging import disable_progress_bar

OPTIONS = ("keep", "drop", "refill")
ENDLESS = 100_000
BATCH = 256
"""Reflections that are sampled at a time when a model is judged."""


class Bell(TrainerCallback):
    """Ends a training after so many seconds; notes how many steps that were."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._started = seconds, 0.0
        self.took = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.took = time.perf_counter() - self._started
        control.should_training_stop = self.took >= self._seconds


def main() -> int:
    """Measure, write build/bench/refill.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--late", type=int, default=200, help="steps before the comparison (default 200)")
    parser.add_argument("--seconds", type=float, default=120, help="of each training (default 120)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each option (default 3)")
    parser.add_argument("--samples", type=int, default=5, help="reflections on each wrong answer (default 5)")
    arguments = parser.parse_args()
    disable_progress_bar()
    PartialState(cpu=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["REFLECT_PROGRESS"] = str(folder / "progress.json")
        found = measure(folder, arguments.late, arguments.seconds, arguments.seeds, arguments.samples)
    rates, success = (
        {option: statistics.mean(each[what] for each in found[option]) for option in OPTIONS}
        for what in ("usefulPerSecond", "retrySuccess")
    )
    metrics = [
        metric("useful groups per second against keep", rates["refill"] / rates["keep"], "ratio", ">", 1),
        metric("retry success minus keep's", success["refill"] - success["keep"], "fraction", ">", 0),
        metric("retry success minus drop's", success["refill"] - success["drop"], "fraction", ">", 0),
    ]
    details = {"late": arguments.late, "seconds": arguments.seconds, "samples": arguments.samples, **found}
    write("refill", metrics, details)
    return 0


def measure(folder: Path, late: int, seconds: float, seeds: int, samples: int) -> dict[str, Any]:
    """What every training did and what it learned, by option; what the late policy could do before."""
    order, model = prepared(folder / "late", late)
    first = Session(order, model)
    table = held_out(folder, first)
    first.run()
    first.save_model()
    found: dict[str, Any] = {"before": retry_success(first, table, samples), **{name: [] for name in OPTIONS}}
    for seed in range(seeds):
        for option in OPTIONS:
            found[option].append(
                trained(folder / f"{option}-{seed}", order.model, option, seed + 1, seconds, table, samples)
            )
            print(f"seed {seed + 1}, {option}: {found[option][-1]}")
    return found


def trained(
    folder: Path, policy: Path, option: str, seed: int, seconds: float, table: FailureTable, samples: int
) -> dict[str, float]:
    """A training from the late policy for so many seconds."""
    order, _ = prepared(
        folder,
        ENDLESS,
        f"spec.training.method.deadGroups={option}",
        f"spec.training.seed={seed}",
        "spec.training.scheduler=constant",
        "spec.training.warmupRatio=0",
    )
    session = Session(from_policy(order, policy), inspect_model(policy, uri="file://late"))
    bell, useful = Bell(seconds), []
    session.trainer.add_callback(bell)
    session.trainer.args.save_strategy = "no"  # type: ignore[assignment]
    source = session.trainer._source
    take = source.take

    def watched(generator: Any) -> Any:
        batch = take(generator)
        pairs = zip(batch.groups, batch.learns, strict=True)
        useful.append(sum(learns and not is_dead(group) for group, learns in pairs))
        return batch

    source.take = watched  # type: ignore[method-assign]
    session.run()
    return {
        "steps": session.step,
        "seconds": bell.took,
        "usefulPerSecond": sum(useful) / bell.took,
        "retrySuccess": retry_success(session, table, samples),
    }


def from_policy(order: WorkOrder, policy: Path) -> WorkOrder:
    """The same order for another model."""
    return order.model_copy(update={"policy": policy})


def held_out(folder: Path, session: Session) -> FailureTable:
    """Wrong answers to the held-out questions."""
    config, model = session._order.config, session._model_folder
    path = folder / "heldout.arrow"
    prepare(
        failures(EXAMPLE / "prompts" / "heldout.jsonl"),
        path,
        conversation=Conversation(config.task.templates),
        tokenizer=model.tokenizer,
        budget=Budget(
            model.context_length, config.training.reflection_max_tokens, config.training.retry_max_tokens
        ),
    )
    return FailureTable(path)


def retry_success(session: Session, table: FailureTable, samples: int) -> float:
    """The share of retries that are right, after so many reflections on each wrong answer; the same draws for every model."""
    torch.manual_seed(0)
    rows = [number for number in range(len(table)) for _ in range(samples)]
    rewards: list[float] = []
    for start in range(0, len(rows), BATCH):
        trials = session.trainer._source._steps.run(
            table.take(rows[start : start + BATCH]), TrlGenerator(session.trainer)
        )
        rewards += [trial.reward for trial in trials]
    return statistics.mean(rewards)


if __name__ == "__main__":
    sys.exit(main())
