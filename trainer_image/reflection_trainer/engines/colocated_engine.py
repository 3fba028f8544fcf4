"""vLLM beside the model in training, in the same process: it samples with weights that are pushed into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..bits import bit_sum
from . import cpu
from .open import told
from .vllm_engine import final_only, import_vllm, outputs, start

if TYPE_CHECKING:
    from .model import ModelFolder

_INSTEAD = "spec.training.generation: transformers"
_SHARE_OF_GPU = 0.3
"""Of a GPU's memory, for vLLM's copy of the weights and its cache; the rest is the training's."""

NamedTensors = Iterable[tuple[str, torch.Tensor]]


@dataclass(frozen=True, slots=True)
class Continuation:
    """What was sampled after a prompt."""

    token_ids: list[int]
    logprobs: list[float]
    """Of the sampled tokens, at the temperature that they were sampled with."""


class StaleCache(RuntimeError):
    """What was computed with the weights before is still there, and would be sampled from."""


class ColocatedEngine:
    """One engine per training process, without tensor parallelism and without sleep mode."""

    def __init__(
        self, model: ModelFolder, *, gpus: int, processes: int, rows: int, context_length: int
    ) -> None:
        """Load the model once more.

        Args:
            model: as `inspect_model` found it.
            gpus: of this machine; 0 is the processor.
            processes: of the training, each with an engine of its own.
            rows: sampled at a time, in each process.
            context_length: tokens of the longest conversation with what is written in it.

        Raises:
            BadConfig: vLLM is not installed, or cannot compute the model here.
            StageFailure: there is too little memory.
        """
        self._context_length = context_length
        self._vllm = import_vllm(gpus, field="spec.training.generation: colocate", instead=_INSTEAD)
        settings: dict[str, Any] = {"logprobs_mode": "processed_logprobs", "max_num_seqs": min(rows, 256)}
        if gpus:
            settings["gpu_memory_utilization"] = _SHARE_OF_GPU
        else:
            cpu.check_attention(model, instead=_INSTEAD)
            _keep_weights_in_place()
        if processes > 1:  # it joins the processes that there are already
            settings["distributed_executor_backend"] = "external_launcher"
        with told("vllm", model, instead=_INSTEAD):
            self._engine = start(
                self._vllm, model, gpus=gpus, context_length=context_length, alike=True, **settings
            )
        self._model: Any = self._engine.model_executor.driver_worker.model_runner.model

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights that it samples with."""
        dtype: torch.dtype = next(self._model.parameters()).dtype
        return dtype

    def update(self, weights: NamedTensors) -> None:
        """Take these weights, named as in a checkpoint of the model.

        Raises:
            StaleCache: vLLM does not let go of the prefixes that it has computed with the old ones.
        """
        self._model.load_weights(iter(weights))
        if not self._engine.reset_prefix_cache():
            raise StaleCache("it keeps prefixes that it has computed with the weights before")

    def checksum(self) -> int:
        """Of all weights that it samples with; see `checksum`."""
        return checksum(self._model.parameters(), self.dtype)

    def generate(
        self,
        prompts: Sequence[list[int]],
        *,
        max_tokens: int,
        temperature: float,
        ends: list[int],
        seeds: Sequence[int],
    ) -> list[Continuation]:
        """Continue each prompt from its own seed, to one of the tokens `ends` or for `max_tokens` tokens.

        A prompt that leaves no room is not continued: what a model has written may take several times as many tokens when it
        is read again.
        """
        room = [row for row, prompt in enumerate(prompts) if len(prompt) < self._context_length]
        parameters = [
            self._vllm.SamplingParams(
                temperature=temperature,
                max_tokens=max_tokens,
                stop_token_ids=ends,
                seed=seeds[row],
                logprobs=0,
                detokenize=False,
                output_kind=final_only(),
            )
            for row in room
        ]
        found = {
            room[index]: _continuation(output.outputs[0])
            for index, output in outputs(self._vllm, self._engine, [prompts[row] for row in room], parameters)
        }
        return [found.get(row) or Continuation([], []) for row in range(len(prompts))]

    def log_probabilities(self, tokens: list[int]) -> list[float]:
        """Log-probability of every token but the first, given those before it, at temperature 1."""
        parameters = self._vllm.SamplingParams(
            temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False, output_kind=final_only()
        )
        [(_, output)] = outputs(self._vllm, self._engine, [tokens], [parameters])
        return [
            float(at[token].logprob) for token, at in zip(tokens[1:], output.prompt_logprobs[1:], strict=True)
        ]


def checksum(tensors: Iterable[torch.Tensor], dtype: torch.dtype) -> int:
    """Of the bits of all numbers once they are of a type. It does not depend on how they are laid out over tensors, which
    vLLM fuses and pads with zeros; the last bit of one number changes it.
    """
    total: torch.Tensor | None = None
    for tensor in tensors:
        bits = bit_sum(tensor.detach().to(dtype))
        total = bits if total is None else total + bits.to(total.device)
    return 0 if total is None else int(total)


def _keep_weights_in_place() -> None:
    """Without GPUs vLLM packs weights anew for oneDNN where the processor suits it, and empties what an update writes to:
    some updates then fail, others report success and change nothing.
    """
    from vllm import _custom_ops

    _custom_ops._supports_onednn = False  # noqa: SLF001


def _continuation(output: Any) -> Continuation:
    tokens = list(output.token_ids)
    return Continuation(tokens, list(_logprobs(tokens, output.logprobs)))


def _logprobs(tokens: list[int], told: Sequence[dict[int, Any]]) -> Iterator[float]:
    for token, at in zip(tokens, told, strict=True):
        yield float(at[token].logprob)
