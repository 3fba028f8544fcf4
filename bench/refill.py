"""What it is worth to refill dead groups late in a training: useful groups per second, and what is learned in equal time.

    make bench ONLY=refill                  about three quarters of an hour on two cores

The demo samples failures, and its model is trained on them with `keep` until many groups are dead. From that checkpoint each
of keep, drop and refill goes on for the same time, with several seeds, in turns. All of them resume as any training does:
weights, optimizer, learning rate and place among the failures are the checkpoint's; only the order of the failures and the
random numbers are those of the seed. Useful groups are live ones that an update learned from. Then each model reflects on
the base model's wrong answers to held-out questions and tries again; it does the same with every second failure of those
that it is trained on, which tells what was learned apart from what of it carries over. The options are compared seed by seed,
and the low end of the differences' interval counts. A checkpoint that does no better than the base model is not late, and
ends it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from _demo import failures_of, held_out_failures_of, run_demo, workdir_of
from _intervals import gain, summary
from _records import metric, write
from accelerate import PartialState
from reflection_trainer.conversation import Conversation
from reflection_trainer.train.failures import Budget, FailureTable, prepare
from reflection_trainer.train.order import checkpoint_step
from reflection_trainer.train.session import Session
from reflection_trainer.train.trl_adapter import TrlGenerator
from train_step import prepared
from transformers import TrainerCallback
from transformers.utils.logging import disable_progress_bar

DEMO = "one-process"
"""As demo_variants calls it: what has run there is not run again."""
OPTIONS = ("keep", "drop", "refill")
ENDLESS = 100_000
COURSE = (
    "spec.training.scheduler=constant_with_warmup",
    "spec.training.warmupRatio=1.0e-4",
    "spec.training.learningRate=1.0e-4",
)
"""In equal time the options make different numbers of steps: a learning rate that falls with them would favour one. Kept at
the example's, from which it falls there, it would let the model wander as far as the options differ."""
MANY_DEAD = 0.75
"""With a larger share of live groups there is little to refill."""
LAST = 20
"""Steps before the checkpoint whose groups are counted."""
BATCH = 256
"""Reflections that are sampled at a time when a model is judged."""
MEASURES = {"retrySuccess": "", "ownRetrySuccess": " on its own failures"}
"""What each training has learned: on held-out questions, and on what it was trained on."""


class Bell(TrainerCallback):
    """Ends a training after so many seconds or at a step; notes how long it took."""

    def __init__(self, *, seconds: float = float("inf"), step: int = ENDLESS) -> None:
        self._seconds, self._step, self._started = seconds, step, 0.0
        self.took = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.took = time.perf_counter() - self._started
        control.should_training_stop = self.took >= self._seconds or state.global_step >= self._step


def main() -> int:
    """Measure, write build/bench/refill.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--late", type=int, default=200, help="steps before the comparison (default 200)")
    parser.add_argument("--seconds", type=float, default=120, help="of each training (default 120)")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each option (default 5)")
    parser.add_argument("--samples", type=int, default=2, help="reflections on each wrong answer (default 2)")
    arguments = parser.parse_args()
    disable_progress_bar()
    PartialState(cpu=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["REFLECT_PROGRESS"] = str(folder / "progress.json")
        run_demo(DEMO)
        demo = workdir_of(DEMO, {})
        found = measure(folder, demo, arguments.late, arguments.seconds, arguments.seeds, arguments.samples)
    compared = pairs(found)
    (rate, _), *differences = compared.items()
    metrics = [
        metric(
            "retry success at the checkpoint minus the base model's",
            found["before"] - found["base"],
            "fraction",
            ">",
            0,
        ),
        metric("share of groups that are live there", found["live"], "fraction", "<", MANY_DEAD),
        *gain(rate, compared[rate], "ratio", 1),
    ]
    for name, values in differences:
        metrics += gain(name, values, "fraction", 0)
    details = {
        "late": arguments.late,
        "seconds": arguments.seconds,
        "samples": arguments.samples,
        "stated": {
            "trainings of each option (`--seeds`)": arguments.seeds,
            "seconds of each (`--seconds`)": arguments.seconds,
        },
        "start": "checkpoint of a training with keep: weights, optimizer, learning rate and place among the failures",
        "pairs": {name: summary(values) | {"values": values} for name, values in compared.items()},
        **found,
    }
    write("refill", metrics, details)
    return 0


def pairs(found: dict[str, Any]) -> dict[str, list[float]]:
    """Refill against another option, a value for each seed; the rates first."""
    both = {other: list(zip(found["refill"], found[other], strict=True)) for other in ("keep", "drop")}
    return {
        "useful groups per second against keep": [
            refilled["usefulPerSecond"] / kept["usefulPerSecond"] for refilled, kept in both["keep"]
        ],
        **{
            f"retry success{of} minus {other}'s": [a[measure] - b[measure] for a, b in each]
            for measure, of in MEASURES.items()
            for other, each in both.items()
        },
    }


def measure(folder: Path, demo: Path, late: int, seconds: float, seeds: int, samples: int) -> dict[str, Any]:
    """What every training did and what it learned, by option; what the base model and the late policy could do before."""
    order, model = prepared(
        folder / "late",
        ENDLESS,
        *COURSE,
        f"spec.training.checkpoint.everySteps={late}",
        rows=failures_of(demo),
    )
    first = Session(order, model)
    table = held_out(folder, first, demo)
    base, base_own = success(first, table, samples)
    useful = counted(first)
    first.trainer.add_callback(Bell(step=late))
    first.run()
    before, before_own = success(first, table, samples)
    found: dict[str, Any] = {
        "base": base,
        "before": before,
        "own": {"base": base_own, "before": before_own},
        "live": sum(useful[-LAST:]) / (LAST * order.config.training.failures_per_step),
        **{name: [] for name in OPTIONS},
    }
    print({name: found[name] for name in ("base", "before", "own", "live")}, flush=True)
    refuse_early(base, before)
    checkpoint = order.output / f"checkpoint-{late}"
    # Else every seed would begin with the same random numbers, and the seeds would not be independent.
    (checkpoint / "rng_state.pth").unlink()
    for seed in range(seeds):
        # Each is first, second and last as often: a machine that slows down favours none.
        shift = seed % len(OPTIONS)
        for option in OPTIONS[shift:] + OPTIONS[:shift]:
            name = f"{option}-{seed}"
            settings = (f"spec.training.method.deadGroups={option}", f"spec.training.seed={seed + 1}")
            order, model = prepared(folder / name, ENDLESS, *COURSE, *settings, rows=failures_of(demo))
            session = Session(order.model_copy(update={"resume_from": checkpoint}), model)
            found[option].append(trained(session, checkpoint, seconds, table, samples))
            print(f"seed {seed + 1}, {option}: {found[option][-1]}", flush=True)
    return found


def refuse_early(base: float, before: float) -> None:
    """End where the policy has not learned anything yet."""
    if before <= base:
        sys.exit(
            f"the checkpoint is not late: {before:.3f} of its retries are right, {base:.3f} of the base model's"
        )


def trained(
    session: Session, checkpoint: Path, seconds: float, table: FailureTable, samples: int
) -> dict[str, float]:
    """A training that goes on from the checkpoint for so many seconds."""
    bell, useful = Bell(seconds=seconds), counted(session)
    session.trainer.add_callback(bell)
    session.trainer.args.save_strategy = "no"  # type: ignore[assignment]
    session.run()
    learned = dict(zip(MEASURES, success(session, table, samples), strict=True))
    return {
        "steps": session.step - checkpoint_step(checkpoint),
        "seconds": bell.took,
        "usefulPerSecond": sum(useful) / bell.took,
        **learned,
    }


def counted(session: Session) -> list[int]:
    """The useful groups of each step that it will make."""
    source, useful = session.trainer._source, []
    take, size = source.take, session._order.config.training.method.num_generations

    def watched(generator: Any) -> Any:
        rows = take(generator)
        groups = (rows[start : start + size] for start in range(0, len(rows), size))
        # The reward of what is left out is not a number, and differs from itself.
        useful.append(sum(group[0].learns and len({row.reward for row in group}) > 1 for group in groups))
        return rows

    source.take = watched  # type: ignore[method-assign]
    return useful


def held_out(folder: Path, session: Session, demo: Path) -> FailureTable:
    """The base model's wrong answers to the held-out questions."""
    config, model = session._order.config, session._model_folder
    path = folder / "heldout.arrow"
    prepare(
        held_out_failures_of(demo),
        path,
        conversation=Conversation(config.task.templates),
        tokenizer=model.tokenizer,
        budget=Budget(
            model.context_length, config.training.reflection_max_tokens, config.training.retry_max_tokens
        ),
    )
    return FailureTable(path)


def success(session: Session, held_out: FailureTable, samples: int) -> tuple[float, float]:
    """In the order of `MEASURES`."""
    own = FailureTable(session._order.table)
    return (
        retry_success(session, held_out, [row for row in range(len(held_out)) for _ in range(samples)]),
        retry_success(session, own, range(0, len(own), 2)),
    )


def retry_success(session: Session, table: FailureTable, rows: Sequence[int]) -> float:
    """The share of retries that are right, after a reflection on the wrong answer of each row; equal draws for every model."""
    torch.manual_seed(0)
    rewards: list[float] = []
    for start in range(0, len(rows), BATCH):
        trials = session.trainer._source._steps.run(
            table.take(rows[start : start + BATCH]), TrlGenerator(session.trainer)
        )
        rewards += [trial.reward for trial in trials]
    return statistics.mean(rewards)


if __name__ == "__main__":
    sys.exit(main())
