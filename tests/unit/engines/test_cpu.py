"""Settings of vLLM without GPUs."""

from __future__ import annotations

import os
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.engines import cpu


@given(st.integers(1, 131_072), st.integers(16, 2_000_000))
def test_the_cache_holds_at_least_one_whole_conversation(context_length: int, bytes_per_token: int) -> None:
    arguments = cpu.engine_arguments(context_length=context_length, cache_bytes_per_token=bytes_per_token)
    assert arguments["kv_cache_memory_bytes"] >= context_length * bytes_per_token
    assert arguments["max_num_batched_tokens"] >= context_length


def test_a_small_model_gets_a_quarter_of_a_gigabyte() -> None:
    arguments = cpu.engine_arguments(context_length=64, cache_bytes_per_token=1024)
    assert arguments["kv_cache_memory_bytes"] == 256 << 20


def test_the_cache_of_a_training_is_as_large_whatever_memory_is_free(monkeypatch) -> None:
    def cache(free: int, *, alike: bool) -> int:
        monkeypatch.setattr(cpu.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
        found = cpu.engine_arguments(context_length=4096, cache_bytes_per_token=100_000, alike=alike)
        return int(found["kv_cache_memory_bytes"])

    assert cache(4 << 30, alike=False) == 1 << 30
    assert cache(4 << 30, alike=True) == cache(64 << 30, alike=True) == 16 * 2 * 4096 * 100_000


def test_what_is_set_already_stays(monkeypatch) -> None:
    for name in (
        "VLLM_HOST_IP",
        "TORCHDYNAMO_DISABLE",
        "VLLM_CPU_OMP_THREADS_BIND",
        "VLLM_WORKER_MULTIPROC_METHOD",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VLLM_HOST_IP", "10.0.0.1")
    cpu.prepare_environment()
    assert os.environ["VLLM_HOST_IP"] == "10.0.0.1"
    assert os.environ["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
