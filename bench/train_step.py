"""What our training step costs beside its stock pieces: two generate calls and TRL's own step on the reflection tokens.

    make bench ONLY=train_step              minutes on two cores

Ours trains on the example's model and records what it asked the model for. The stock trainer then repeats exactly that, from
token ids that are ready and rewards that are known: the same seeds draw the same tokens, and both end with the same weights,
bit for bit, or nothing is reported. What is left between them is ours: drawing failures, rendering and tokenizing
conversations, judging retries, counting, logging. Rounds of the two take turns, each of them first in every other one: a
machine that slows down or speeds up does so for both.

transformers generates with the very weights in training, so these rounds need no canary. Where vLLM is installed, one more
training samples by it, and what its canary takes of a step is measured there; a further one does so with LoRA, whose weights
are merged for it. The figure with the canary is that step beside itself without the canary and without what the rounds above
found to be ours: no stock trainer samples by vLLM here. What is ours is told part by part from one more training, under a
profiler, which makes all parts slower alike.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from _intervals import summary
from _records import ROOT, metric, write
from accelerate import PartialState
from datasets import Dataset
from reflection_api.stages import Stage
from reflection_api.validation import load_resources
from reflection_operator.children.resolve import stage_config
from reflection_trainer.conversation import Conversation
from reflection_trainer.engines.model import ModelFolder, inspect_model
from reflection_trainer.train.config import grpo_config
from reflection_trainer.train.failures import Budget, prepare
from reflection_trainer.train.grpo import GRPOTrainer
from reflection_trainer.train.order import WorkOrder
from reflection_trainer.train.policy import load_policy
from reflection_trainer.train.session import Session
from transformers import GenerationConfig, PrinterCallback, TrainerCallback
from transformers.utils.logging import disable_progress_bar

EXAMPLE = ROOT / "examples" / "countdown"
AIM = 1.03
LORA = ("spec.training.lora.rank=16", "spec.training.lora.alpha=32")
PARTS = {
    "conversations tokenized": [("train/trl_adapter.py", "_tokenized")],
    "conversations rendered": [("train/reflect_retry.py", "_retry_prompts")],
    "retries judged": [("verify/countdown.py", "verify")],
    "answers looked for in reflections": [("verify/leak.py", "leaks")],
    "figures told and written": [("train/trainer.py", "log")],
    "failures drawn": [("train/deck.py", "draw"), ("train/failures.py", "take")],
}
"""What is ours in a step, by the functions that do it."""
WARM_UP = 2
"""Steps at the beginning of a round that are not counted."""


class Clock(TrainerCallback):
    """Notes when each step begins."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())


class Recorder:
    """What a session of ours asks the model for in each step, and what it pays."""

    def __init__(self, session: Session) -> None:
        self.calls: list[list[tuple[list[list[int]], int]]] = []
        self.rewards: list[list[float]] = []
        trainer: Any = session.trainer
        generate, score = trainer._generate_single_turn, trainer._generate_and_score_completions

        def watched(prompt_ids: list[list[int]], *rest: Any) -> Any:
            self.calls[-1].append((prompt_ids, trainer.generation_kwargs["max_new_tokens"]))
            return generate(prompt_ids, *rest)

        def step(inputs: Any) -> Any:
            self.calls.append([])
            batch = score(inputs)
            self.rewards.append([row.reward for row in trainer.rows])
            return batch

        trainer._generate_single_turn, trainer._generate_and_score_completions = watched, step


def main() -> int:
    """Measure, write build/bench/train_step.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=40, help="steps of a round (default 40)")
    parser.add_argument("--rounds", type=int, default=10, help="rounds of each kind (default 10)")
    arguments = parser.parse_args()
    disable_progress_bar()
    PartialState(cpu=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REFLECT_PROGRESS"] = str(Path(folder, "progress.json"))
        found = measure(
            Path(folder), arguments.steps, arguments.rounds, canary=bool(importlib.util.find_spec("vllm"))
        )
    ours, stock = found["ours"], found["stock"]
    ratios = [a["wall"] / b["wall"] for a, b in zip(ours, stock, strict=True)]
    cpu_ratios = [a["cpu"] / b["cpu"] for a, b in zip(ours, stock, strict=True)]
    metrics = [
        *cost("step time against the stock pieces", ratios),
        metric(
            "processor time against the stock pieces, mean", statistics.mean(cpu_ratios), "ratio", "<=", AIM
        ),
    ]
    stated = {
        f"{part}, under a profiler": f"{1000 * seconds:.1f} ms of a step"
        for part, seconds in found["parts"].items()
    }
    details = {"steps": arguments.steps, "ratios": ratios, "cpuRatios": cpu_ratios, "stated": stated, **found}
    if canary := found["canary"]:
        own = statistics.mean(a["wall"] - b["wall"] for a, b in zip(ours, stock, strict=True))
        details["ownSeconds"] = own
        metrics += [
            metric(
                "step time with vLLM, canary included", with_canary(**canary, own=own), "ratio", "<=", AIM
            ),
            metric(
                "canary, share of a step with vLLM",
                canary["check"] / canary["step"],
                "fraction",
                "<=",
                AIM - 1,
            ),
            metric(
                "canary, share of a step with vLLM and LoRA",
                found["canaryWithLora"]["check"] / found["canaryWithLora"]["step"],
                "fraction",
                "<=",
                AIM - 1,
            ),
        ]
    write("train_step", metrics, details)
    return 0


def measure(folder: Path, steps: int, rounds: int, *, canary: bool) -> dict[str, Any]:
    """Seconds per step of every round; the same weights at the end of each, or it is no comparison."""
    order, model = prepared(folder / "record", steps)
    session = Session(order, model)
    record = Recorder(session)
    expected, _ = ours(session)
    found: dict[str, Any] = {"ours": [], "stock": [], "canary": None, "parts": parts(folder / "parts", steps)}
    for number in range(rounds):
        again, inspected = prepared(folder / f"ours-{number}", steps)
        for kind in in_turn(("ours", "stock"), number):
            weights, clock = (
                ours(Session(again, inspected)) if kind == "ours" else stock(again, inspected, record)
            )
            if any(not torch.equal(weights[name], expected[name]) for name in expected):
                sys.exit(f"{kind}: other weights than the recorded run: the work was not the same")
            found[kind].append(per_step(clock))
        print(
            f"round {number + 1} of {rounds}: {json.dumps({kind: found[kind][-1] for kind in ('ours', 'stock')})}"
        )
    if canary:
        found["canary"] = canary_seconds(folder / "colocate", steps)
        found["canaryWithLora"] = canary_seconds(folder / "lora", steps, *LORA)
    return found


def cost(name: str, ratios: list[float]) -> list[dict[str, Any]]:
    """The mean of the rounds and the high end of its interval."""
    known = summary(ratios)
    return [
        metric(f"{name}, mean", known["mean"], "ratio", "<=", AIM),
        metric(f"{name}, high end of its 95% interval", known["interval"][1], "ratio", "<=", AIM),
    ]


def parts(folder: Path, steps: int) -> dict[str, float]:
    """Seconds of a step that each of our parts takes, under a profiler."""
    session = Session(*prepared(folder, steps))
    with cProfile.Profile() as profile:
        session.run()
    spent = {
        (entry.code.co_filename.rpartition("reflection_trainer/")[2], entry.code.co_name): entry.totaltime
        for entry in profile.getstats()
        if isinstance(entry.code, CodeType)
    }
    return {part: sum(spent[function] for function in functions) / steps for part, functions in PARTS.items()}


def in_turn(kinds: Iterable[str], number: int) -> list[str]:
    """The kinds of round in this order, the next time in the other one."""
    return list(kinds)[:: -1 if number % 2 else 1]


def ours(session: Session) -> tuple[dict[str, torch.Tensor], Clock]:
    """Train a session to its end."""
    clock = Clock()
    session.trainer.add_callback(clock)
    session.run()
    return copied(session.model), clock


def stock(order: WorkOrder, model: ModelFolder, record: Recorder) -> tuple[dict[str, torch.Tensor], Clock]:
    """TRL's own trainer doing what was recorded."""
    settings, clock = order.config.training, Clock()
    policy = load_policy(order.policy, uri=order.config.policy.uri, trust_remote_code=False)

    def rollout(_: Any, trainer: Any) -> dict[str, Any]:
        (reflect, limit), (retry, retry_limit) = record.calls[trainer.state.global_step]
        token_ids, _ = generate(trainer, reflect, limit)
        generate(trainer, retry, retry_limit)
        return {"prompt_ids": reflect, "completion_ids": token_ids, "logprobs": None}

    def generate(trainer: Any, prompt_ids: list[list[int]], limit: int) -> Any:
        trainer.generation_config = GenerationConfig(
            **trainer.generation_kwargs | {"max_new_tokens": limit}, disable_compile=True
        )
        return trainer._generate_single_turn(prompt_ids, None, {}, 1)

    prompts = [[{"role": "user", "content": ""}]] * (settings.failures_per_step * settings.max_steps)
    trainer: Any = GRPOTrainer(
        model=policy.model,
        args=grpo_config(settings, order.output.with_name("stock")),
        processing_class=model.tokenizer,
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        rollout_func=rollout,
        reward_funcs=lambda trainer_state, **_: record.rewards[trainer_state.global_step],
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.create_model_card = lambda *_, **__: None
    trainer.train()
    return copied(trainer.accelerator.unwrap_model(trainer.model)), clock


def canary_seconds(folder: Path, steps: int, *more: str) -> dict[str, float]:
    """Of a training that samples by vLLM: seconds of a step, and of those in which it is checked that it samples the policy."""
    order, model = prepared(folder, steps, "spec.training.generation=colocate", *more)
    session, spent = Session(order, model), []
    inside: Any = session.trainer.vllm_generation
    check = inside.check

    def watched() -> None:
        started = time.perf_counter()
        check()
        spent.append(time.perf_counter() - started)

    inside.check = watched
    _, clock = ours(session)
    return {"step": per_step(clock)["wall"], "check": statistics.median(spent[WARM_UP:])}


def with_canary(*, step: float, check: float, own: float) -> float:
    """A step beside itself without its check and without what else is ours in it."""
    return step / (step - check - own)


def prepared(
    folder: Path, steps: int, *more: str, rows: Iterable[dict[str, Any]] | None = None
) -> tuple[WorkOrder, ModelFolder]:
    """The example's training for so many steps, on these failures; by default on wrong answers to its questions."""
    settings = [f"spec.training.maxSteps={steps}", f"spec.training.checkpoint.everySteps={steps + 1}", *more]
    (resource,) = load_resources(EXAMPLE / "reflectiontraining.yaml", local=True, settings=settings)
    config = stage_config(resource, 1, Stage.TRAIN, 1)
    order = WorkOrder(
        config=config,
        node=0,
        policy=EXAMPLE / "model",
        failures=folder / "failures.jsonl",
        output=folder / "output",
        control=folder / "control",
    )
    order.output.mkdir(parents=True)
    order.ready.mkdir(parents=True)
    model = inspect_model(order.policy, uri=config.policy.uri)
    prepare(
        failures() if rows is None else rows,
        order.table,
        conversation=Conversation(config.task.templates),
        tokenizer=model.tokenizer,
        budget=Budget(
            model.context_length, config.training.reflection_max_tokens, config.training.retry_max_tokens
        ),
    )
    return order, model


def failures() -> Iterator[dict[str, Any]]:
    """A wrong answer to each question: its numbers, taken from each other the wrong way round."""
    for number, line in enumerate((EXAMPLE / "prompts" / "train.jsonl").read_text().splitlines()):
        row = json.loads(line)
        first, second = row["nums"]
        yield {
            "id": f"{number:04d}/0",
            "messages": [{"role": "user", "content": row["prompt"]}],
            "completion": f"{min(first, second)} - {max(first, second)}",
            "row": row,
        }


def copied(model: Any) -> dict[str, torch.Tensor]:
    """The weights as they are now."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def per_step(clock: Clock) -> dict[str, float]:
    """The median step, from its beginning to the next one's."""
    return {
        name: statistics.median(
            later - earlier for earlier, later in zip(times[WARM_UP:], times[WARM_UP + 1 :], strict=False)
        )
        for name, times in (("wall", clock.wall), ("cpu", clock.cpu))
    }


if __name__ == "__main__":
    sys.exit(main())
