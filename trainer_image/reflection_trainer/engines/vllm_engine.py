"""vLLM's offline engine inside this process."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
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
        self._vllm = import_vllm(gpus)
        if not gpus:
            cpu.check_attention(model)
        self._engine = start(
            self._vllm,
            model,
            gpus=gpus,
            context_length=context_length,
            tensor_parallel_size=tensor_parallel_size,
        )

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
        parameters = [
            self._vllm.SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=sampling.top_k,
                max_tokens=sampling.max_tokens,
                seed=seed,
                output_kind=final_only(),
            )
            for seed in seeds
        ]
        completions: dict[int, Completion] = {}
        # Cached prefixes of earlier calls would make a call's answers depend on them, if only by rounding.
        self._engine.reset_prefix_cache()
        with self.throughput.measured():
            for index, output in outputs(self._vllm, self._engine, prompts, parameters):
                completions[index] = _completion(output.outputs[0])
                self.throughput.tokens += completions[index].token_count
                if on_done:
                    on_done(len(completions))
        return [completions[index] for index in range(len(prompts))]

    def close(self) -> None:
        """See `Engine.close`."""
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        self._engine.engine_core.shutdown()
        del self._engine
        gc.collect()
        cleanup_dist_env_and_memory()


def start(
    vllm: Any, model: ModelFolder, *, gpus: int, context_length: int, alike: bool = False, **more: Any
) -> Any:
    """Start vLLM's engine in this process; `alike` as of `cpu.engine_arguments`, `more` goes before what is set here."""
    settings: dict[str, Any] = {
        "model": str(model.path),
        "tokenizer": str(model.path),
        "max_model_len": context_length,
        "trust_remote_code": model.trust_remote_code,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
        "seed": 0,
    }
    if not gpus:
        settings |= cpu.engine_arguments(
            context_length=context_length, cache_bytes_per_token=model.cache_bytes_per_token, alike=alike
        )
    return vllm.LLMEngine.from_engine_args(vllm.EngineArgs(**settings | more))


def outputs(
    vllm: Any, engine: Any, prompts: Sequence[list[int]], parameters: Sequence[Any]
) -> Iterator[tuple[int, Any]]:
    """What the engine makes of each prompt, as soon as it is finished, with the prompt's index."""
    submitted = done = 0
    while done < len(prompts):
        while submitted < len(prompts) and submitted - done < _IN_FLIGHT:
            prompt = vllm.TokensPrompt(prompt_token_ids=prompts[submitted])
            [rendered] = engine.renderer.render_cmpl([prompt])
            engine.add_request(str(submitted), rendered, parameters[submitted])
            submitted += 1
        for output in engine.step():
            if output.finished:
                done += 1
                yield int(output.request_id), output


def _prepare_environment(gpus: int) -> None:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    # In this process: nothing outlives it, and nothing has to be sent to another one.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    if not gpus:
        cpu.prepare_environment()


def import_vllm(
    gpus: int, *, field: str = "spec.rollout.engine", instead: str = "the engine transformers"
) -> Any:
    """vLLM, with the environment that it needs.

    Raises:
        BadConfig: it is not installed, or is not for this machine; `field` asked for it, `instead` is what to use.
    """
    _prepare_environment(gpus)
    try:
        import vllm
        from vllm.platforms import current_platform
    except ImportError as error:
        raise BadConfig(
            f"{field}: vllm cannot be imported here ({error}): install it, or use {instead}",
            reason=Reason.INVALID_SPEC,
        ) from error
    if not gpus and not current_platform.is_cpu():
        raise BadConfig(
            f"{field}: without GPUs, but this build of vLLM needs GPUs: use 1 or more, an image for processors, or {instead}",
            reason=Reason.INVALID_SPEC,
        )
    return vllm


def final_only() -> Any:
    """An output is told of once, when it is whole."""
    from vllm.sampling_params import RequestOutputKind

    return RequestOutputKind.FINAL_ONLY


def _completion(output: Any) -> Completion:
    return Completion(
        text=output.text, token_count=len(output.token_ids), truncated=output.finish_reason == "length"
    )
