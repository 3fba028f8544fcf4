"""TRL's trainer, imported without vLLM: TRL imports it wherever it is installed, for seconds and mostly for nothing.

Where vLLM samples during training, an engine of ours holds it (colocated.py).
"""

from __future__ import annotations

import os

os.environ.setdefault(
    "TRL_EXPERIMENTAL_SILENCE", "1"
)  # it warns that rollout_func may change: a contract test watches it

from trl import import_utils

import_utils.is_vllm_available = lambda *_args, **_kwargs: False

from trl.trainer.grpo_config import GRPOConfig  # noqa: E402
from trl.trainer.grpo_trainer import GRPOTrainer  # noqa: E402
from trl.trainer.utils import shuffle_sequence_dict, split_tensor_dict  # noqa: E402

__all__ = ["GRPOConfig", "GRPOTrainer", "shuffle_sequence_dict", "split_tensor_dict"]
