"""Keeps sympy's text parser from executing what it reads.

`parse_expr` turns text into Python code and gives that to `eval`: `__import__("os").system("...")` runs. Its callers here run
in locked-down processes, where that reaches nothing. But code that ran there could still say "right" for itself, so the
generated code is looked at before: it may only put together numbers, symbols and mathematical functions.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import sympy
from sympy.parsing import sympy_parser

FUNCTIONS = frozenset(
    {"sqrt", "cbrt", "root", "real_root", "abs", "expand", "factor", "simplify", "diff", "integrate"}
)
"""Callables that are no classes of expressions, and still only mathematics."""

_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Compare, ast.cmpop, ast.Call, ast.keyword,
    ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List,
)  # fmt: skip


_SKIPPED = {
    "tests", "benchmarks", "testing", "conftest", "this", "__main__",
    # Physics, and bridges to other libraries (torch among them): no mathematics of an answer leads there.
    "physics", "plotting", "interactive", "lark", "aesaracode", "llvmjitcode", "pytorch", "tensorflow", "theanocode",
}  # fmt: skip


class Refused(ValueError):
    """The text is more than mathematics."""


def check(code: str, names: Mapping[str, Any]) -> None:
    """Accept generated code that only builds an expression.

    Raises:
        Refused: it reads an attribute, calls something else than mathematics, or has another construct.
    """
    for node in ast.walk(ast.parse(code.strip(), mode="eval")):
        if not isinstance(node, _ALLOWED):
            raise Refused(f"{type(node).__name__} is no mathematics")
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            raise Refused("a call of something without a name is no mathematics")
        if isinstance(node, ast.Name) and not _is_mathematics(node.id, names.get(node.id)):
            raise Refused(f"{node.id} is no mathematics")


def install() -> None:
    """Put the check between sympy's parser and `eval`, in this process."""
    original: Callable[..., str] = sympy_parser.stringify_expr

    def checked(s: str, local_dict: dict[str, Any], global_dict: dict[str, Any], transformations: Any) -> str:
        code = original(s, local_dict, global_dict, transformations)
        check(code, {**global_dict, **local_dict})
        return code

    sympy_parser.stringify_expr = checked


def preload(package: ModuleType = sympy) -> None:
    """Import the modules of sympy: much is imported where it is first used, and a locked-down process can open no file."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.name.rpartition(".")[2] in _SKIPPED:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = importlib.import_module(module.name)
        except ImportError:  # an optional part, whose dependency is not installed
            continue
        if module.ispkg:
            preload(found)


def _is_mathematics(name: str, value: Any) -> bool:
    if name in FUNCTIONS or isinstance(value, sympy.Basic):
        return True
    return isinstance(value, type) and issubclass(value, sympy.Basic)
