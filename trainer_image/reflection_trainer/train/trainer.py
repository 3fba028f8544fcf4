"""TRL's GRPOTrainer, taught to train on failures: our groups, our micro-batches, our figures. The loss is TRL's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from datasets import Dataset
from reflection_api.contract import TrainingSettings
from torch.utils.data import Sampler

from .groups import GroupSource, Row
from .grpo import GRPOConfig, GRPOTrainer, shuffle_sequence_dict, split_tensor_dict
from .meter import Counts, Meter
from .metrics import step_figures
from .trl_adapter import PLACEHOLDER, TrlGenerator, hand_over, retry_success

STEP_LOG = "loss"
"""Only a step's log holds it; the log at the end of training does not."""

Batch = dict[str, Any]


class ReflectionTrainer(GRPOTrainer):
    """Reflection-only GRPO over groups from a source of our own.

    The data set that TRL sees is one empty row, as often as it asks: which failures a step needs shows while it is sampled.
    """

    def __init__(
        self,
        *,
        settings: TrainingSettings,
        source: GroupSource,
        meter: Meter,
        args: GRPOConfig,
        **kwargs: Any,
    ) -> None:
        self._settings = settings
        self._source = source
        self._meter = meter
        self._loss_factor = 1.0
        self.rows: list[Row] = []
        """The rows of the step that is under way."""
        self.figures: dict[str, float] = {}
        """Our figures of the newest step, of all processes together."""
        functions: dict[str, Any] = {"reward_funcs": retry_success, "rollout_func": hand_over}
        super().__init__(args=args, train_dataset=Dataset.from_dict({"row": [0]}), **functions, **kwargs)
        self._buffered_inputs: Any

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:  # noqa: ARG002 - TRL's signature
        args: Any = self.args
        return SameRow(args.generation_batch_size * args.steps_per_generation * args.max_steps)

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """The micro-batch that is due; None for those at the step's beginning that dropped groups leave empty."""
        args: Any = self.args
        position = self._step % args.steps_per_generation
        if position == 0:
            batch: Any = shuffle_sequence_dict(self._generate_and_score_completions(generation_batch))
            full = len(self.rows) // self._settings.micro_batch_size
            empty = [None] * (args.steps_per_generation - full)
            self._buffered_inputs = [*empty, *split_tensor_dict(batch, full)]
        return self._buffered_inputs[position]

    def _generate_and_score_completions(self, inputs: Sequence[Any]) -> Batch:  # noqa: ARG002 - empty rows
        self.rows = self._source.take(TrlGenerator(self))
        batch: Batch = super()._generate_and_score_completions([{"prompt": PLACEHOLDER} for _ in self.rows])
        method = self._settings.method
        if method.positive_only:
            batch["advantages"] = batch["advantages"].clamp(min=0)
        # Dead groups, or a retry that found no room: decided by settings, for all processes count together.
        if method.dead_groups != "keep" or method.credit_scope == "reflectionAndRetry":
            self._leave_out(batch)
        return batch

    def _leave_out(self, batch: Batch) -> None:
        """Take what the update does not learn from out of its masks and its means."""
        mask = batch["completion_mask"]
        learns = torch.tensor([row.learns for row in self.rows], device=mask.device)
        batch["completion_mask"] = mask = mask * learns[:, None]
        batch["num_items_in_batch"] = self.accelerator.gather(mask.sum()).sum()
        live = int(self.accelerator.gather(learns.sum()).sum())
        if self.loss_type in ("grpo", "dr_grpo", "bnpo"):  # a mean over all rows that were asked for
            asked = self._settings.rows_per_process * self._settings.world_size
            self._loss_factor = asked / live if live else 1.0

    def compute_loss(self, model: Any, inputs: Batch | None, *args: Any, **kwargs: Any) -> torch.Tensor:
        """TRL's loss, as a mean over what the update learns from."""
        if inputs is None:
            return torch.zeros((), device=self.accelerator.device, requires_grad=True)
        loss: torch.Tensor = super().compute_loss(model, inputs, *args, **kwargs)
        if self.loss_type == "bnpo":
            # A mean over each micro-batch's own tokens: what only fills it up must not weigh.
            loss = loss * inputs["completion_mask"].any(dim=1).float().mean()
        return loss * self._loss_factor

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Complete the figures of the step before the callbacks read them."""
        if STEP_LOG in logs:
            self.figures = step_figures(self._all_counts())
        super().log(logs, start_time)
        # Ours stand in the metrics file; TRL's history would grow every checkpoint by all steps before it.
        self.state.log_history.clear()

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the published model has a card of ours, and a checkpoint needs none."""

    def _all_counts(self) -> Counts:
        counts = torch.tensor(self._meter.finish_step().to_list(), dtype=torch.float64)
        total = self.accelerator.reduce(counts.to(self.accelerator.device), reduction="sum")
        return Counts.from_list(total.tolist())


class SameRow(Sampler[int]):
    """The first row, so many times."""

    def __init__(self, times: int) -> None:
        self._times = times

    def __iter__(self) -> Iterator[int]:
        return (0 for _ in range(self._times))

    def __len__(self) -> int:
        return self._times
