"""Kubernetes objects as text for people and for `kubectl apply -f -`. The same objects give the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

from .attempt import Child

_NOT_PLAIN = re.compile(r"[-+.\d]|[yYnN]$")
"""Texts that some YAML parser takes for a number or a boolean (1e3, 08, y), though Python's does not."""
_RARE_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line breaks to YAML that do not survive unescaped."""


def to_yaml(children: Sequence[Child]) -> str:
    """YAML documents; texts of several lines stand there as such."""
    documents = (
        yaml.dump(child, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120) for child in children
    )
    return "".join(f"---\n{document}" for document in documents)


def to_json(children: Sequence[Child]) -> str:
    """One List object."""
    content = {"apiVersion": "v1", "kind": "List", "items": list(children)}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        """Write equal values out: anchors are for machines."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))


def _style(value: str) -> str | None:
    if _RARE_BREAKS.search(value):
        return '"'
    if "\n" in value:
        return "|"
    return "'" if _NOT_PLAIN.match(value) else None


_Dumper.add_representer(str, _text)
