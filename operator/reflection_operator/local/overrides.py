"""Changes to a resource before it is run here: `--set path=value`, and relative file URIs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

_RELATIVE = "file://./"


class BadOverride(ValueError):
    """A `--set` that cannot be applied."""


def apply_overrides(resource: dict[str, Any], overrides: Sequence[str]) -> None:
    """Set values in place. An override is `spec.training.maxSteps=20`; the value is read as YAML.

    Raises:
        BadOverride: it is not of that form, or its path leads through a value that has no fields.
    """
    for override in overrides:
        path, equals, text = override.partition("=")
        names = path.split(".")
        if not equals or names[0] not in ("metadata", "spec") or len(names) < 2 or not all(names):
            raise BadOverride(
                f"--set {override}: expected a field's path and a value, as in spec.training.maxSteps=20"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise BadOverride(
                f"--set {override}: the value is not YAML: {str(error).splitlines()[0]}"
            ) from error
        _set(resource, names, value, override)


def _set(resource: dict[str, Any], names: Sequence[str], value: Any, override: str) -> None:
    at = resource
    for depth, name in enumerate(names[:-1], 1):
        child = at.setdefault(name, {})
        if not isinstance(child, dict):
            raise BadOverride(
                f"--set {override}: {'.'.join(names[:depth])} is {child!r}, which has no fields"
            )
        at = child
    at[names[-1]] = value


def resolve_relative_uris(resource: dict[str, Any], folder: Path) -> None:
    """Turn `file://./path` into the absolute URI of a path beside the resource's file, in place."""
    for owner in _uri_owners(resource.get("spec")):
        uri = owner.get("uri")
        if isinstance(uri, str) and uri.startswith(_RELATIVE):
            owner["uri"] = (folder.resolve() / uri.removeprefix(_RELATIVE)).as_uri()


def _uri_owners(spec: Any) -> Iterator[dict[str, Any]]:
    for path in (("model",), ("storage",), ("task", "prompts"), ("evaluation", "prompts")):
        at = spec
        for name in path:
            at = at.get(name) if isinstance(at, dict) else None
        if isinstance(at, dict):
            yield at
