"""The suite's other promises, on whole runs of pytest: nothing is left out in silence, and no setting of a machine leaks in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def inner(tmp_path: Path, tests: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest with the project's conftest and settings over one file of tests."""
    unit = tmp_path / "tests/unit"
    unit.mkdir(parents=True)
    (unit / "test_inner.py").write_text(tests)
    shutil.copy(ROOT / "tests/conftest.py", tmp_path / "tests/conftest.py")
    for folder in ("support", "tools"):
        shutil.copytree(ROOT / "tests" / folder, tmp_path / "tests" / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    outer = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=tmp_path, env=outer | env, text=True, capture_output=True, check=False,
    )  # fmt: skip


ONE_SKIPPED = """
import pytest

def test_runs():
    pass

@pytest.mark.parametrize("n", [1, 2])
def test_needs_more(n):
    pytest.skip("no second machine")
"""


def test_quick_rooms_run_first_and_what_was_left_out_is_listed_before_the_closing_line(
    tmp_path: Path,
) -> None:
    slow = tmp_path / "tests/integration"
    slow.mkdir(parents=True)
    for name in ("test_a.py", "install/test_b.py", "verify/test_c.py"):
        (slow / name).parent.mkdir(exist_ok=True)
        (slow / name).write_text(f"def {Path(name).stem}(): pass")
    run = inner(tmp_path, ONE_SKIPPED, "-v", CI="")
    assert run.returncode == 0
    lines = run.stdout.rstrip().splitlines()
    assert "    2  no second machine" in lines
    assert "not part of this: tests/soak, 0 files (hours in all, `make soak`)" in lines
    assert "   0.0  integration/install" in lines
    assert "4 passed, 2 skipped" in lines[-1]
    order = [run.stdout.index(name) for name in ("::test_runs", "::test_a", "::test_b", "::test_c")]
    assert order == sorted(order), (
        "what needs programs that are still being built takes its turn after a third"
    )


def test_one_process_takes_all_that_needs_the_nodes_of_this_machine(tmp_path: Path) -> None:
    room = tmp_path / "tests/cluster"
    room.mkdir(parents=True)
    for name in ("test_first_run.py", "test_one_of_each_kind.py"):
        (room / name).write_text("def test_nodes(worker_id): print(f'taken by {worker_id}')")
    run = inner(tmp_path, "def test_other(): pass", "-rP", "-n", "2", "--dist", "loadfile", CI="true")
    assert run.returncode == 0, run.stdout
    taken_by = [line for line in run.stdout.splitlines() if line.startswith("taken by ")]
    assert len(taken_by) == 2
    assert len(set(taken_by)) == 1


NEEDS_A_SERVER = """
def test_runs():
    pass

def test_stores(s3_server):
    pass
"""


@pytest.mark.parametrize("version", ["", "go1.25.9"])
def test_what_needs_a_server_is_left_out_where_none_can_be_built(tmp_path: Path, version: str) -> None:
    if version:
        (tmp_path / "go").write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / "go").chmod(0o755)
    run = inner(tmp_path, NEEDS_A_SERVER, CI="", PATH=f"{tmp_path}:{Path(sys.executable).parent}:/bin")
    assert run.returncode == 0, run.stdout
    reason = f"no Go 1.26 or newer on PATH (found: {version or 'none'}): https://go.dev/dl"
    assert f"    1  {reason}" in run.stdout.splitlines()


CLEAN = """
import os

def test_environment():
    assert "HF_TOKEN" not in os.environ
    assert "AWS_PROFILE" not in os.environ
    assert "WORLD_SIZE" not in os.environ
    assert os.environ["HF_HUB_OFFLINE"] == "1"
"""


def test_foreign_settings_do_not_reach_tests_and_a_full_run_passes_on_ci(tmp_path: Path) -> None:
    run = inner(
        tmp_path, CLEAN, CI="true", HF_TOKEN="secret", AWS_PROFILE="work", WORLD_SIZE="8", HF_HUB_OFFLINE="0"
    )
    assert run.returncode == 0, run.stdout
    assert "nothing" in run.stdout.splitlines()


@pytest.mark.parametrize(
    "options",
    [(), ("-k", "test_runs"), ("-n", "2", "--dist", "loadfile")],
    ids=["skipped", "deselected", "in two lanes"],
)
def test_on_ci_a_left_out_test_fails_the_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    run = inner(tmp_path, ONE_SKIPPED, *options, CI="true")
    assert run.returncode == 1
    assert "CI is set: nothing may be left out" in run.stdout
    assert "1 passed" in run.stdout.rstrip().splitlines()[-1]


def test_a_module_that_skips_itself_counts(tmp_path: Path) -> None:
    run = inner(
        tmp_path, "import pytest\npytest.importorskip('no_such_module')\ndef test_x(): pass", CI="true"
    )
    assert run.returncode != 0
    assert "no_such_module" in run.stdout


def test_a_warning_fails_a_unit_test(tmp_path: Path) -> None:
    run = inner(tmp_path, "import warnings\ndef test_warns(): warnings.warn('old name', DeprecationWarning)")
    assert run.returncode == 1
    assert "old name" in run.stdout


def test_what_needs_a_gpu_is_collected_and_says_so() -> None:
    outer = {name: value for name, value in os.environ.items() if name != "CI"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/gpu"],
        cwd=ROOT, env=outer | {"CUDA_VISIBLE_DEVICES": ""}, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no GPU that torch can use is here" in run.stdout
    assert " skipped in " in run.stdout
    assert "passed" not in run.stdout
