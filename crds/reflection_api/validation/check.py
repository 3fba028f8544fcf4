"""All findings of the CRD about one resource."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..crd import resource_schema
from ..crd.schema import Schema
from ..rules import is_local_only
from .cel import Entry, rule_findings
from .defaults import admitted
from .metadata import metadata_schema
from .problem import Finding, Path
from .structure import structure_findings
from .unknown import unknown_fields


def schema_findings(
    value: dict[str, Any], *, local: bool, old: dict[str, Any] | None = None
) -> list[Finding]:
    """What the API server would refuse, and the fields that it would drop.

    Args:
        value: the resource as written.
        local: leave out the rules against `file://`.
        old: the resource that is to be replaced, on an update.
    """
    unknown = list(unknown_fields(checked_schema(), value))
    return [*unknown, *refusals(value, local=local, old=old)]


def refusals(value: dict[str, Any], *, local: bool, old: dict[str, Any] | None = None) -> list[Finding]:
    """What the API server would refuse; fields that it would drop are passed over. The arguments are those above."""
    schema = checked_schema()
    stored = stored_form(value)
    structure = list(structure_findings(schema, stored))

    def skip(path: Path, entry: Entry) -> bool:
        """A rule may rely on the structure of what it guards."""
        broken = any(finding.path[: len(path)] == path for finding in structure)
        return broken or (local and is_local_only(entry))

    before = None if old is None else stored_form(old)
    return [*structure, *rule_findings(schema, stored, before, skip=skip)]


def stored_form(value: dict[str, Any]) -> dict[str, Any]:
    """The resource as the API server would store it."""
    stored: dict[str, Any] = admitted(checked_schema(), value)
    # What users write there is ignored: the operator alone writes it, through the status subresource.
    stored.pop("status", None)
    return stored


@cache
def checked_schema() -> Schema:
    """The schema of the CRD and that of the metadata."""
    schema = resource_schema()
    properties = {
        **schema["properties"],
        "metadata": metadata_schema(schema["properties"]["metadata"]["properties"]["name"]),
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    return {**schema, "properties": properties, "required": ["metadata", "spec"]}
