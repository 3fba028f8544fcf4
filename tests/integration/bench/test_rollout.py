"""The measurement of a rollout measures: ours and bare vLLM generate the same number of tokens, and another is refused."""

from __future__ import annotations

import pytest
import rollout

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


def test_both_generate_the_same(tmp_path, monkeypatch):
    found = rollout.measure(tmp_path, 2, 10, 0.01)
    assert {len(done) for done in found.values()} == {1}
    (ours,), (bare,) = found["ours"], found["bare"]
    assert ours["tokens"] == bare["tokens"] > 20
    assert 0.05 < ours["rate"] / bare["rate"] < 5
    assert list(tmp_path.rglob("*.parquet")), "ours stores what it samples"
    assert 0.05 < rollout.with_seeds(found) < 5

    generate = rollout.generate
    monkeypatch.setattr(rollout, "generate", lambda *args: generate(*args) - 1)
    with pytest.raises(SystemExit, match="generated different numbers of tokens"):
        rollout.measure(tmp_path, 2, 10, 0.01)
