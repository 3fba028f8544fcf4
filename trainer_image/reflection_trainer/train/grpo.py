"""TRL's trainer, imported without vLLM and without trackers: TRL imports them wherever they are installed, for seconds.

Where vLLM samples during training, an engine of ours holds it (colocated.py); trackers are told by transformers' callbacks
(tracking/).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault(
    "TRL_EXPERIMENTAL_SILENCE", "1"
)  # it warns that rollout_func may change: a contract test watches it

import accelerate.utils
from transformers import integrations
from trl import import_utils

_TRACKERS = ("is_mlflow_available", "is_trackio_available", "is_wandb_available")


def _never(*_args: object, **_kwargs: object) -> bool:
    return False


@contextmanager
def _without_trackers() -> Iterator[None]:
    """What is imported meanwhile finds none, then and later; transformers' own callbacks do."""
    places = [
        (module, name)
        for module in (integrations, accelerate.utils)
        for name in _TRACKERS
        if hasattr(module, name)
    ]
    before = [getattr(module, name) for module, name in places]
    for module, name in places:
        setattr(module, name, _never)
    try:
        yield
    finally:
        for (module, name), found in zip(places, before, strict=True):
            setattr(module, name, found)
        # transformers keeps what it was asked for, in the module that it puts into its own place.
        for name in _TRACKERS:
            vars(sys.modules["transformers"]).pop(name, None)


import_utils.is_vllm_available = _never
with _without_trackers():
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer
    from trl.trainer.utils import shuffle_sequence_dict, split_tensor_dict

__all__ = ["GRPOConfig", "GRPOTrainer", "shuffle_sequence_dict", "split_tensor_dict"]
