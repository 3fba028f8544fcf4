"""Resources that the tests of this folder start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from reflection_api.resource import ReflectionTraining

GOLDEN = Path(__file__).parent / "golden"


def golden_resource(case: str) -> ReflectionTraining:
    """The resource of a folder of golden files."""
    return ReflectionTraining.model_validate(yaml.safe_load((GOLDEN / case / "resource.yaml").read_text()))


def resource(**spec: Any) -> ReflectionTraining:
    """A valid resource with these parts of its spec replaced."""
    base = {
        "model": {"uri": "hf://org/tiny"},
        "task": {"prompts": {"uri": "s3://team/train.jsonl"}, "verifier": {"builtin": {"name": "countdown"}}},
        "storage": {"uri": "s3://team/runs"},
    }
    return ReflectionTraining.model_validate(
        {
            "metadata": {
                "name": "countdown",
                "namespace": "ml",
                "uid": "1a2b3c4d-0000-4000-8000-000000000001",
            },
            "spec": base | spec,
        }
    )


def only(children: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one child of a kind."""
    (child,) = (child for child in children if child["kind"] == kind)
    return child
