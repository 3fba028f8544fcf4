"""Every word that some pages set in code exists: a field, value, option or file of this project, or a known word of others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from reflection_api import contract
from reflection_api.conditions import ConditionType
from reflection_api.crd import resource_schema
from reflection_api.layout import MANIFEST, file_manifest
from reflection_api.manifests import Claim
from reflection_api.reasons import MEANINGS, Reason
from reflection_api.reference.fields import fields
from reflection_operator.children import environment, volumes
from reflection_operator.children.config_map import AUTHORITY_KEY
from reflection_operator.kube.kinds import AUTHORITY

from ...support.pages import ROOT

PAGES = ("docs/gpus.md", "docs/security.md", "docs/storage.md")
OTHERS = {
    "Kubernetes": {
        "IPC_LOCK", "admin", "edit", "emptyDir", "exec", "hostNetwork", "hostPath", "kubectl logs", "restricted", "value",
        "view",
    },
    "device plugins and container runtimes": {
        "CUDA_VISIBLE_DEVICES", "LimitMEMLOCK=infinity", "NVIDIA_VISIBLE_DEVICES", "all", "amd.com/gpu",
        "device_ownership_from_security_context = true",
        "image@sha256:...", "mixed", "nvidia.com/gpu", "nvidia.com/mig-3g.40gb", "/dev/kfd", "render", "single",
    },
    "NCCL and Gloo": {
        "\"1\"", "=", "GLOO_SOCKET_IFNAME", "INFO", "NCCL_DEBUG", "NCCL_DEBUG=INFO", "NCCL_IB_DISABLE", "NCCL_IB_GID_INDEX",
        "NCCL_IB_HCA", "NCCL_SOCKET_IFNAME", "NET/IB", "NET/Socket",
    },
    "Python, the web, the Hub": {"*.safetensors", "eval", "http://", "hf://datasets/org/name@revision/file.jsonl", "pvc://"},
    "S3 and AWS": {
        "AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION",
        "AWS_ROLE_ARN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AbortIncompleteMultipartUpload", "If-Match", "If-None-Match: *", "kubectl get --raw /.well-known/openid-configuration",
        "s3://", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "~/.aws",
    },
    "places of an example": {"countdown-", "countdown/", "file:///folder", "runs/ml/*", "runs/ml/countdown-*"},
    "parts of names": {"Secret", "spec.pods.*.env", "<storage.uri>/<namespace>/<name>-<first eight of the uid>/"},
}  # fmt: skip
SPEC = resource_schema()["properties"]["spec"]
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_EACH = "<each>"


def code(text: str) -> set[str]:
    """What stands between backticks, but for fences."""
    return {" ".join(found.split()) for found in _CODE.findall(_FENCE.sub("", text))}


def field_names() -> Iterator[str]:
    """Each field of the spec: from the spec on, from its section on, and alone."""
    sections = SPEC["properties"]["pods"]["properties"]
    for field in fields(SPEC):
        for section in sections if _EACH in field.path else ("",):
            path = field.path.replace(_EACH, section)
            yield from (f"spec.{path}", path, path.rpartition(".")[2])


def choices(schema: Any) -> Iterator[str]:
    """All that fields with a fixed set of values may be."""
    if isinstance(schema, dict):
        yield from (value for value in schema.get("enum", ()) if isinstance(value, str))
        for inner in schema.values():
            yield from choices(inner)


def values(tree: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Paths of the chart's values."""
    for name, value in tree.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from values(value, f"{prefix}{name}.")


FIELDS = set(field_names())
CHART = set(values(yaml.safe_load((ROOT / "helm/reflect-operator/values.yaml").read_text())))
REFERENCE = "".join((ROOT / f"docs/reference/{name}.md").read_text() for name in ("operator", "cli"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
WORDS = {
    *FIELDS,
    *choices(SPEC),
    *map(str, Reason),
    *map(str, ConditionType),
    *(value for name, value in vars(contract).items() if name.endswith(("_VARIABLE", "_AUDIENCE"))),
    *(value for module in (environment, volumes) for name, value in vars(module).items() if name.endswith("_VARIABLE")),
    *(value for name, value in vars(volumes).items() if name.endswith(("_FOLDER", "SHARED_MEMORY"))),
    AUTHORITY.only, AUTHORITY_KEY, "spec.pods", MANIFEST, file_manifest("<file>"), Claim.KIND,
    *set().union(*OTHERS.values()),
}  # fmt: skip


def exists(words: str) -> bool:
    """Whether there is such a thing. A field or a value of the chart may have its value behind it."""
    name = words.partition(":")[0]
    if words in WORDS or name in FIELDS | CHART:
        return True
    if words.startswith("make "):
        return words.removeprefix("make ") in TARGETS
    if words.startswith("reflect "):
        _, command, *rest = words.split()
        return f"## reflect {command}\n" in REFERENCE and all(
            f"{option} " in REFERENCE for option in rest if option.startswith("--")
        )
    if words.startswith("--"):
        return re.search(rf"(?<![\w-]){re.escape(words)}(?![\w-])", REFERENCE) is not None
    if words.startswith("/"):
        return f"`{words}`" in (ROOT / "docs/operator.md").read_text()
    return "/" in words and (ROOT / words).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_every_name_exists(page: str) -> None:
    found = code((ROOT / page).read_text())
    assert len(found) > 50
    assert sorted(words for words in found if not exists(words)) == []


def test_the_message_of_a_pod_without_a_node_is_the_operators() -> None:
    page = " ".join((ROOT / "docs/gpus.md").read_text().split())
    assert f"3 Insufficient nvidia.com/gpu; {MEANINGS[Reason.UNSCHEDULABLE].remedy} ```" in page


def test_no_word_of_others_is_kept_for_nothing() -> None:
    found = set().union(*(code((ROOT / page).read_text()) for page in PAGES))
    assert sorted(set().union(*OTHERS.values()) - found) == []


@pytest.mark.parametrize(
    "words",
    [
        "spec.training.gpusPerNodes", "gpuPerNode", "operator.gpuResources", "rbac.aggregateRoles: false", "Unscheduled",
        "--gpu-resources", "reflect rendered FILE", "reflect render FILE --stages train", "make gpus", "REFLECT_CONFIGS",
        "tests/unit/children/test_jobs.py", "/dev/shmem", "/metric", "fsdp2",
    ],
)  # fmt: skip
def test_a_misspelt_name_is_noticed(words: str) -> None:
    assert not exists(words)
