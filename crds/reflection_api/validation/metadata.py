"""`metadata`, which the API server checks by itself and a CRD has no say in, but for the name."""

from __future__ import annotations

from ..crd.schema import PRESERVE, Schema
from ..spec.fields import DNS_LABEL

_FREE: Schema = {"type": "object", PRESERVE: True}
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_WRITTEN_BY_THE_SERVER = ("creationTimestamp", "deletionTimestamp", "resourceVersion", "selfLink", "uid")


def metadata_schema(name: Schema) -> Schema:
    """The schema of metav1.ObjectMeta; `name` is what the CRD says of the name."""
    return {
        "description": "Name and namespace of the resource.",
        "type": "object",
        "properties": {
            "name": name,
            "namespace": {"type": "string", "maxLength": 63, "pattern": DNS_LABEL},
            "labels": _TEXTS,
            "annotations": _TEXTS,
            "generateName": {"type": "string"},
            "generation": {"type": "integer"},
            "deletionGracePeriodSeconds": {"type": "integer"},
            "finalizers": {"type": "array", "items": {"type": "string"}},
            "ownerReferences": {"type": "array", "items": _FREE},
            "managedFields": {"type": "array", "items": _FREE},
            **{field: {"type": "string"} for field in _WRITTEN_BY_THE_SERVER},
        },
        "required": ["name"],
    }
