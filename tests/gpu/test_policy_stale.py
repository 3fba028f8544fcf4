"""vLLM for CUDA inside the training: one update that is left out is caught, at the default learning rate."""

from __future__ import annotations

from typing import Any

import pytest
from reflection_trainer.train.colocated import PolicyStale

from ..integration.train.sessions import open_session, reward_every_other_row, run_session

pytestmark = [pytest.mark.training, pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("lora", [None, {"rank": 4}], ids=["full", "lora"])
def test_one_update_that_is_left_out_is_caught(tmp_path, model, lora):
    session = open_session(
        tmp_path, model, generation="colocate", gpusPerNode=1, lora=lora, maxSteps=6, learningRate=5e-7,
        precision="fp32",
    )  # fmt: skip
    assert session.trainer.accelerator.device.type == "cuda"
    reward_every_other_row(session)
    engine: Any = session.trainer.vllm_generation._engine
    update, step = engine.update, session.trainer.state
    engine.update = lambda weights: None if step.global_step == 3 else update(weights)
    with pytest.raises(PolicyStale, match="after step 3 vLLM does not sample with the weights in training"):
        run_session(session)
