"""TRL's GRPOTrainer, taught to train on failures: our sampler, our rows, our figures. The loss is TRL's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

from .failures import FailureTable
from .grpo import GRPOConfig, GRPOTrainer
from .meter import Counts, Meter
from .metrics import group_shares, step_figures
from .reflect_retry import Failure
from .sampler import FailureSampler

STEP_LOG = "loss"
"""Only a step's log holds it; the log at the end of training does not."""


class ReflectionTrainer(GRPOTrainer):
    """Reflection-only GRPO over a table of failures.

    The data set that TRL sees holds row numbers only. Rows are looked up when a batch is generated, so that the copies that TRL
    asks for at every micro-batch, and throws away, cost nothing.
    """

    def __init__(self, *, failures: FailureTable, meter: Meter, args: GRPOConfig, **kwargs: Any) -> None:
        self._failures = failures
        self._meter = meter
        self._group_shares: dict[str, float] = {}
        self.current_failures: list[Failure] = []
        """The failures of the rows that are being generated, in their order."""
        self.figures: dict[str, float] = {}
        """Our figures of the newest step, of all processes together."""
        super().__init__(args=args, train_dataset=failures.row_numbers(), **kwargs)

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:  # noqa: ARG002 - TRL's signature
        args: Any = self.args
        return FailureSampler(
            failures=len(self._failures),
            failures_per_step=args.generation_batch_size // args.num_generations,
            generations=args.num_generations,
            repeats=args.steps_per_generation,
            steps=args.max_steps,
            seed=args.seed,
        )

    def _generate_and_score_completions(self, inputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        self.current_failures = self._failures.take([row["failure"] for row in inputs])
        rows = [{"prompt": failure.prompt, "failure": failure} for failure in self.current_failures]
        batch: dict[str, Any] = super()._generate_and_score_completions(rows)
        return batch

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        rewards: torch.Tensor = super()._calculate_rewards(*args, **kwargs)  # of all processes: (rows, 1)
        self._group_shares = group_shares(rewards.view(-1, int(self.num_generations or 0)).tolist())
        return rewards

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Complete the figures of the step before the callbacks read them."""
        if STEP_LOG in logs:
            self.figures = self._group_shares | step_figures(self._all_counts())
        super().log(logs, start_time)
        # Ours stand in the metrics file; TRL's history would grow every checkpoint by all steps before it.
        self.state.log_history.clear()

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the published model has a card of ours, and a checkpoint needs none."""

    def _all_counts(self) -> Counts:
        counts = torch.tensor(self._meter.finish_step().to_list(), dtype=torch.float64)
        total = self.accelerator.reduce(counts.to(self.accelerator.device), reduction="sum")
        return Counts.from_list(total.tolist())
