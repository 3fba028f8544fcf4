"""Bounded strings and numbers that several parts of the spec share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

MAX_INT32 = 2_147_483_647

SecretName = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
Seed = Annotated[int, Field(ge=0, le=MAX_INT32)]
Seconds = Annotated[int, Field(ge=1, le=MAX_INT32)]
TemplateText = Annotated[str, Field(max_length=16384)]

KubernetesObject = Annotated[dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]
"""A value of a core Kubernetes type, passed to the pod as it is; the API server checks it there."""
