"""Bounded strings and numbers that several parts of the spec share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

MAX_INT32 = 2_147_483_647

# Patterns mean the same to Go's RE2 (the API server), Rust (pydantic) and Python (`reflect validate`).
MODEL_URI = (
    r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?"
    r"|s3://[a-z0-9][a-z0-9.-]*(/\S*)?|pvc://[a-z0-9][a-z0-9.-]*(/\S*)?|file:///\S+)$"
)
PROMPTS_URI = (
    r"^(hf://datasets/[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*(@[^/\s]+)?/"
    r"|s3://[a-z0-9][a-z0-9.-]*/|pvc://[a-z0-9][a-z0-9.-]*/|file:///)\S*\.(jsonl|parquet)$"
)
STORAGE_URI = r"^(s3://[a-z0-9][a-z0-9.-]*(/\S*)?|file:///\S+)$"

SecretName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
"""The name of an object in the namespace of the resource."""
Seed = Annotated[int, Field(ge=0, le=MAX_INT32)]
Seconds = Annotated[int, Field(ge=1, le=MAX_INT32)]
TemplateText = Annotated[str, Field(min_length=1, max_length=16_384)]

KubernetesObject = Annotated[
    dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
]
"""A value of a core Kubernetes type, passed to the pod as it is; the API server checks it there."""
