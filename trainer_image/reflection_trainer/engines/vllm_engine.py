"""vLLM's offline engine inside this process."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reflection_api.reasons import Reason

from ..errors import BadConfig
from . import cpu
from .engine import Completion, OnDone, Throughput, encoded

if TYPE_CHECKING:
    from reflection_api.spec.rollout import SamplingSpec

    from ..conversation import Turn
    from .model import ModelFolder

_IN_FLIGHT = 2048
"""Requests handed to the scheduler at a time: more than it runs at once, few enough to keep memory flat."""


class VllmEngine:
    """Continuous batching with prefix caching: the attempts at one question share its prefill."""

    def __init__(
        self,
        model: ModelFolder,
        *,
        context_length: int,
        tensor_parallel_size: int,
        gpus: int,
    ) -> None:
        self.tokenizer = model.tokenizer
        self.context_length = context_length
        self.throughput = Throughput()
        _prepare_environment(gpus)
        vllm = _import_vllm(gpus)
        if not gpus:
            cpu.check_attention(model)
        settings: dict[str, Any] = {
            "model": str(model.path),
            "tokenizer": str(model.path),
            "max_model_len": context_length,
            "tensor_parallel_size": tensor_parallel_size,
            "trust_remote_code": model.trust_remote_code,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
            "seed": 0,
        }
        if not gpus:
            settings |= cpu.engine_arguments(
                context_length=context_length, cache_bytes_per_token=model.cache_bytes_per_token
            )
        self._vllm = vllm
        self._engine = vllm.LLMEngine.from_engine_args(vllm.EngineArgs(**settings))

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
        submitted = 0
        # Cached prefixes of earlier calls would make a call's answers depend on them, if only by rounding.
        self._engine.reset_prefix_cache()
        with self.throughput.measured():
            while len(completions) < len(prompts):
                while submitted < len(prompts) and submitted - len(completions) < _IN_FLIGHT:
                    self._submit(submitted, prompts[submitted], sampling, seeds[submitted])
                    submitted += 1
                finished = [output for output in self._engine.step() if output.finished]
                for output in finished:
                    completion = _completion(output.outputs[0])
                    completions[int(output.request_id)] = completion
                    self.throughput.tokens += completion.token_count
                if finished and on_done:
                    on_done(len(completions))
        return [completions[index] for index in range(len(prompts))]

    def close(self) -> None:
        """See `Engine.close`."""
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        self._engine.engine_core.shutdown()
        del self._engine
        gc.collect()
        cleanup_dist_env_and_memory()

    def _submit(self, index: int, prompt: list[int], sampling: SamplingSpec, seed: int) -> None:
        parameters = self._vllm.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            seed=seed,
            output_kind=_final_only(),
        )
        [rendered] = self._engine.renderer.render_cmpl([self._vllm.TokensPrompt(prompt_token_ids=prompt)])
        self._engine.add_request(str(index), rendered, parameters)


def _prepare_environment(gpus: int) -> None:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    # In this process: nothing outlives it, and nothing has to be sent to another one.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    if not gpus:
        cpu.prepare_environment()


def _import_vllm(gpus: int) -> Any:
    try:
        import vllm
        from vllm.platforms import current_platform
    except ImportError as error:
        raise BadConfig(
            f"spec.rollout.engine: vllm cannot be imported here ({error}): install it, or use the engine transformers",
            reason=Reason.INVALID_SPEC,
        ) from error
    if not gpus and not current_platform.is_cpu():
        raise BadConfig(
            "spec.rollout.gpusPerWorker: 0, but this build of vLLM needs GPUs: use 1 or more, or the engine transformers",
            reason=Reason.INVALID_SPEC,
        )
    return vllm


def _final_only() -> Any:
    from vllm.sampling_params import RequestOutputKind

    return RequestOutputKind.FINAL_ONLY


def _completion(output: Any) -> Completion:
    return Completion(
        text=output.text, token_count=len(output.token_ids), truncated=output.finish_reason == "length"
    )
