"""The transformers engine: left-padded batches, for machines where vLLM does not run."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from .engine import Completion, OnDone, Throughput, encoded
from .sampler import draw

if TYPE_CHECKING:
    from reflection_api.spec.rollout import SamplingSpec

    from ..conversation import Turn
    from .model import ModelFolder

_MAX_BATCH = 128
_CACHE_BYTES = 1 << 30
"""Keys and values of one batch: together with the weights this must fit on a small machine."""


class TransformersEngine:
    """`generate` of transformers. Batches go by length, so that little is padded."""

    def __init__(self, model: ModelFolder, *, context_length: int, gpus: int) -> None:
        self.tokenizer = model.tokenizer
        self.context_length = context_length
        self.throughput = Throughput()
        self._cache_bytes_per_token = model.cache_bytes_per_token
        self._device = torch.device("cuda" if gpus else "cpu")
        # Typed as Any: the stubs of `to` and `generate` contradict their use.
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            model.path, dtype="auto" if gpus else torch.float32, trust_remote_code=model.trust_remote_code
        )
        self._model = loaded.to(self._device).eval()
        self._end_tokens = _end_tokens(loaded.generation_config, self.tokenizer.eos_token_id)

    def generate(
        self,
        conversations: Sequence[Sequence[Turn]],
        sampling: SamplingSpec,
        seeds: Sequence[int],
        *,
        on_done: OnDone | None = None,
    ) -> list[Completion]:
        """See `Engine.generate`."""
        prompts = encoded(self.tokenizer, conversations, sampling, seeds, self.context_length)
        completions: dict[int, Completion] = {}
        with self.throughput.measured():
            for batch in self._batches(prompts, sampling.max_tokens):
                answers = self._generate_batch(
                    [prompts[i] for i in batch], sampling, [seeds[i] for i in batch]
                )
                completions.update(zip(batch, answers, strict=True))
                self.throughput.tokens += sum(answer.token_count for answer in answers)
                if on_done:
                    on_done(len(completions))
        return [completions[index] for index in range(len(prompts))]

    def close(self) -> None:
        """See `Engine.close`."""
        del self._model
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _batches(self, prompts: list[list[int]], max_tokens: int) -> Iterator[list[int]]:
        """Indices of the prompts by length, the longest first: what does not fit into memory fails at once."""
        order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
        start = 0
        while start < len(order):
            tokens = len(prompts[order[start]]) + max_tokens
            rows = max(1, min(_MAX_BATCH, _CACHE_BYTES // (self._cache_bytes_per_token * tokens)))
            yield order[start : start + rows]
            start += rows

    @torch.inference_mode()
    def _generate_batch(
        self, prompts: list[list[int]], sampling: SamplingSpec, seeds: list[int]
    ) -> list[Completion]:
        pad = self._end_tokens[0]
        width = max(len(ids) for ids in prompts)
        ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        # A fresh configuration: the model's own may hold penalties that the other engine does not apply.
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            eos_token_id=self._end_tokens,
            pad_token_id=pad,
        )
        output = self._model.generate(
            input_ids=ids.to(self._device),
            attention_mask=mask.to(self._device),
            generation_config=config,
            logits_processor=draw(sampling, seeds, self._device),
        )
        return [self._completion(row) for row in output[:, width:].tolist()]

    def _completion(self, ids: list[int]) -> Completion:
        end = next((at for at, token in enumerate(ids) if token in self._end_tokens), None)
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True)
        return Completion(
            text=str(text), token_count=len(ids) if end is None else end + 1, truncated=end is None
        )


def _end_tokens(config: GenerationConfig | None, tokenizer_end: int) -> list[int]:
    """The tokenizer's end token and those that the model's generation_config.json names, as vLLM takes them."""
    named = config.eos_token_id if config else None
    more = named if isinstance(named, list) else [] if named is None else [named]
    return list(dict.fromkeys([tokenizer_end, *more]))
