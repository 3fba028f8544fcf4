"""From pydantic types to the structural schemas that Kubernetes takes.

A structural schema is the dialect of OpenAPI 3.0 that an API server can prune and default with: no `$ref`, no unions, never
`properties` beside `additionalProperties`. What the dialect cannot say is an error here, not a surprise in a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

RULES = "x-kubernetes-validations"
PRESERVE = "x-kubernetes-preserve-unknown-fields"
_MAX_INT32 = 2_147_483_647
_TEXT_BOUNDS = ("minLength", "maxLength", "pattern")
_SIZE_BOUNDS = ("minItems", "maxItems", "maxProperties")
_COPIED = ("description", "type", "format", "enum", *_TEXT_BOUNDS, *_SIZE_BOUNDS)
_RULE_KEYS = ("rule", "message", "messageExpression", "fieldPath")
_REFERENCES = "#/$defs/"


class NotStructural(TypeError):
    """A type cannot be said in a structural schema; the message names the place."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a type: complete, self-contained, in a stable order.

    Raises:
        NotStructural: a field is a union, or free-form without being a whitelisted Kubernetes value.
    """
    document = model.model_json_schema(by_alias=True)
    return _Converter(document.get("$defs", {})).convert(document, model.__name__)


class _Converter:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def convert(self, node: Schema, where: str) -> Schema:
        node = self._resolved(node, where)
        if "type" not in node:
            raise NotStructural(f"{where}: any value is allowed: give it a type")
        schema: Schema = {key: node[key] for key in _COPIED if key in node}
        schema |= _bounds(node)
        if schema["type"] == "integer":
            schema["format"] = "int32" if _fits_int32(schema) else "int64"
        if "items" in node:
            schema["items"] = self.convert(node["items"], f"{where}[]")
        if schema["type"] == "object":
            schema |= self._object(node, where)
        schema |= {
            key: value for key, value in node.items() if key.startswith("x-kubernetes-") and key != RULES
        }
        if RULES in node:
            schema[RULES] = [{key: rule[key] for key in _RULE_KEYS if key in rule} for rule in node[RULES]]
        return schema

    def _resolved(self, node: Schema, where: str) -> Schema:
        """The node with its reference followed and its `null` branch dropped: absent is how Kubernetes says None."""
        if "$ref" in node:
            target = self._definitions[node["$ref"].removeprefix(_REFERENCES)]
            return self._resolved(
                {**target, **{key: value for key, value in node.items() if key != "$ref"}}, where
            )
        if "anyOf" in node:
            branches = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
            if len(branches) != 1:
                raise NotStructural(f"{where}: a union of types: make it separate optional fields")
            return self._resolved({**branches[0], **{k: v for k, v in node.items() if k != "anyOf"}}, where)
        if "const" in node:
            return {**node, "enum": [node["const"]]}
        return node

    def _object(self, node: Schema, where: str) -> Schema:
        if "properties" in node:
            return self._section(node, where)
        values = node.get("additionalProperties")
        if isinstance(values, dict):
            return {"additionalProperties": self.convert(values, f"{where}{{}}")}
        if PRESERVE not in node:
            raise NotStructural(f"{where}: a free-form object that is not a whitelisted Kubernetes value")
        return {}

    def _section(self, node: Schema, where: str) -> Schema:
        required = node.get("required", [])
        properties = {}
        for name, child in node["properties"].items():
            properties[name] = self.convert(child, f"{where}.{name}")
            default = self._default(child, properties[name], optional=name not in required)
            if default is not None:
                properties[name]["default"] = default
        return {"properties": properties} | ({"required": required} if required else {})

    def _default(self, node: Schema, schema: Schema, *, optional: bool) -> Any:
        """The default that the API server fills in.

        None and empty lists and maps are left out: absent means the same and keeps stored objects short. A section gets
        `{}`, which the API server fills with the defaults of the section's own fields.
        """
        if "default" in node:
            return node["default"] if node["default"] not in ([], {}) else None
        always_there = optional and "anyOf" not in node and "properties" in schema
        defaults = _written_out(schema) if always_there else {}
        if not defaults:
            return None
        # The API server checks a default against the rules as it stands, before it fills in what is nested.
        return defaults if RULES in schema else {}


def _written_out(schema: Schema) -> Schema:
    """Every default of a section, nested ones too."""
    return {
        name: _written_out(child) if "properties" in child else child["default"]
        for name, child in schema["properties"].items()
        if "default" in child
    }


def _bounds(node: Schema) -> Schema:
    """Numeric bounds in the form of OpenAPI 3.0, where an exclusive bound is a flag beside the bound."""
    bounds: Schema = {}
    for end in ("minimum", "maximum"):
        exclusive = f"exclusive{end.capitalize()}"
        if exclusive in node:
            bounds |= {end: node[exclusive], exclusive: True}
        elif end in node:
            bounds[end] = node[end]
    return bounds


def _fits_int32(schema: Schema) -> bool:
    return bool(schema.get("maximum", _MAX_INT32 + 1) <= _MAX_INT32)
