"""`--set spec.training.maxSteps=10`: values of the command line over those of the file."""

from __future__ import annotations

from typing import Any, NamedTuple

from .documents import scalar
from .problem import shown


class BadSetting(ValueError):
    """A setting is not of the form `path=value`, or its path leads through something that is no map."""


class Setting(NamedTuple):
    """One value for one field."""

    text: str
    path: tuple[str, ...]
    value: Any


def parse_setting(text: str) -> Setting:
    """A setting such as `spec.rollout.workers=2`; the value is read as in a YAML file.

    Raises:
        BadSetting: it has another form.
    """
    dotted, equals, value = text.partition("=")
    path = tuple(dotted.strip().split("."))
    if not equals or not all(path) or path[0] not in {"metadata", "spec"}:
        raise BadSetting(f"{shown(text)} is not a setting; write for example spec.training.maxSteps=10")
    return Setting(text, path, scalar(value))


def apply_setting(resource: dict[str, Any], setting: Setting) -> None:
    """Put the value into the resource, with the sections that lead to it.

    Raises:
        BadSetting: the path leads through something that is no map.
    """
    *sections, field = setting.path
    section = resource
    for name in sections:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise BadSetting(
                f"{shown(setting.text)}: {name} is {shown(section)} in the file, not a map of fields"
            )
    section[field] = setting.value
