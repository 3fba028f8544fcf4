"""Prints kustomize/base/operator.yaml, rendered from the chart: `make kustomize`. Helm is built for it the first time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from reflection_operator.children.text import to_yaml

from tests.support.go_tools import GoToolMissing
from tests.support.helm import CHART, Helm

NAMESPACE = "reflect-system"
_HEAD = (
    "# The chart's objects with its default values, rendered by `make kustomize`; the CRD is in ../../crds.\n"
)
_OF_HELM = ("helm.sh/chart", "app.kubernetes.io/managed-by")


def operator() -> str:
    """The chart's objects, without what only Helm needs."""
    with tempfile.TemporaryDirectory() as folder:
        text = Helm(Path(folder)).did(
            "template", CHART.name, CHART, "--namespace", NAMESPACE, "--set", "crds.enabled=false"
        )
    objects = [obj for obj in yaml.safe_load_all(text) if obj]
    for obj in objects:
        for metadata in _metadata(obj):
            for label in _OF_HELM:
                metadata["labels"].pop(label, None)
    return _HEAD + to_yaml(objects)


def _metadata(obj: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the object, and of the pods that it makes."""
    template = obj.get("spec", {}).get("template")
    return [obj["metadata"], *([template["metadata"]] if template else [])]


if __name__ == "__main__":
    try:
        sys.stdout.write(operator())
    except (GoToolMissing, subprocess.SubprocessError) as problem:
        sys.exit(f"kustomize: {problem}")
