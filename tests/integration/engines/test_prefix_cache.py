"""The real vLLM computes what the attempts at a question share once, and keeps none of it for the next call."""

from __future__ import annotations

import pytest
from reflection_api.spec.rollout import SamplingSpec
from reflection_trainer.engines import open_engine, vllm_engine
from reflection_trainer.engines.model import inspect_model

from ...support.tiny_model import save_tiny_model

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

ATTEMPTS = 4
LONG = 600
"""Words of a question, each a token: several blocks of the cache."""


@pytest.fixture
def engine(tmp_path):
    folder = save_tiny_model(tmp_path / "model", head_size=32, context=1024)
    engine = open_engine("vllm", inspect_model(folder, uri="file:///tiny"))
    yield engine
    engine.close()


def test_the_attempts_at_a_question_share_its_prefill(engine, monkeypatch):
    cached: list[int] = []
    outputs = vllm_engine.outputs

    def noted(*arguments):
        for index, output in outputs(*arguments):
            cached.append(output.num_cached_tokens)
            yield index, output

    monkeypatch.setattr(vllm_engine, "outputs", noted)
    question = [{"role": "user", "content": "think " * LONG}]
    for call in ("first", "next"):
        cached.clear()
        engine.generate([question] * ATTEMPTS, SamplingSpec(max_tokens=2), range(ATTEMPTS))
        assert cached.count(0) == 1, f"{call} call: one attempt computes the question"
        assert sorted(cached)[1] > LONG / 2, f"{call} call: the others find most of it in the cache"
