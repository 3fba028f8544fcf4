"""Sampling by vLLM inside the training process, and the canary that its policy is the one in training.

A policy that samples with old weights trains on, reports figures, and learns the wrong thing: nothing else would show it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from reflection_api.reasons import Reason
from reflection_api.stages import ExitCode

from ..engines.colocated_engine import ColocatedEngine, StaleCache, checksum
from ..errors import StageFailure
from ..seeds import derived_seed
from .weights import merged_weights

if TYPE_CHECKING:
    from .trainer import ReflectionTrainer

_CANARY_TOKENS = 64
_TOLERANCE = {torch.float32: 1e-3}
_ROUGH_TOLERANCE = 0.1
"""Mean difference of log-probabilities that rounding explains: in fp32 they agree to about 1e-6, in bf16 to some hundredths."""


class PolicyStale(StageFailure):
    """What samples is not what is trained."""

    exit_code = ExitCode.CHECK_FAILED

    def __init__(self, step: int, what: str) -> None:
        super().__init__(
            f"after step {step} vLLM does not sample with the weights in training: {what}; checkpoints up to there are "
            "sound, what was sampled now is not used",
            reason=Reason.POLICY_STALE,
        )


class Colocated:
    """Stands where TRL has its own `VLLMGeneration`: it pushes weights once a step and generates."""

    def __init__(
        self, trainer: ReflectionTrainer, engine: ColocatedEngine, *, canary: Sequence[int], seed: int
    ) -> None:
        """`canary` is the fixed prompt, as tokens."""
        self._trainer: Any = trainer
        self._engine = engine
        self._canary = list(canary[:_CANARY_TOKENS])
        self._seed = seed
        self._calls = 0
        self._checked: int | None = None
        """After which step the canary has last found both to be the same."""

    def sync_weights(self) -> None:
        """Push the weights in training into vLLM, then make sure that it has them.

        Raises:
            PolicyStale: it has others.
        """
        try:
            self._engine.update(merged_weights(self._model))
        except StaleCache as error:
            raise PolicyStale(self._step, str(error)) from error
        self._calls = 0
        self.check()

    def check(self) -> None:
        """The canary: weights, and what they make of a fixed prompt.

        Raises:
            PolicyStale: vLLM samples with other weights.
        """
        self._compare_weights()
        self._compare_log_probabilities()
        self._checked = self._step

    def generate(
        self,
        prompts: list[list[int]],
        images: Any,  # noqa: ARG002 - TRL's signature
        num_generations: int,  # noqa: ARG002
        profiler: Any = None,
    ) -> tuple[list[list[int]], list[list[int]], list[list[list[float]]], None]:
        """One continuation per prompt, from seeds that follow from the step: a resumed run samples the same.

        Raises:
            PolicyStale: the weights after this step have not been checked: whoever calls has not pushed them.
        """
        settings = self._trainer.generation_kwargs
        process, step = self._trainer.accelerator.process_index, self._step
        if self._checked != step:
            newest = "none yet" if self._checked is None else f"those after step {self._checked} last"
            raise PolicyStale(step, f"they were not pushed into it, {newest}")
        seeds = [
            derived_seed(self._seed, "colocated", step, process, self._calls, row)
            for row in range(len(prompts))
        ]
        self._calls += 1
        with profiler or contextlib.nullcontext():
            found = self._engine.generate(
                prompts,
                max_tokens=settings["max_new_tokens"],
                temperature=settings["temperature"],
                ends=list(self._trainer.eos_token_ids),
                seeds=seeds,
            )
        return (
            prompts,
            [one.token_ids for one in found],
            [[[logprob] for logprob in one.logprobs] for one in found],
            None,
        )

    @property
    def _step(self) -> int:
        return int(self._trainer.state.global_step)

    @property
    def _model(self) -> Any:
        return self._trainer.accelerator.unwrap_model(self._trainer.model)

    def _compare_weights(self) -> None:
        trained = checksum((tensor for _, tensor in merged_weights(self._model)), self._engine.dtype)
        sampling = self._engine.checksum()
        if trained != sampling:
            raise PolicyStale(self._step, f"their checksums are {sampling:x} and {trained:x}")

    def _compare_log_probabilities(self) -> None:
        sampling = torch.tensor(self._engine.log_probabilities(self._canary))
        difference = float((sampling - self._log_probabilities()).abs().mean())
        allowed = _TOLERANCE.get(self._engine.dtype, _ROUGH_TOLERANCE)
        if not difference <= allowed:
            raise PolicyStale(
                self._step,
                f"the log-probabilities of a fixed prompt differ by {difference:.3g} on average, more than {allowed:g}",
            )

    @torch.no_grad()
    def _log_probabilities(self) -> torch.Tensor:
        ids = torch.tensor([self._canary], device=self._trainer.accelerator.device)
        exact = self._engine.dtype == torch.float32
        with computing_in_fp32(self._model) if exact else contextlib.nullcontext():
            logits = self._trainer.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, :-1]
        told: torch.Tensor = logits.float().log_softmax(-1).gather(-1, ids[0, 1:, None])[:, 0]
        return told.cpu()


@contextlib.contextmanager
def computing_in_fp32(model: Any) -> Iterator[None]:
    """Inside it a model computes in the type of its weights: for a training in bf16 accelerate has it compute in bf16, which
    is a hundred times coarser than what fp32 leaves between two programs.
    """
    prepared = vars(model).get("forward")
    plain = vars(model).get("_original_forward")  # accelerate's, where it has put another in its place
    if plain is None:
        yield
        return
    model.forward = plain
    try:
        yield
    finally:
        model.forward = prepared


def sample_by(trainer: ReflectionTrainer, make: Callable[[ReflectionTrainer], Colocated]) -> None:
    """Have TRL generate by vLLM as if it had started it itself."""
    inside: Any = trainer
    inside.vllm_generation = make(trainer)
    inside.use_vllm = True
    inside._last_loaded_step = -1  # noqa: SLF001 - of the step whose weights have been pushed
