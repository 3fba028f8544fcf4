"""The ConfigMap that holds the StageConfig."""

from __future__ import annotations

import json

from reflection_api.contract import StageConfig

from .attempt import Attempt, Child

CONFIG_KEY = "stage.json"
AUTHORITY_KEY = "progress-ca.crt"


def config_map(attempt: Attempt, config: StageConfig) -> Child:
    """The StageConfig as a file, and whom to trust with reports; immutable, since an attempt is told once."""
    data = {CONFIG_KEY: stage_json(config)}
    if attempt.progress and attempt.reports_progress:
        data[AUTHORITY_KEY] = attempt.progress.authority
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": attempt.metadata(),
        "immutable": True,
        "data": data,
    }


def stage_json(config: StageConfig) -> str:
    """The StageConfig as a text that is equal for equal values: API servers do not keep the order of keys."""
    return json.dumps(config.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
