"""Bounded strings and numbers that several parts of the spec share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

MAX_INT32 = 2_147_483_647

# Explicit classes instead of \S and \w: Go (the API server), Rust (pydantic) and Python differ in what is a space or a letter.
_REST = r"[^\x00-\x20\x7f]"
_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_BUCKET = r"[a-z0-9][a-z0-9.-]*"
_HOST = r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])"
_DNS_PART = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"

MODEL_URI = rf"^(hf://{_REPOSITORY}(/{_REPOSITORY})?|s3://{_BUCKET}(/{_REST}*)?|pvc://{_BUCKET}(/{_REST}*)?|file:///{_REST}+)$"
PROMPTS_URI = (
    rf"^(hf://datasets/{_REPOSITORY}/{_REPOSITORY}(@[^/\x00-\x20\x7f]+)?/|s3://{_BUCKET}/|pvc://{_BUCKET}/|file:///)"
    rf"{_REST}*\.(jsonl|parquet)$"
)
FOLDER_URI = rf"^(pvc://{_BUCKET}(/{_REST}*)?|file:///{_REST}+)$"
STORAGE_URI = rf"^(s3://{_BUCKET}(/{_REST}*)?|file:///{_REST}+)$"
ENDPOINT = rf"^https?://{_HOST}(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/-]*)?$"
REGION = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
REVISION = r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"
RUN_NAME = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
DNS_LABEL = rf"^{_DNS_PART}$"
DNS_SUBDOMAIN = rf"^{_DNS_PART}(\.{_DNS_PART})*$"

PATTERNS = {
    MODEL_URI: "hf://org/name, s3://bucket/prefix, pvc://claim/path or file:///folder",
    PROMPTS_URI: "hf://datasets/org/name/file, s3://bucket/key, pvc://claim/file or file:///file, ending in .jsonl or "
    ".parquet",
    FOLDER_URI: "pvc://claim/path or file:///folder",
    STORAGE_URI: "s3://bucket/prefix or file:///folder",
    ENDPOINT: "https://host or http://host, with a port where it is needed: https://minio.storage:9000",
    REGION: "the name of a region, for example eu-central-1",
    REVISION: "a branch, tag or commit",
    RUN_NAME: "lower-case letters, digits and dashes, starting with a letter",
    DNS_LABEL: "lower-case letters, digits and dashes",
    DNS_SUBDOMAIN: "the name of an object: lower-case letters, digits, dashes and dots",
}
"""What each pattern asks for, in words."""

SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
"""The name of an object in the namespace of the resource."""
Seed = Annotated[int, Field(ge=0, le=MAX_INT32)]
Seconds = Annotated[int, Field(ge=1, le=MAX_INT32)]
TemplateText = Annotated[str, Field(min_length=1, max_length=16_384)]

KubernetesObject = Annotated[
    dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
]
"""A value of a core Kubernetes type, passed to the pod as it is; the API server checks it there."""
