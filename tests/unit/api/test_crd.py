"""The generated CRD: up to date, structural, bounded, described, small."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field
from reflection_api.base import ApiModel
from reflection_api.crd import crd_yaml, custom_resource_definition, options, resource_schema
from reflection_api.crd.schema import NotStructural
from reflection_api.spec.fields import PATTERNS
from reflection_api.verifiers import OPTIONS

ROOT = Path(__file__).parents[3]
Node = dict[str, Any]

ALLOWED_KEYS = {
    "description", "type", "format", "enum", "default", "minLength", "maxLength", "pattern", "minimum", "maximum",
    "exclusiveMinimum", "minItems", "maxItems", "maxProperties", "items", "properties", "required",
    "additionalProperties", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
}  # fmt: skip

# What may be passed on unseen: core Kubernetes types, which the API server checks in the pod.
FREE_FORM = {
    "affinity", "env[]", "envFrom[]", "imagePullSecrets[]", "resources", "tolerations[]", "topologySpreadConstraints[]",
    "volumeMounts[]", "volumes[]",
}  # fmt: skip

CEL_WORDS = {
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
    "loop", "package", "namespace", "return", "var", "void", "while",
}  # fmt: skip


def nodes(schema: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


ALL = list(nodes(resource_schema()))
OURS = [(path, node) for path, node in ALL if path.startswith((".spec", ".status"))]


def test_the_committed_file_is_what_reflect_crd_prints() -> None:
    committed = (ROOT / "crds/reflectiontrainings.yaml").read_text()
    assert committed == crd_yaml(), "run `make crd`"


def test_the_text_says_the_same_as_the_object() -> None:
    assert yaml.safe_load(crd_yaml()) == custom_resource_definition()
    assert crd_yaml().startswith("# ")
    assert "`reflect crd`" in crd_yaml().splitlines()[1]


def test_it_stays_small() -> None:
    """Client-side apply stops at 262,144 bytes."""
    assert len(crd_yaml().encode()) < 200_000


def test_names() -> None:
    spec = custom_resource_definition()["spec"]
    assert spec["names"]["shortNames"] == ["rt"]
    assert spec["names"]["categories"] == ["ml"]
    assert spec["scope"] == "Namespaced"
    assert custom_resource_definition()["metadata"]["name"] == "reflectiontrainings.reflection.training"
    assert spec["versions"][0]["subresources"] == {"status": {}}


def test_columns_point_at_fields_that_exist() -> None:
    columns = custom_resource_definition()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns if "priority" not in column] == [
        "Status", "Stage", "Progress", "Reward", "Restarts", "Age",
    ]  # fmt: skip
    assert [column["name"] for column in columns if column.get("priority") == 1] == [
        "Failures", "Queue", "Checkpoint", "Reason", "Message",
    ]  # fmt: skip
    known = {path for path, _ in ALL}
    for column in columns:
        path = re.sub(r"\[\?\(.*?\)\]", "[]", column["jsonPath"]).replace(".metrics.reward", ".metrics{}")
        assert path in known or path.startswith((".metadata.creationTimestamp", ".metadata.labels.")), column


def test_a_resource_nobody_has_seen_yet_is_in_progress_for_kstatus() -> None:
    status = resource_schema()["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert status["properties"]["observedGeneration"]["default"] == -1


def test_structural() -> None:
    for path, node in ALL:
        assert set(node) <= ALLOWED_KEYS, path
        assert isinstance(node["type"], str), path
        assert not {"properties", "additionalProperties"} <= set(node), path
        if node["type"] == "object":
            shapes = {"properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"} & set(
                node
            )
            assert len(shapes) == 1, f"{path}: an object without a shape loses all its fields"


def test_only_core_kubernetes_values_are_free_form() -> None:
    found = {path.rsplit(".", 1)[-1] for path, node in ALL if "x-kubernetes-preserve-unknown-fields" in node}
    assert found == FREE_FORM


def unbounded(path: str, node: Node) -> set[str]:
    """The bounds that a field lacks."""
    needed = {
        "integer": {"minimum", "maximum", "format"},
        "number": {"minimum", "maximum"},
        "string": {"maxLength"},
        "array": {"maxItems"},
        "object": {"maxProperties"} if "additionalProperties" in node else set(),
        "boolean": set(),
    }[node["type"]]
    if "enum" in node or node.get("format") == "date-time" or path == ".status.metrics{}":
        return set()
    return needed - set(node)


def test_every_field_is_bounded() -> None:
    assert {path: missing for path, node in OURS if (missing := unbounded(path, node))} == {}


def test_every_field_is_described() -> None:
    fields = [(path, node) for path, node in OURS if not path.endswith(("[]", "{}"))]
    assert [path for path, node in fields if len(node.get("description", "")) < 8] == []


def test_every_pattern_has_words_for_messages() -> None:
    assert {node["pattern"] for _, node in ALL if "pattern" in node} <= set(PATTERNS)


@pytest.mark.parametrize(
    "pattern", sorted({node["pattern"] for _, node in ALL if "pattern" in node}), ids=lambda p: p[:30]
)
def test_patterns_mean_the_same_in_go_rust_and_python(pattern: str) -> None:
    """RE2 has no look-around and no back-references; what \\s, \\w and \\d match differs between the three."""
    assert not re.search(r"\(\?[=!<P]|\\[1-9]|\\[sSwWdDbB]", pattern)
    assert pattern.startswith("^")
    assert pattern.endswith("$")


RULES = [(path, entry) for path, node in ALL for entry in node.get("x-kubernetes-validations", [])]


def test_rules_blame_a_field_that_exists() -> None:
    known = {path for path, _ in ALL}
    assert len(RULES) > 10
    for path, entry in RULES:
        assert f"{path}{entry['fieldPath']}" in known
        assert entry["message"]
        assert "\n" not in entry["message"]


def test_no_field_name_needs_escaping_in_a_rule() -> None:
    for path, node in OURS:
        for name in node.get("properties", {}):
            assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9]*", name), path
            assert name not in CEL_WORDS, path


def test_every_option_of_every_verifier_is_typed_without_a_default() -> None:
    builtin = resource_schema()["properties"]["spec"]["properties"]["task"]["properties"]["verifier"][
        "properties"
    ]["builtin"]
    known = {info.alias for model in OPTIONS.values() for info in model.model_fields.values()}
    assert set(builtin["properties"]["options"]["properties"]) == known
    assert all("default" not in option for option in builtin["properties"]["options"]["properties"].values())


class Strict(ApiModel):
    strict: bool = Field(True, description="A switch.")


class AlsoStrict(ApiModel):
    strict: str = Field("", description="A text.")


def test_one_option_cannot_have_two_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "OPTIONS", {"one": Strict, "two": AlsoStrict})
    builtin: Node = {"properties": {"options": {"type": "object", "properties": {}}}}
    with pytest.raises(NotStructural, match="option strict of two: one types it in another way"):
        options.type_verifier_options(builtin)


def test_an_option_that_two_verifiers_share_has_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "OPTIONS", {"one": Strict, "two": Strict})
    builtin: Node = {"properties": {"options": {"type": "object", "properties": {}}}}
    options.type_verifier_options(builtin)
    (entry,) = builtin["x-kubernetes-validations"]
    assert entry["rule"].endswith("self.name in ['one', 'two']")
