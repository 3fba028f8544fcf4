"""A rollout whose evaluation, too, has room in the tiny model's context."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reflection_api.contract import StageConfig

from ...support.stage_runs import stage_config

SHORT = {"training.reflectionMaxTokens": 8, "training.retryMaxTokens": 8}
"""The defaults of 512 tokens are for real models; this one's context has 64."""


def rollout_config(
    *, folder: Path, model: Path | str, prompts: Path | str, changes: Mapping[str, Any] | None = None
) -> StageConfig:
    """The configuration of the stage; see `stage_config`."""
    return stage_config(
        "rollout", folder=folder, model=model, prompts=prompts, changes={**SHORT, **(changes or {})}
    )
