"""Whether what the stages stand on is installed: known from the packages' own records, without importing any of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

DISTRIBUTION = "reflect-operator"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MAX_NAMED = 3


class ExtraMissing(Exception):
    """The command needs an extra of the distribution."""


def check_installed(extra: str, *, by: str) -> None:
    """Make sure that everything that an extra asks for is there; without, a stage would only crash, again and again.

    Raises:
        ExtraMissing: something is not.
    """
    missing = [name for name in _asked_for(extra) if not _is_installed(name)]
    if not missing:
        return
    others = f" and {len(missing) - _MAX_NAMED} more" if len(missing) > _MAX_NAMED else ""
    raise ExtraMissing(
        f"{by} needs the extra {extra}, of which {', '.join(missing[:_MAX_NAMED])}{others} "
        f"{'is' if len(missing) == 1 else 'are'} not installed: pip install '{DISTRIBUTION}[{extra}]'"
    )


def _asked_for(extra: str) -> Iterator[str]:
    """The distributions that an extra asks for on every machine."""
    for text in requires(DISTRIBUTION) or ():
        requirement, _, marker = text.partition(";")
        name = _NAME.match(requirement)
        if name and marker.strip().replace('"', "'") == f"extra == '{extra}'":
            yield name.group()


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False
