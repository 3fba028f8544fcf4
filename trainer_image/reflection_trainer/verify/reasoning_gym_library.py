"""The package reasoning-gym, imported without what only draws pictures or makes one kind of puzzle."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ABSENT = ("matplotlib", "mpl_toolkits", "pycosat")
"""Imported by reasoning-gym's dependencies, used by none of its scorers: a stand-in does where they are not installed."""
EVALUATES_ANSWERS = (
    "algorithmic.binary_matrix",
    "algorithmic.spiral_matrix",
    "algorithmic.string_insertion",
    "games.n_queens",
)
"""Modules whose scorers call `eval` on the answer, to give partial credit to a list. They get one that reads literals only."""
NEED_TUPLES = ("arc_agi", "rearc")
"""Their scorers compare with tuples, which JSON does not have."""
UNSUPPORTED = ("composite",)
"""A mixture of other datasets, which only its own configuration tells apart."""


class _StandIn(ModuleType):
    """A module in which every name is there and nothing works."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _StandIn(f"{self.__name__}.{name}")


class _StandIns(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in ABSENT:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def load() -> ModuleType:
    """The package, imported."""
    missing = {name for name in ABSENT if importlib.util.find_spec(name) is None}
    if missing:
        sys.meta_path.append(_StandIns())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the syntax of its dependencies
        return importlib.import_module("reasoning_gym")
