"""Resources as a user would write them, for the tests of this folder."""

from __future__ import annotations

import copy
from typing import Any

VALID: dict[str, Any] = {
    "apiVersion": "reflection.training/v1alpha1",
    "kind": "ReflectionTraining",
    "metadata": {"name": "countdown"},
    "spec": {
        "model": {"uri": "hf://Qwen/Qwen2.5-1.5B-Instruct"},
        "task": {
            "prompts": {"uri": "s3://team/countdown/train.jsonl"},
            "verifier": {"builtin": {"name": "countdown"}},
        },
        "storage": {"uri": "s3://team/runs"},
    },
}


def resource(**fields: Any) -> dict[str, Any]:
    """A valid resource with some fields set: `resource(spec__rollout__workers=2)`. None removes the field."""
    value = copy.deepcopy(VALID)
    for path, field in fields.items():
        *sections, name = path.split("__")
        section = value
        for part in sections:
            section = section.setdefault(part, {})
        if field is None:
            del section[name]
        else:
            section[name] = field
    return value
