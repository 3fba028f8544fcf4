"""The package reasoning-gym, imported without what only draws pictures or makes one kind of puzzle."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
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
TOO_KIND: Mapping[str, Callable[[str, Mapping[str, Any]], bool]] = {
    # The full score for a beginning of the answer, so that "0" is right wherever the probability is below 1.
    "coin_flip": lambda answer, entry: abs(_number(answer) - _number(entry["answer"])) <= _NEAR,
    # The full score for a distance that is no number.
    "complex_arithmetic": lambda answer, _: "nan" not in answer.casefold(),
    # Compares as Python's `bool` does, for which every text is true: anything is right.
    "game_of_life_halting": lambda answer, entry: answer == entry["answer"],
}
"""Scorers that take wrong answers for right, with what has to hold besides for an answer and its entry."""
_NEAR = 1e-4
"""The scorer's own bound."""
SHARED_ANSWERS = (
    "coin_flip",
    "graph_color",
    "jugs",
    "knight_swap",
    "n_queens",
    "propositional_logic",
    "puzzle24",
    "quantum_lock",
    "shortest_path",
    "sokoban",
    "time_intervals",
)
"""Datasets in which the right answer to one entry may be right for another: with `puzzle24` any expression that makes 24 is.
Found by giving the scorer of each dataset the answers to its other entries; but for `knight_swap`, whose scorer takes any moves
that swap the knights."""
UNSUPPORTED = ("composite",)
"""A mixture of other datasets, which only its own configuration tells apart."""


class _StandIn(ModuleType):
    """A module in which every name is there and nothing works."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _StandIn(f"{self.__name__}.{name}")

    def __call__(self, *_: object, **__: object) -> Any:
        package = self.__name__.partition(".")[0]
        raise ModuleNotFoundError(f"{package} is not installed", name=package)


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


def _number(text: str) -> float:
    return float(Fraction(text.replace(",", "")))
